// The latching VFS by itself: it passes on, counts, and fails for good after the first failure.
#include "storage/sqlite.hpp"
#include "storage/vfs_latch.hpp"
#include "tests/support/temp_directory.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

struct Latched {
    TempDirectory directory;
    FaultPlan faults;
    LatchingVfs vfs{"", &faults};
    SqliteConnection db{
        {directory / "test.db", vfs.name(), SqlitePageSize::kib4}, SqliteRole::writer};

    Latched() { db.execute("CREATE TABLE t(a)"); }

    [[nodiscard]] bool insert() {
        try {
            db.execute("INSERT INTO t VALUES(1)");
            return true;
        } catch (const SQLite::Exception&) {
            return false;
        }
    }
};

}  // namespace

TEST_CASE("A healthy disk is passed through", "[storage][vfs]") {
    Latched latched;

    CHECK(latched.insert());

    CHECK(!latched.vfs.has_failed());
    CHECK(latched.vfs.failure().empty());
    CHECK(latched.faults.count(DiskOperation::write) > 0);
    CHECK(latched.faults.count(DiskOperation::sync) > 0);
}

TEST_CASE("Attack case 35: after one failed sync every write and sync fails", "[storage][vfs]") {
    Latched latched;
    latched.faults.fail(DiskOperation::sync, 1, DiskFault::io_error);

    CHECK(!latched.insert());
    const auto reason = latched.vfs.failure();
    CHECK(!latched.insert());
    CHECK(!latched.insert());

    CHECK(latched.vfs.has_failed());
    CHECK(reason.find("sync of") != std::string::npos);
    CHECK(reason.find("test.db-wal") != std::string::npos);
    CHECK(latched.vfs.failure() == reason);
    CHECK(latched.db.number("SELECT count(*) FROM t") == 0);
}

TEST_CASE("Attack case 34: a full disk on a write is told and forgotten", "[storage][vfs]") {
    Latched latched;
    latched.faults.fail(DiskOperation::write, 1, DiskFault::disk_full);

    CHECK(!latched.insert());
    CHECK(latched.insert());

    CHECK(!latched.vfs.has_failed());
}

TEST_CASE("A full disk on a sync is a failed sync", "[storage][vfs]") {
    Latched latched;
    latched.faults.fail(DiskOperation::sync, 1, DiskFault::disk_full);

    CHECK(!latched.insert());

    CHECK(latched.vfs.has_failed());
}

TEST_CASE("A base that SQLite does not know is refused by name", "[storage][vfs]") {
    CHECK_THROWS_WITH(LatchingVfs("no-such-vfs", nullptr), Catch::Contains("no-such-vfs"));
}

TEST_CASE("One latching VFS wraps another by name", "[storage][vfs]") {
    const TempDirectory directory;
    FaultPlan inner_faults;
    LatchingVfs inner("", &inner_faults);
    LatchingVfs outer(inner.name(), nullptr);
    SqliteConnection db(
        {directory / "test.db", outer.name(), SqlitePageSize::kib4}, SqliteRole::writer);

    inner_faults.fail(DiskOperation::sync, 1, DiskFault::io_error);

    CHECK_THROWS_AS(db.execute("CREATE TABLE t(a)"), SQLite::Exception);
    CHECK(outer.has_failed());
    CHECK(inner.has_failed());
}

}  // namespace mailflow

#include "tests/simulation/sim_disk.hpp"

#include "storage/sqlite.hpp"
#include "tests/simulation/sim_time.hpp"
#include "tests/simulation/sim_vfs.hpp"
#include "tests/support/seeded_random.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace mailflow::sim {
namespace {

std::string content_of(SimDisk& disk, const std::string& path) {
    auto file = disk.open(path);
    return file ? (*file)->read(0, SIZE_MAX).value() : "(none)";
}

// Cuts the power at the n-th sync, before or after it took effect.
struct CutAtSync final : SyncWatcher {
    explicit CutAtSync(SimDisk& on)
        : disk(on) {}

    bool on_sync(const std::string& /*path*/) override {
        if (is_before && --left == 0) {
            disk.power_off();
        }
        return true;
    }

    void on_synced(const std::string& /*path*/) override {
        if (!is_before && --left == 0) {
            disk.power_off();
        }
    }

    SimDisk& disk;
    std::uint64_t left = 0;
    bool is_before = false;
};

TEST_CASE("a crash keeps what was synced and may lose, keep or tear the rest", "[simulation]") {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SeededRandom random(seed);
        SimDisk disk;
        REQUIRE(disk.make_directory("/d"));
        auto file = std::move(disk.create("/d/f").value());
        REQUIRE(file->append("safe"));
        REQUIRE(file->sync());
        REQUIRE(disk.sync_directory("/d"));
        REQUIRE(file->append("more"));

        disk.power_off();
        disk.crash(random);

        const auto left = content_of(disk, "/d/f");
        REQUIRE(left.starts_with("safe"));
        REQUIRE(std::string("safemore").starts_with(left));
        seen.insert(left);
    }

    CHECK(seen.contains("safe"));
    CHECK(seen.contains("safemore"));
    CHECK(seen.size() > 2);
}

TEST_CASE("a name is durable only after a sync of its folder", "[simulation]") {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        SeededRandom random(seed);
        SimDisk disk;
        REQUIRE(disk.make_directory("/d"));
        auto file = std::move(disk.create("/d/f").value());
        REQUIRE(file->append("text"));
        REQUIRE(file->sync());

        disk.crash(random);

        seen.insert(content_of(disk, "/d/f"));
    }

    CHECK(seen == std::set<std::string>{"(none)", "text"});
}

TEST_CASE("without power nothing works and nothing changes", "[simulation]") {
    SimDisk disk;
    REQUIRE(disk.make_directory("/d"));
    auto file = std::move(disk.create("/d/f").value());
    REQUIRE(file->append("a"));

    disk.power_off();

    CHECK_FALSE(file->append("b"));
    CHECK_FALSE(file->sync());
    CHECK_FALSE(disk.create("/d/g"));
    CHECK_FALSE(disk.rename("/d/f", "/d/g"));
    CHECK_FALSE(disk.remove("/d/f"));
    disk.power_on();
    CHECK(content_of(disk, "/d/f") == "a");
}

TEST_CASE("a failed sync drops for good what it should have kept", "[simulation]") {
    SeededRandom random(1);
    SimDisk disk;
    REQUIRE(disk.make_directory("/d"));
    auto file = std::move(disk.create("/d/f").value());
    REQUIRE(disk.sync_directory("/d"));
    REQUIRE(file->append("lost"));
    disk.fail_syncs(1);

    CHECK_FALSE(file->sync());
    CHECK(file->sync());

    CHECK(content_of(disk, "/d/f") == "lost");
    disk.crash(random);
    CHECK(content_of(disk, "/d/f").empty());
}

// ---- SQLite

struct Database {
    explicit Database(std::uint64_t seed)
        : random(seed)
        , vfs("sim-disk-test", disk, clock, random)
        , watcher(disk) {
        REQUIRE(disk.make_directory("/db"));
    }

    // Commits numbers from `next` on until the power goes; the last one that was acknowledged.
    std::int64_t write_until_cut(std::int64_t next) {
        std::int64_t acknowledged = next - 1;
        try {
            SqliteConnection connection({"/db/t.db", vfs.name()}, SqliteRole::writer);
            connection.execute("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, filler BLOB)");
            const std::string filler(next % 3 == 0 ? 6000 : 60, 'x');
            for (; disk.is_on() && next < acknowledged + 1000; ++next) {
                SqliteTransaction transaction(connection);
                connection.query("INSERT INTO t VALUES(?1, ?2)").bind(next).bind_blob(filler).run();
                transaction.commit();
                acknowledged = disk.is_on() ? next : acknowledged;
                if (random.below(20) == 0) {
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)");
                }
            }
        } catch (const SQLite::Exception&) {
            REQUIRE_FALSE(disk.is_on());
        }
        return acknowledged;
    }

    SimClock clock{UtcTime(std::chrono::hours(24 * 365 * 56))};
    SimDisk disk;
    SeededRandom random;
    SimVfs vfs;
    CutAtSync watcher;
};

TEST_CASE("SQLite loses no committed transaction in a crash at any sync", "[simulation]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Database database(seed);
        database.disk.watch(&database.watcher);
        std::int64_t next = 1;
        for (int life = 0; life < 4; ++life) {
            database.watcher.left = 1 + database.random.below(25);
            database.watcher.is_before = database.random.below(2) == 0;
            const auto acknowledged = database.write_until_cut(next);
            database.disk.crash(database.random);

            database.watcher.left = 0;
            SqliteConnection connection({"/db/t.db", database.vfs.name()}, SqliteRole::writer);
            connection.execute("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, filler BLOB)");
            INFO("seed " << seed << ", life " << life);
            REQUIRE(connection.text("PRAGMA integrity_check") == "ok");
            const auto last = connection.number("SELECT max(n) FROM t");
            REQUIRE(last >= acknowledged);
            REQUIRE(connection.number("SELECT count(*) FROM t") == last);
            next = last + 1;
        }
    }
}

TEST_CASE("SQLite without the sync of the log is caught losing transactions", "[simulation]") {
    int losses = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Database database(seed);
        {
            SqliteConnection connection({"/db/t.db", database.vfs.name()}, SqliteRole::writer);
            connection.execute("CREATE TABLE t(n INTEGER PRIMARY KEY)");
            connection.execute("PRAGMA synchronous=NORMAL");
            for (int i = 1; i <= 10; ++i) {
                SqliteTransaction transaction(connection);
                connection.query("INSERT INTO t VALUES(?1)").bind(i).run();
                transaction.commit();
            }
            database.disk.power_off();
        }
        database.disk.crash(database.random);

        SqliteConnection connection({"/db/t.db", database.vfs.name()}, SqliteRole::writer);
        losses += connection.number("SELECT count(*) FROM t") < 10 ? 1 : 0;
    }

    CHECK(losses > 0);
}

TEST_CASE("two runs of SQLite with one seed write the same octets", "[simulation]") {
    const auto run = [] {
        Database database(7);
        {
            SqliteConnection connection({"/db/t.db", database.vfs.name()}, SqliteRole::writer);
            connection.execute("CREATE TABLE t(n, r)");
            connection.execute("INSERT INTO t VALUES(1, random()), (2, randomblob(40))");
            connection.execute("INSERT INTO t VALUES(3, datetime('now'))");
        }
        return content_of(database.disk, "/db/t.db");
    };

    CHECK(run() == run());
}

}  // namespace
}  // namespace mailflow::sim

// The SQLite layer and the tables of queue.db: pragmas, savepoints, versions, query plans, damage.
#include "storage/queue_codec.hpp"
#include "storage/queue_schema.hpp"
#include "tests/storage/queue_fixture.hpp"

#include <catch2/catch.hpp>

#include <fstream>

namespace mailflow {

namespace {

struct Opened {
    TempDirectory directory;
    SqliteSettings settings{directory / "test.db", "", SqlitePageSize::kib4};
    SqliteConnection writer{settings, SqliteRole::writer};
};

std::string plan_of(SqliteConnection& connection, const std::string& sql) {
    std::string plan;
    SQLite::Statement explain(connection.database(), "EXPLAIN QUERY PLAN " + sql);
    while (explain.executeStep()) {
        plan += explain.getColumn(3).getString() + "\n";
    }
    return plan;
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

// ---- pragmas

TEST_CASE("The writer's pragmas are those of the design", "[storage][queue]") {
    Opened db;
    db.writer.execute("CREATE TABLE t(a)");

    CHECK(db.writer.number("PRAGMA auto_vacuum") == 2);
    CHECK(db.writer.number("PRAGMA page_size") == 4096);
    CHECK(db.writer.text("PRAGMA journal_mode") == "wal");
    CHECK(db.writer.number("PRAGMA synchronous") == 2);
    CHECK(db.writer.number("PRAGMA wal_autocheckpoint") == 0);
    CHECK(db.writer.number("PRAGMA journal_size_limit") == 64 * 1024 * 1024);
    CHECK(db.writer.number("PRAGMA mmap_size") == 0);
    CHECK(db.writer.number("PRAGMA secure_delete") == 0);
}

TEST_CASE("A reader cannot write, and never checkpoints", "[storage][queue]") {
    Opened db;
    db.writer.execute("CREATE TABLE t(a)");
    SqliteConnection reader(db.settings, SqliteRole::reader);

    CHECK(reader.number("PRAGMA query_only") == 1);
    CHECK(reader.number("PRAGMA wal_autocheckpoint") == 0);
    CHECK(reader.text("PRAGMA locking_mode") == "normal");
    CHECK_THROWS_AS(reader.execute("INSERT INTO t VALUES(1)"), SQLite::Exception);
}

TEST_CASE("The page size is the one that was asked for", "[storage][queue]") {
    const TempDirectory directory;
    SqliteConnection db({directory / "large.db", "", SqlitePageSize::kib16}, SqliteRole::writer);
    db.execute("CREATE TABLE t(a)");

    CHECK(db.number("PRAGMA page_size") == 16'384);
    CHECK(db.number("PRAGMA auto_vacuum") == 2);
}

// ---- statements and savepoints

TEST_CASE("Values of every kind come back as they were bound", "[storage][queue]") {
    Opened db;
    db.writer.execute("CREATE TABLE t(i, u, b, time, text, blob, empty, none)");
    const std::string text = "it's \"quoted\"; DROP TABLE t";
    const std::string blob("\0\xff", 2);

    db.writer.query("INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .bind(std::int64_t{-5})
        .bind(std::uint64_t{1} << 62U)
        .bind(true)
        .bind(kTestTime)
        .bind_text(text)
        .bind_blob(blob)
        .bind_blob("")
        .bind_null()
        .run();
    auto row = db.writer.query("SELECT i, u, b, time, text, blob, empty, none FROM t");

    REQUIRE(row.step());
    CHECK(row.integer(0) == -5);
    CHECK(row.unsigned_integer(1) == std::uint64_t{1} << 62U);
    CHECK(row.boolean(2));
    CHECK(row.time(3) == kTestTime);
    CHECK(row.text(4) == text);
    CHECK(row.bytes(5) == blob);
    CHECK(row.bytes(6).empty());
    CHECK(!row.is_null(6));
    CHECK(row.is_null(7));
    CHECK(!row.step());
}

TEST_CASE("A statement is prepared once and not used twice at a time", "[storage][queue]") {
    Opened db;
    const auto first = db.writer.query("SELECT 1");

    CHECK_THROWS_AS(db.writer.query("SELECT 1"), std::logic_error);
}

TEST_CASE("A savepoint that is not released undoes its item alone", "[storage][queue]") {
    Opened db;
    db.writer.execute("CREATE TABLE t(a)");
    {
        SqliteTransaction transaction(db.writer);
        {
            SqliteSavepoint kept(db.writer);
            db.writer.execute("INSERT INTO t VALUES(1)");
            kept.release();
        }
        {
            const SqliteSavepoint undone(db.writer);
            db.writer.execute("INSERT INTO t VALUES(2)");
        }
        transaction.commit();
    }

    CHECK(db.writer.number("SELECT count(*) FROM t") == 1);
    CHECK(db.writer.number("SELECT a FROM t") == 1);
}

TEST_CASE("A transaction without commit leaves nothing", "[storage][queue]") {
    Opened db;
    db.writer.execute("CREATE TABLE t(a)");
    {
        const SqliteTransaction transaction(db.writer);
        db.writer.execute("INSERT INTO t VALUES(1)");
    }

    CHECK(db.writer.number("SELECT count(*) FROM t") == 0);
}

TEST_CASE("A blob is read in pieces, a missing one is not found", "[storage][body]") {
    Opened db;
    db.writer.execute("CREATE TABLE body(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
    db.writer.execute("INSERT INTO body VALUES(5, x'0102030405')");

    CHECK(db.writer.read_blob("body", "bytes", 5, 1, 3).value() == "\x02\x03\x04");
    CHECK(db.writer.read_blob("body", "bytes", 5, 4, 30).value() == "\x05");
    CHECK(db.writer.read_blob("body", "bytes", 5, 9, 3).value().empty());
    CHECK(db.writer.read_blob("body", "bytes", 6, 0, 3).error() == Error::not_found);
}

// ---- versions and damage

TEST_CASE("Attack case 37: a database of a newer program is refused in words", "[storage][queue]") {
    FoldedQueue queue;
    queue.test.run(queue.database->close());
    queue.database.reset();
    {
        SqliteConnection db(
            {queue.directory / "queue.db", "", SqlitePageSize::kib4}, SqliteRole::writer);
        db.execute("PRAGMA user_version = 999");
    }

    const auto opened = QueueDatabase::open(
        settings_in(queue.directory.path()),
        {queue.test.lane, queue.runner, queue.runner, queue.runner, queue.files, Log()},
        {});

    REQUIRE(!opened);
    CHECK(opened.error().code == Error::newer_schema);
    CHECK(contains(opened.error().text, "schema version 999"));
    CHECK(contains(opened.error().text, "newer mailflow"));
}

TEST_CASE("A file that is no database is refused in words", "[storage][queue]") {
    const TempDirectory directory;
    std::ofstream(directory / "queue.db") << std::string(8192, 'x');
    TestLane test;
    FoldedRunner runner(test.context);
    PosixFiles files;

    const auto opened = QueueDatabase::open(
        settings_in(directory.path()), {test.lane, runner, runner, runner, files, Log()}, {});

    REQUIRE(!opened);
    CHECK(opened.error().code == Error::corrupt);
    CHECK(contains(opened.error().text, "queue.db"));
}

TEST_CASE("A schema step that does not set its version is a broken program", "[storage][queue]") {
    Opened db;
    const std::array steps{SchemaStep{"CREATE TABLE t(a)"}};

    CHECK_THROWS_AS(migrate(db.writer, "test.db", steps), std::logic_error);
    CHECK(db.writer.number("SELECT count(*) FROM sqlite_master") == 0);
}

TEST_CASE("Steps are applied once, and only those that are missing", "[storage][queue]") {
    Opened db;
    const std::array first{SchemaStep{"CREATE TABLE a(x); PRAGMA user_version = 1;"}};
    const std::array both{first[0], SchemaStep{"CREATE TABLE b(x); PRAGMA user_version = 2;"}};

    CHECK(!migrate(db.writer, "test.db", first));
    CHECK(!migrate(db.writer, "test.db", both));
    CHECK(!migrate(db.writer, "test.db", both));

    CHECK(db.writer.number("PRAGMA user_version") == 2);
    CHECK(db.writer.number("SELECT count(*) FROM sqlite_master") == 2);
}

TEST_CASE("A damaged row is left out and logged, the others are read", "[storage][queue]") {
    FoldedQueue queue;
    for (const std::uint64_t id : {1, 2, 3}) {
        CHECK(!queue.commit(id));
    }
    queue.test.run(queue.database->close());
    queue.database.reset();
    {
        SqliteConnection db(
            {queue.directory / "queue.db", "", SqlitePageSize::kib4}, SqliteRole::writer);
        db.execute("UPDATE message SET packed = x'01ffff' WHERE id = 2");
    }
    queue.open();

    const auto ready = queue.run(queue.store().ready_after(QueueId{}, 10)).value();

    CHECK(ready.size() == 2);
    CHECK(queue.log.count("damaged message row") == 1);
}

// ---- plans

TEST_CASE("Refill queries walk the partial indexes, never the tables", "[storage][queue]") {
    Opened db;
    REQUIRE(!migrate(db.writer, "queue.db", kQueueSchema));

    const auto ready = plan_of(
        db.writer,
        "SELECT id, held, packed FROM message INDEXED BY message_open "
        "WHERE open > 0 AND ready > 0 AND id > ?1 ORDER BY id");
    CHECK(contains(ready, "SEARCH message USING INDEX message_open (id>?)"));
    CHECK(!contains(ready, "TEMP B-TREE"));

    const auto due = plan_of(
        db.writer,
        "SELECT message FROM recipient INDEXED BY recipient_due "
        "WHERE next_hop = ?1 AND state = 1 AND due <= ?2 ORDER BY due, message");
    CHECK(contains(due, "USING INDEX recipient_due (next_hop=? AND due<?)"));
    CHECK(!contains(due, "TEMP B-TREE"));

    const auto earliest = plan_of(
        db.writer,
        "SELECT due FROM recipient INDEXED BY recipient_due WHERE next_hop = 5 AND state = 1 ORDER "
        "BY due LIMIT 1");
    CHECK(contains(earliest, "recipient_due (next_hop=?)"));
    CHECK(!contains(earliest, "TEMP B-TREE"));

    const auto listed =
        plan_of(db.writer, "SELECT key FROM next_hop WHERE key > ?1 AND deferred > 0 ORDER BY key");
    CHECK(contains(listed, "SEARCH next_hop USING INDEX sqlite_autoindex_next_hop_1 (key>?)"));
    CHECK(!contains(listed, "TEMP B-TREE"));
}

TEST_CASE("There are no other indexes to keep up", "[storage][queue]") {
    Opened db;
    REQUIRE(!migrate(db.writer, "queue.db", kQueueSchema));

    CHECK(
        db.writer.number(
            "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL") == 2);
}

// ---- packed columns

TEST_CASE(
    "A packed message cut short or lengthened is corrupt at every octet", "[storage][queue]") {
    const auto packed = pack_message(make_submission(1).message);
    QueuedMessage whole;
    REQUIRE(unpack_message(packed, whole));

    for (std::size_t size = 0; size < packed.size(); ++size) {
        QueuedMessage message;
        CAPTURE(size);
        CHECK(
            unpack_message(std::string_view(packed).substr(0, size), message).error() ==
            Error::corrupt);
    }
    QueuedMessage longer;
    CHECK(unpack_message(packed + "x", longer).error() == Error::corrupt);
}

TEST_CASE("Packed recipients and outcomes come back, damaged ones do not", "[storage][queue]") {
    auto recipient = make_recipient(0, "user@[IPv6:2001:db8::1]");
    recipient.target = RecipientTarget::mailbox;
    recipient.mailbox = "user";

    const auto back = unpack_recipient(pack_recipient(recipient)).value();
    CHECK(back.address == recipient.address);
    CHECK(back.target == RecipientTarget::mailbox);
    CHECK(back.mailbox == "user");
    CHECK(unpack_status(pack_status(busy_status())).value() == busy_status());
    CHECK(unpack_recipient("\x01\x07").error() == Error::corrupt);
    CHECK(unpack_status("").error() == Error::corrupt);
    CHECK(
        unpack_status(std::string("\x04") + pack_status(busy_status()).substr(1)).error() ==
        Error::corrupt);
}

TEST_CASE("A null reverse path and an IPv6 client are packed as such", "[storage][queue]") {
    auto message = make_submission(1).message;
    message.envelope.reverse_path = ReversePath();
    message.origin.client = IpAddress::parse("2001:db8::7").value();
    message.accepted = UtcTime(Duration(-5));

    QueuedMessage back;
    REQUIRE(unpack_message(pack_message(message), back));

    CHECK(back.envelope.reverse_path.is_null());
    CHECK(back.origin.client == message.origin.client);
    CHECK(back.accepted == message.accepted);
}

}  // namespace mailflow

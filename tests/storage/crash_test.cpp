// Ends without goodbye. A child process is killed while it commits; and for each row of the state
// table (docs/queue-states.md) the files are copied at that instant and a new start looks at them.
#include "tests/storage/queue_fixture.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

namespace mailflow {

namespace {

const std::string kContoso = "dns|contoso.com|Internet";
constexpr std::uint64_t kRowLimit = 1024;

QueueDatabaseSettings small_rows() {
    QueueDatabaseSettings settings;
    settings.row_body_limit = kRowLimit;
    return settings;
}

// ---- killed while committing

std::string body_of(std::uint64_t id) {
    // Every fourth one is large: in a spool file.
    return std::string(id % 4 == 0 ? 3000 : 200, static_cast<char>('a' + id % 26));
}

Task<void> commit_one(QueueDatabase& database, std::uint64_t id, int acknowledge) {
    auto writer = co_await database.bodies().create(QueueId{id});
    if (!writer || !(*writer)->write(body_of(id))) {
        co_return;
    }
    auto body = co_await (*writer)->finish();
    if (!body) {
        co_return;
    }
    auto submission = make_submission(id);
    submission.message.content.body = body->ref;
    submission.message.body = body->bytes;
    const auto committed = co_await database.queue().commit(std::move(submission));
    if (committed) {
        const auto written = ::write(acknowledge, &id, sizeof id);
        static_cast<void>(written);
    }
}

Task<void> commit_forever(
    QueueDatabase& database, std::uint64_t first, std::uint64_t step, int acknowledge) {
    for (std::uint64_t id = first;; id += step) {
        co_await commit_one(database, id, acknowledge);
    }
}

// The child: never returns.
[[noreturn]] void commit_until_killed(
    const std::string& folder, std::uint64_t first, int acknowledge) {
    auto settings = settings_in(folder);
    settings.row_body_limit = kRowLimit;
    ThreadedQueue queue(settings);
    constexpr std::uint64_t kWaiters = 8;
    for (std::uint64_t i = 0; i < kWaiters; ++i) {
        queue.lane.spawn(
            "commit", commit_forever(*queue.database, first + i, kWaiters, acknowledge));
    }
    queue.context.run();
    ::_exit(1);
}

// Lets a child commit until it has acknowledged `count` messages, kills it, and returns all that it
// acknowledged.
std::vector<std::uint64_t> acknowledged_before_kill(
    const std::string& folder, std::uint64_t first, std::size_t count) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(pipe[0]);
        commit_until_killed(folder, first, pipe[1]);
    }
    ::close(pipe[1]);
    std::vector<std::uint64_t> ids;
    std::uint64_t id = 0;
    while (::read(pipe[0], &id, sizeof id) == static_cast<ssize_t>(sizeof id)) {
        ids.push_back(id);
        if (ids.size() == count) {
            ::kill(child, SIGKILL);
        }
    }
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    return ids;
}

std::string read_body(FoldedQueue& queue, QueueId id, const BodyRef& ref) {
    const auto reader = queue.run(queue.bodies().open(id, ref)).value();
    std::string all;
    for (;;) {
        const auto piece = queue.run(reader->next()).value();
        if (piece.empty()) {
            return all;
        }
        all += piece;
    }
}

// ---- the files as they are at this instant

// What a process that ends now leaves behind, opened by a new one.
struct Restarted : FoldedQueue {
    explicit Restarted(const std::string& before)
        : FoldedQueue(small_rows()) {
        test.run(database->close());
        database.reset();
        std::filesystem::remove_all(directory.path());
        std::filesystem::create_directory(directory.path());
        std::filesystem::copy(before, directory.path(), std::filesystem::copy_options::recursive);
        std::filesystem::remove(directory / "queue.db-shm");
        open();
    }
};

StoredBody large_body(FoldedQueue& queue, std::uint64_t id) {
    const auto writer = queue.run(queue.bodies().create(QueueId{id})).value();
    writer->write(std::string(5000, 'x')).value();
    return queue.run(writer->finish()).value();
}

void commit_large(
    FoldedQueue& queue, std::uint64_t id, const std::vector<std::string>& recipients) {
    const auto body = large_body(queue, id);
    auto submission = make_submission(id, recipients);
    submission.message.content.body = body.ref;
    submission.message.body = body.bytes;
    queue.run(queue.store().commit(std::move(submission))).value();
}

QueuedMessage found(FoldedQueue& queue, std::uint64_t id) {
    return queue.run(queue.store().find(QueueId{id})).value().value();
}

std::size_t ready(FoldedQueue& queue) {
    return queue.run(queue.store().ready_after(QueueId{}, 99)).value().size();
}

std::size_t unreported(FoldedQueue& queue) {
    return queue.run(queue.store().unreported_after(QueueId{}, 99)).value().size();
}

}  // namespace

TEST_CASE(
    "Attack case 36: every acknowledged message is whole after kill -9, again and again",
    "[storage][crash]") {
    const TempDirectory directory;
    std::vector<std::uint64_t> acknowledged;
    std::uint64_t first = 1;

    for (const std::size_t count : {1U, 3U, 17U, 40U, 97U, 150U}) {
        const auto ids = acknowledged_before_kill(directory.path(), first, count);
        CHECK(ids.size() >= count);
        acknowledged.insert(acknowledged.end(), ids.begin(), ids.end());
        first = *std::max_element(acknowledged.begin(), acknowledged.end()) + 100;
    }

    FoldedQueue queue(small_rows());
    queue.test.run(queue.database->close());
    queue.database.reset();
    std::filesystem::remove_all(queue.directory.path());
    std::filesystem::copy(
        directory.path(), queue.directory.path(), std::filesystem::copy_options::recursive);
    queue.open();
    for (const auto id : acknowledged) {
        const auto message = queue.run(queue.store().find(QueueId{id})).value();
        REQUIRE(message.has_value());
        CHECK(message->recipients.size() == 1);
        CHECK(read_body(queue, QueueId{id}, message->content.body) == body_of(id));
    }
    // What was not acknowledged is whole or absent.
    const auto all =
        queue.run(queue.store().messages_after(QueueId{}, QueueId{~std::uint64_t{0}}, 1000))
            .value();
    CHECK(all.size() >= acknowledged.size());
    for (const auto& message : all) {
        CHECK(read_body(queue, message.id, message.content.body) == body_of(message.id.value));
    }
    CHECK(queue.run(queue.store().totals()).value().messages == all.size());
}

TEST_CASE("State receiving: a partial body is swept, nothing is queued", "[storage][crash]") {
    FoldedQueue before(small_rows());
    const auto writer = before.run(before.bodies().create(QueueId{7})).value();
    writer->write(std::string(5000, 'x')).value();
    REQUIRE(spool_files(before.directory.path()).size() == 1);

    Restarted after(before.directory.path());

    CHECK(spool_files(after.directory.path()).empty());
    CHECK(after.run(after.store().totals()).value().messages == 0);
}

TEST_CASE("State receiving: a whole body that was not committed is swept", "[storage][crash]") {
    FoldedQueue before(small_rows());
    const auto body = large_body(before, 7);
    REQUIRE(body.ref.file != 0);

    Restarted after(before.directory.path());

    CHECK(spool_files(after.directory.path()).empty());
    CHECK(!after.run(after.store().find(QueueId{7})).value().has_value());
}

TEST_CASE("State accepted: the message is ready, its body whole", "[storage][crash]") {
    FoldedQueue before(small_rows());
    commit_large(before, 7, {"a@contoso.com", "b@contoso.com"});
    CHECK(!before.commit(8));

    Restarted after(before.directory.path());

    CHECK(ready(after) == 2);
    CHECK(found(after, 7).recipients.size() == 2);
    CHECK(read_body(after, QueueId{7}, found(after, 7).content.body) == std::string(5000, 'x'));
    CHECK(
        read_body(after, QueueId{8}, found(after, 8).content.body) ==
        *make_submission(8).message.body);
}

TEST_CASE(
    "State delivering: a mark that was not flushed is forgotten, the message is not",
    "[storage][crash]") {
    FoldedQueue before(small_rows());
    commit_large(before, 7, {"a@contoso.com"});
    before.store().record({change_to(7, RecipientState::delivered), RetireMessage{QueueId{7}}});

    Restarted after(before.directory.path());

    CHECK(ready(after) == 1);
    CHECK(read_body(after, QueueId{7}, found(after, 7).content.body) == std::string(5000, 'x'));
}

TEST_CASE(
    "State deferred: due times, outcomes and the queue's failures are kept", "[storage][crash]") {
    FoldedQueue before(small_rows());
    commit_large(before, 7, {"a@contoso.com", "b@contoso.com"});
    before.store().record(
        {change_to(7, RecipientState::delivered, 0),
         defer(7, kContoso, after_minutes(15), 1),
         failing_hop(kContoso, 3, after_minutes(20))});
    before.run(before.store().flush()).value();

    Restarted after(before.directory.path());

    CHECK(ready(after) == 0);
    CHECK(found(after, 7).recipients[0].state == RecipientState::delivered);
    CHECK(found(after, 7).recipients[1].due == after_minutes(15));
    CHECK(found(after, 7).recipients[1].last == busy_status());
    CHECK(after.run(after.store().due_hops(after_minutes(19), 9)).value().empty());
    const auto due = after.run(after.store().due_hops(after_minutes(20), 9)).value();
    REQUIRE(due.size() == 1);
    CHECK(due[0].attempts == 3);
    CHECK(due[0].deferred == 1);
    CHECK(after.run(after.store().totals()).value().deferred_recipients == 1);
}

TEST_CASE("State held: it stays until it is released", "[storage][crash]") {
    FoldedQueue before(small_rows());
    commit_large(before, 7, {"a@contoso.com"});
    before.store().record({HoldMessage{QueueId{7}, true}});
    before.run(before.store().flush()).value();

    Restarted after(before.directory.path());

    CHECK(found(after, 7).held);
    CHECK(ready(after) == 0);
    CHECK(after.run(after.store().totals()).value().held_messages == 1);
    after.store().record({HoldMessage{QueueId{7}, false}});
    CHECK(ready(after) == 1);
}

TEST_CASE(
    "State finished, DSN pending: it is found until the report is committed, then never",
    "[storage][crash]") {
    FoldedQueue before(small_rows());
    commit_large(before, 7, {"a@contoso.com"});
    before.store().record({change_to(7, RecipientState::failed)});
    before.run(before.store().flush()).value();

    Restarted after(before.directory.path());
    CHECK(unreported(after) == 1);
    after.run(after.store().commit_report(make_submission(8), {QueueId{7}, {0}})).value();
    Restarted later(after.directory.path());

    CHECK(unreported(later) == 0);
    CHECK(found(later, 7).recipients[0].reported);
    CHECK(found(later, 8).recipients.size() == 1);
}

TEST_CASE(
    "State finished, DSN pending: a report whose commit failed leaves it pending",
    "[storage][crash]") {
    FoldedQueue before(small_rows());
    commit_large(before, 7, {"a@contoso.com"});
    before.store().record({change_to(7, RecipientState::failed)});
    before.run(before.store().flush()).value();
    before.faults.fail_all(DiskOperation::write, DiskFault::disk_full);
    CHECK(
        before.run(before.store().commit_report(make_submission(8), {QueueId{7}, {0}})).error() ==
        Error::disk_full);

    Restarted after(before.directory.path());

    CHECK(unreported(after) == 1);
    CHECK(!after.run(after.store().find(QueueId{8})).value().has_value());
}

TEST_CASE("State retired: a body that was not removed yet is swept", "[storage][crash]") {
    FoldedQueue before(small_rows());
    commit_large(before, 7, {"a@contoso.com"});
    const auto spool = Spool(before.files, before.directory / "spool", Log()).path_of(7);
    const auto aside = before.directory / "aside";
    std::filesystem::copy(spool, aside);
    before.store().record({change_to(7, RecipientState::delivered), RetireMessage{QueueId{7}}});
    before.run(before.store().flush()).value();
    before.test.poll();
    REQUIRE(spool_files(before.directory.path()).empty());
    std::filesystem::rename(aside, spool);

    Restarted after(before.directory.path());

    CHECK(spool_files(after.directory.path()).empty());
    CHECK(after.run(after.store().totals()).value().messages == 0);
}

}  // namespace mailflow

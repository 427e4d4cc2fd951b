// Group commit: how many syncs, in what order, what happens when the disk fails.
#include "tests/storage/queue_fixture.hpp"

#include <catch2/catch.hpp>

#include <future>

namespace mailflow {

namespace {

const std::string kContoso = "dns|contoso.com|Internet";

Task<void> commit_into(QueueStore& store, std::uint64_t id, std::vector<ErrorCode>& errors) {
    auto submission = make_submission(id);
    const auto result = co_await store.commit(std::move(submission));
    errors.push_back(result ? ErrorCode() : result.error());
}

// As many commits at once, from one lane.
std::vector<ErrorCode> commit_many(FoldedQueue& queue, std::uint64_t from, std::uint64_t count) {
    std::vector<ErrorCode> errors;
    for (std::uint64_t id = from; id < from + count; ++id) {
        queue.test.lane.spawn("commit", commit_into(queue.store(), id, errors));
    }
    queue.test.poll();
    return errors;
}

std::size_t failed(const std::vector<ErrorCode>& errors) {
    return static_cast<std::size_t>(
        std::count_if(errors.begin(), errors.end(), [](const auto& error) { return bool(error); }));
}

std::uint64_t messages(FoldedQueue& queue) {
    return queue.run(queue.store().totals()).value().messages;
}

std::string octets(std::size_t size) {
    return std::string(size, 'x');
}

Submission large_submission(std::uint64_t id, std::size_t size) {
    return make_submission(id, {"bob@contoso.com"}, octets(size));
}

}  // namespace

// ---- groups

TEST_CASE("Commits that wait at the same time share one sync", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    const auto syncs = queue.faults.count(DiskOperation::sync);
    const auto groups = queue.database->stats().groups;

    const auto errors = commit_many(queue, 100, 50);

    CHECK(errors.size() == 50);
    CHECK(failed(errors) == 0);
    CHECK(queue.database->stats().groups == groups + 1);
    CHECK(queue.faults.count(DiskOperation::sync) == syncs + 1);
    CHECK(messages(queue) == 51);
}

TEST_CASE("A group holds no more than its limit of items", "[storage][commit]") {
    FoldedQueue queue;
    const auto groups = queue.database->stats().groups;

    const auto errors = commit_many(queue, 1, 2 * kGroupItemLimit + 1);

    CHECK(failed(errors) == 0);
    CHECK(queue.database->stats().groups == groups + 3);
}

TEST_CASE("A group holds about no more than its limit of octets", "[storage][commit]") {
    FoldedQueue queue;
    std::vector<ErrorCode> errors;
    const auto groups = queue.database->stats().groups;

    for (std::uint64_t id = 1; id <= 3; ++id) {
        auto commit = [](QueueStore& store,
                         Submission submission,
                         std::vector<ErrorCode>& into) -> Task<void> {
            const auto result = co_await store.commit(std::move(submission));
            into.push_back(result ? ErrorCode() : result.error());
        };
        queue.test.lane.spawn(
            "commit", commit(queue.store(), large_submission(id, 5U << 20U), errors));
    }
    queue.test.poll();

    CHECK(errors.size() == 3);
    CHECK(queue.database->stats().groups == groups + 2);
}

TEST_CASE("One bad item fails alone, its group is committed", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(105));

    const auto errors = commit_many(queue, 100, 10);

    CHECK(failed(errors) == 1);
    CHECK(errors[5] == Error::already_exists);
    CHECK(messages(queue) == 10);
    CHECK(queue.run(queue.store().ready_after(QueueId{}, 99)).value().size() == 10);
}

TEST_CASE("A small body without its octets is not taken", "[storage][commit]") {
    FoldedQueue queue;
    auto submission = make_submission(1);
    submission.message.body.reset();

    CHECK(queue.run(queue.store().commit(std::move(submission))).error() == Error::corrupt);
    CHECK(messages(queue) == 0);
}

// ---- lazily

TEST_CASE(
    "Recorded changes are committed after fifty milliseconds at the latest", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    const auto groups = queue.database->stats().groups;

    queue.store().record({defer(1, kContoso, after_minutes(1))});
    queue.test.advance(Duration{49});
    CHECK(queue.database->stats().groups == groups);
    queue.test.advance(Duration{2});

    CHECK(queue.database->stats().groups == groups + 1);
}

TEST_CASE("Recorded changes ride with the next commit", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    const auto groups = queue.database->stats().groups;

    queue.store().record({change_to(1, RecipientState::delivered), RetireMessage{QueueId{1}}});
    CHECK(!queue.commit(2));
    queue.test.advance(Duration{100});

    CHECK(queue.database->stats().groups == groups + 1);
    CHECK(messages(queue) == 1);
}

TEST_CASE("A report's transaction holds what was recorded before it", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    const auto groups = queue.database->stats().groups;

    queue.store().record({change_to(1, RecipientState::failed)});
    queue.run(queue.store().commit_report(make_submission(2), {QueueId{1}, {0}})).value();

    CHECK(queue.database->stats().groups == groups + 1);
    CHECK(queue.run(queue.store().find(QueueId{1})).value()->recipients[0].reported);
}

TEST_CASE("A full group of recorded changes does not wait", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    const auto groups = queue.database->stats().groups;

    for (std::size_t i = 0; i < kGroupItemLimit; ++i) {
        queue.store().record({defer(1, kContoso, after_minutes(static_cast<int>(i)))});
    }
    queue.test.poll();

    CHECK(queue.database->stats().groups == groups + 1);
}

TEST_CASE("Closing commits what was recorded", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    queue.store().record({defer(1, kContoso, after_minutes(1))});

    queue.reopen();

    CHECK(queue.run(queue.store().totals()).value().deferred_recipients == 1);
    CHECK(queue.database->stats().wal_bytes == 0);
}

TEST_CASE("A held message's running attempt ends without a next one", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    queue.store().record({HoldMessage{QueueId{1}, true}});

    queue.store().record({defer(1, kContoso, after_minutes(1))});

    const auto found = queue.run(queue.store().find(QueueId{1})).value();
    CHECK(found->recipients[0].state == RecipientState::held);
    CHECK(found->recipients[0].attempts == 1);
    CHECK(queue.run(queue.store().totals()).value().deferred_recipients == 0);
}

TEST_CASE("A late command does not move a recipient that is done", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    queue.store().record({change_to(1, RecipientState::delivered)});

    queue.store().record({defer(1, kContoso, after_minutes(1))});

    CHECK(
        queue.run(queue.store().find(QueueId{1})).value()->recipients[0].state ==
        RecipientState::delivered);
    CHECK(queue.run(queue.store().totals()).value().deferred_recipients == 0);
}

TEST_CASE("Making thousands due goes in bounded slices", "[storage][commit]") {
    FoldedQueue queue;
    std::vector<std::string> addresses;
    std::vector<QueueChange> changes;
    for (std::uint32_t i = 0; i < 2500; ++i) {
        addresses.push_back("u" + std::to_string(i) + "@contoso.com");
        const auto hop = "dns|d" + std::to_string(i % 3) + ".example|Internet";
        changes.emplace_back(defer(1, hop, after_minutes(60), i));
    }
    queue.run(queue.store().commit(make_submission(1, addresses))).value();
    queue.store().record(std::move(changes));
    queue.run(queue.store().flush()).value();
    const auto groups = queue.database->stats().groups;

    CHECK(queue.run(queue.store().make_due("", after_minutes(1))).value() == 2500);

    CHECK(queue.database->stats().groups >= groups + 3);
    CHECK(queue.run(queue.store().due_hops(after_minutes(1), 9)).value().size() == 3);
}

// ---- the log

TEST_CASE("The log is moved into the file when the store is idle", "[storage][commit]") {
    FoldedQueue queue;
    for (std::uint64_t id = 1; id <= 3; ++id) {
        queue.run(queue.store().commit(large_submission(id, 2U << 20U))).value();
    }
    REQUIRE(queue.database->stats().wal_bytes > kIdleCheckpointBytes);
    CHECK(queue.database->stats().checkpoints == 0);

    queue.test.advance(Duration{10});

    CHECK(queue.database->stats().checkpoints == 1);
    CHECK(queue.database->stats().wal_bytes == 0);
    CHECK(!queue.test.lane.next_deadline().has_value());
}

TEST_CASE("A small log is left alone", "[storage][commit]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));

    queue.test.advance(Duration{1000});

    CHECK(queue.database->stats().checkpoints == 0);
}

TEST_CASE("A log of 64 MiB is moved whether idle or not", "[storage][commit]") {
    FoldedQueue queue;

    for (std::uint64_t id = 1; id <= 10; ++id) {
        queue.run(queue.store().commit(large_submission(id, 7U << 20U))).value();
    }

    CHECK(queue.database->stats().checkpoints >= 1);
    CHECK(
        std::filesystem::file_size(queue.directory / "queue.db-wal") <
        kForcedCheckpointBytes + (10U << 20U));
}

TEST_CASE("Pages that stay free are given back to the disk", "[storage][commit]") {
    FoldedQueue queue;
    for (std::uint64_t id = 1; id <= 6; ++id) {
        queue.run(queue.store().commit(large_submission(id, 6U << 20U))).value();
    }
    queue.test.advance(Duration{10});
    const auto full = std::filesystem::file_size(queue.directory / "queue.db");

    for (std::uint64_t id = 1; id <= 6; ++id) {
        queue.store().record({RetireMessage{QueueId{id}}});
    }
    queue.run(queue.store().commit(large_submission(7, 5U << 20U))).value();
    queue.test.advance(Duration{5000});

    CHECK(full > (36U << 20U));
    CHECK(std::filesystem::file_size(queue.directory / "queue.db") < full / 2 + (8U << 20U));
    CHECK(!queue.test.lane.next_deadline().has_value());
}

// ---- a disk that fails

TEST_CASE("A failed sync fails its waiters and everything after", "[storage][commit][vfs]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    queue.faults.fail(DiskOperation::sync, 1, DiskFault::io_error);

    const auto errors = commit_many(queue, 10, 5);

    CHECK(errors == std::vector<ErrorCode>(5, make_error_code(Error::store_failed)));
    CHECK(queue.failures.size() == 1);
    CHECK(queue.failures[0].find("sync of") != std::string::npos);
    CHECK(queue.failures[0].find("queue.db-wal") != std::string::npos);
    // The fault happened once; asking again must not say that all is well.
    CHECK(queue.commit(20) == Error::store_failed);
    CHECK(queue.run(queue.store().flush()).error() == Error::store_failed);
    CHECK(queue.run(queue.store().totals()).error() == Error::store_failed);
    CHECK(queue.failures.size() == 1);
    CHECK(!queue.database->stats().failure.empty());
}

TEST_CASE("A failed write fails its waiters and everything after", "[storage][commit][vfs]") {
    FoldedQueue queue;
    queue.faults.fail(DiskOperation::write, 2, DiskFault::io_error);

    CHECK(queue.commit(1) == Error::store_failed);
    CHECK(queue.commit(2) == Error::store_failed);
    CHECK(queue.failures.size() == 1);
}

TEST_CASE("After a failed sync a start finds what was acknowledged", "[storage][commit][vfs]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    queue.faults.fail(DiskOperation::sync, 1, DiskFault::io_error);
    CHECK(queue.commit(2) == Error::store_failed);

    queue.reopen();

    CHECK(queue.run(queue.store().find(QueueId{1})).value().has_value());
    CHECK(!queue.commit(3));
}

TEST_CASE("A failed sync of a checkpoint stops the store", "[storage][commit][vfs]") {
    FoldedQueue queue;
    for (std::uint64_t id = 1; id <= 3; ++id) {
        queue.run(queue.store().commit(large_submission(id, 2U << 20U))).value();
    }
    queue.faults.fail_all(DiskOperation::sync, DiskFault::io_error);

    queue.test.advance(Duration{10});

    CHECK(queue.failures.size() == 1);
    queue.faults.heal();
    CHECK(queue.commit(9) == Error::store_failed);
}

TEST_CASE("A full disk refuses and serves on when there is room again", "[storage][commit][vfs]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    queue.faults.fail_all(DiskOperation::write, DiskFault::disk_full);

    CHECK(queue.commit(2) == Error::disk_full);
    queue.faults.heal();

    CHECK(!queue.commit(3));
    CHECK(queue.failures.empty());
    CHECK(messages(queue) == 2);
}

TEST_CASE(
    "Changes recorded while the disk is full are written when there is room",
    "[storage][commit][vfs]") {
    FoldedQueue queue;
    CHECK(!queue.commit(1));
    queue.faults.fail_all(DiskOperation::write, DiskFault::disk_full);
    queue.store().record({defer(1, kContoso, after_minutes(1))});
    queue.test.advance(Duration{3000});
    CHECK(queue.run(queue.store().totals()).error() == Error::disk_full);

    queue.faults.heal();
    queue.test.advance(Duration{2000});

    CHECK(queue.failures.empty());
    CHECK(queue.run(queue.store().totals()).value().deferred_recipients == 1);
}

TEST_CASE(
    "A store whose every write or sync fails in turn never acknowledges falsely",
    "[storage][commit][vfs]") {
    for (const auto operation : {DiskOperation::write, DiskOperation::sync}) {
        for (std::uint64_t step = 1; step <= 12; ++step) {
            CAPTURE(step);
            FoldedQueue queue;
            queue.faults.fail(operation, step, DiskFault::io_error);
            std::vector<std::uint64_t> acknowledged;
            for (std::uint64_t id = 1; id <= 4; ++id) {
                if (!queue.commit(id)) {
                    acknowledged.push_back(id);
                }
            }
            queue.faults.heal();

            queue.reopen();

            for (const auto id : acknowledged) {
                CHECK(queue.run(queue.store().find(QueueId{id})).value().has_value());
            }
        }
    }
}

// ---- planted bugs

#ifdef MAILFLOW_MUTANTS

TEST_CASE("The mutant sync-left-out commits without a sync", "[storage][commit]") {
    QueueDatabaseSettings settings;
    settings.mutants.sync_left_out = true;
    FoldedQueue queue(settings);
    CHECK(!queue.commit(1));  // begins a new log, whose head is synced in any case
    const auto syncs = queue.faults.count(DiskOperation::sync);

    CHECK(!queue.commit(2));

    CHECK(queue.faults.count(DiskOperation::sync) == syncs);
}

TEST_CASE("The mutant reply-before-commit says yes to what fails", "[storage][commit]") {
    QueueDatabaseSettings settings;
    settings.mutants.reply_before_commit = true;
    FoldedQueue queue(settings);
    queue.faults.fail(DiskOperation::sync, 1, DiskFault::io_error);

    CHECK(!queue.commit(1));
    CHECK(queue.failures.size() == 1);
}

#endif

// ---- on threads

TEST_CASE("Waiters on a lane are woken by a writer on its own thread", "[storage][commit]") {
    const TempDirectory directory;
    FaultPlan faults;
    ThreadedQueue queue(settings_in(directory.path(), &faults));
    const auto before = faults.count(DiskOperation::sync);
    constexpr std::uint64_t kMessages = 400;
    std::vector<ErrorCode> errors;
    // The writer is busy until all of them wait: how they share syncs is then up to it alone.
    std::promise<void> all_wait;
    queue.writer.post([&all_wait] { all_wait.get_future().wait(); });

    for (std::uint64_t id = 1; id <= kMessages; ++id) {
        queue.lane.spawn("commit", commit_into(queue.database->queue(), id, errors));
    }
    queue.context.poll();
    all_wait.set_value();
    while (errors.size() < kMessages) {
        queue.context.run_one();
    }

    CHECK(failed(errors) == 0);
    CHECK(faults.count(DiskOperation::sync) - before < kMessages / 4);
    const auto totals = run_task(queue.context, queue.database->queue().totals()).value();
    CHECK(totals.messages == kMessages);
}

}  // namespace mailflow

// The large body of a message with copies: a file for each of them, all or none of them.
#include "tests/storage/queue_fixture.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

QueueDatabaseSettings small_rows() {
    QueueDatabaseSettings settings;
    settings.row_body_limit = 1000;
    return settings;
}

// Message 7 with copies 8 and 9, its body in a file.
Submission with_copies(FoldedQueue& queue) {
    auto writer = queue.run(queue.bodies().create(QueueId{7})).value();
    writer->write(std::string(5000, 'x')).value();
    const auto body = queue.run(writer->finish()).value();
    auto submission = make_submission(7);
    submission.message.content.body = body.ref;
    submission.message.body.reset();
    for (const std::uint64_t id : {8U, 9U}) {
        auto copy = submission.message;
        copy.id = QueueId{id};
        copy.content.body.file = id;
        submission.copies.push_back(std::move(copy));
    }
    return submission;
}

std::size_t size_of_body(FoldedQueue& queue, const QueuedMessage& message) {
    const auto reader = queue.run(queue.bodies().open(message.id, message.content.body)).value();
    std::size_t size = 0;
    for (;;) {
        const auto piece = queue.run(reader->next()).value();
        if (piece.empty()) {
            return size;
        }
        size += piece.size();
    }
}

}  // namespace

TEST_CASE("Each copy keeps the body when the others are done", "[storage][body][copies]") {
    FoldedQueue queue(small_rows());
    const auto given = with_copies(queue);

    queue.run(queue.store().commit(given)).value();
    CHECK(spool_files(queue.directory.path()).size() == 3);
    queue.store().record({RetireMessage{QueueId{7}}, RetireMessage{QueueId{9}}});
    queue.run(queue.store().flush()).value();
    queue.test.poll();

    CHECK(spool_files(queue.directory.path()) == std::vector<std::string>{QueueId{8}.text()});
    CHECK(size_of_body(queue, given.copies[0]) == 5000);
}

TEST_CASE("A commit that fails leaves no files of copies", "[storage][body][copies]") {
    FoldedQueue queue(small_rows());
    queue.run(queue.store().commit(make_submission(9))).value();
    const auto given = with_copies(queue);

    CHECK(queue.run(queue.store().commit(given)).error() == Error::already_exists);
    queue.test.poll();

    CHECK(spool_files(queue.directory.path()) == std::vector<std::string>{QueueId{7}.text()});
}

}  // namespace mailflow

// Bodies in rows and spool files: checksums, the memory they may take, what is left after a crash.
#include "tests/storage/queue_fixture.hpp"

#include <catch2/catch.hpp>

#include <fstream>

namespace mailflow {

namespace {

constexpr std::uint64_t kRowLimit = 1024;

QueueDatabaseSettings small_rows() {
    QueueDatabaseSettings settings;
    settings.row_body_limit = kRowLimit;
    return settings;
}

StoredBody write_body(FoldedQueue& queue, std::uint64_t id, const std::string& bytes) {
    const auto writer = queue.run(queue.bodies().create(QueueId{id})).value();
    writer->write(bytes).value();
    return queue.run(writer->finish()).value();
}

void commit_body(FoldedQueue& queue, std::uint64_t id, const StoredBody& body) {
    auto submission = make_submission(id);
    submission.message.content.body = body.ref;
    submission.message.body = body.bytes;
    queue.run(queue.store().commit(std::move(submission))).value();
}

// Reads all of it; the error that ended the reading.
ErrorCode read_all(FoldedQueue& queue, std::uint64_t id, const BodyRef& ref, std::string& into) {
    auto reader = queue.run(queue.bodies().open(QueueId{id}, ref));
    if (!reader) {
        return reader.error();
    }
    for (;;) {
        const auto piece = queue.run((*reader)->next());
        if (!piece) {
            return piece.error();
        }
        if (piece->empty()) {
            return {};
        }
        into += *piece;
    }
}

std::string path_of(FoldedQueue& queue, std::uint64_t id) {
    return Spool(queue.files, queue.directory / "spool", Log()).path_of(id);
}

Task<void> create_into(
    BodyStore& bodies, std::uint64_t id, std::vector<std::unique_ptr<BodyWriter>>& writers) {
    auto writer = co_await bodies.create(QueueId{id});
    writers.push_back(std::move(writer).value());
}

}  // namespace

TEST_CASE("A large body is one spool file, there before the commit", "[storage][body]") {
    FoldedQueue queue(small_rows());

    const auto body = write_body(queue, 7, std::string(5000, 'x'));

    CHECK(body.ref.file == 7);
    CHECK(spool_files(queue.directory.path()) == std::vector<std::string>{QueueId{7}.text()});
    CHECK(std::filesystem::file_size(path_of(queue, 7)) == 5000);
}

TEST_CASE("Spool files spread over their folders by time", "[storage][body]") {
    PosixFiles files;
    const Spool spool(files, "/spool", Log());
    const auto id = QueueId::earliest_at(kTestTime);

    CHECK(
        spool.folder_of(id.value) !=
        spool.folder_of(QueueId::earliest_at(kTestTime + Duration{1}).value));
    CHECK(spool.path_of(id.value) == spool.folder_of(id.value) + "/" + id.text());
}

TEST_CASE(
    "A damaged spool file is corrupt, and its last piece is not handed out", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const std::string bytes(200'000, 'x');
    const auto body = write_body(queue, 7, bytes);
    {
        std::fstream file(path_of(queue, 7), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(10);
        file << 'y';
    }

    std::string got;
    const auto error = read_all(queue, 7, body.ref, got);

    CHECK(error == Error::corrupt);
    CHECK(got.size() < bytes.size());
}

TEST_CASE("A spool file cut short is corrupt", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto body = write_body(queue, 7, std::string(5000, 'x'));
    std::filesystem::resize_file(path_of(queue, 7), 4999);

    std::string got;
    CHECK(read_all(queue, 7, body.ref, got) == Error::corrupt);
}

TEST_CASE("A damaged row is corrupt", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto body = write_body(queue, 7, std::string(500, 'x'));
    commit_body(queue, 7, body);
    auto wrong = body.ref;
    wrong.checksum[15] ^= 1U;

    std::string got;
    CHECK(read_all(queue, 7, wrong, got) == Error::corrupt);
    CHECK(got.empty());
}

TEST_CASE("A spool file goes after the sync that retires its message", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto body = write_body(queue, 7, std::string(5000, 'x'));
    commit_body(queue, 7, body);

    queue.store().record({change_to(7, RecipientState::delivered), RetireMessage{QueueId{7}}});
    queue.test.poll();
    CHECK(spool_files(queue.directory.path()).size() == 1);
    queue.run(queue.store().flush()).value();
    queue.test.poll();

    CHECK(spool_files(queue.directory.path()).empty());
}

TEST_CASE("A spool file stays when the retire was not synced", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto body = write_body(queue, 7, std::string(5000, 'x'));
    commit_body(queue, 7, body);
    queue.faults.fail(DiskOperation::sync, 1, DiskFault::io_error);

    queue.store().record({change_to(7, RecipientState::delivered), RetireMessage{QueueId{7}}});
    CHECK(queue.run(queue.store().flush()).error() == Error::store_failed);
    queue.test.poll();

    CHECK(spool_files(queue.directory.path()).size() == 1);
}

TEST_CASE("A retired row takes its octets along", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto body = write_body(queue, 7, std::string(500, 'x'));
    commit_body(queue, 7, body);

    queue.store().record({RetireMessage{QueueId{7}}});
    queue.run(queue.store().flush()).value();

    std::string got;
    CHECK(read_all(queue, 7, body.ref, got) == Error::not_found);
}

TEST_CASE("A writer that is dropped leaves nothing", "[storage][body]") {
    FoldedQueue queue(small_rows());
    {
        const auto writer = queue.run(queue.bodies().create(QueueId{7})).value();
        writer->write(std::string(5000, 'x')).value();
        CHECK(spool_files(queue.directory.path()).size() == 1);
    }
    queue.test.poll();

    CHECK(spool_files(queue.directory.path()).empty());
    CHECK(queue.database->stats().uncommitted_bytes == 0);
}

TEST_CASE("A discarded body leaves nothing", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto body = write_body(queue, 7, std::string(5000, 'x'));

    queue.bodies().discard(QueueId{7}, body.ref);
    queue.test.poll();

    CHECK(spool_files(queue.directory.path()).empty());
}

TEST_CASE("A start sweeps the spool files that no message refers to", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto kept = write_body(queue, 7, std::string(5000, 'x'));
    commit_body(queue, 7, kept);
    const auto orphan = write_body(queue, 8, std::string(5000, 'y'));
    REQUIRE(orphan.ref.file == 8);
    std::ofstream(queue.directory / "spool/00/README") << "not ours";

    queue.reopen();

    std::string got;
    CHECK(!read_all(queue, 7, kept.ref, got));
    CHECK(got == std::string(5000, 'x'));
    CHECK(
        spool_files(queue.directory.path()) ==
        std::vector<std::string>{QueueId{7}.text(), "README"});
    CHECK(queue.log.count("orphan spool file removed") == 1);
}

TEST_CASE(
    "A body whose file name is taken fails and says so at finish as well", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const auto first = write_body(queue, 7, std::string(5000, 'x'));
    REQUIRE(first.ref.file == 7);

    const auto writer = queue.run(queue.bodies().create(QueueId{7})).value();
    CHECK(writer->write(std::string(5000, 'y')).error() == Error::already_exists);
    CHECK(queue.run(writer->finish()).error() == Error::already_exists);

    CHECK(spool_files(queue.directory.path()).size() == 1);
    CHECK(queue.failures.empty());
}

TEST_CASE("A want of descriptors fails one body and not the store", "[storage][body]") {
    FoldedQueue queue(small_rows());
    const ErrorCode shortage =
        boost::system::errc::make_error_code(boost::system::errc::too_many_files_open);

    queue.disk.create_error = shortage;
    const auto first = queue.run(queue.bodies().create(QueueId{7})).value();
    CHECK(first->write(std::string(5000, 'x')).error() == shortage);
    queue.disk.create_error = {};
    queue.disk.sync_directory_error = shortage;
    {
        const auto second = queue.run(queue.bodies().create(QueueId{8})).value();
        second->write(std::string(5000, 'x')).value();
        CHECK(queue.run(second->finish()).error() == shortage);
    }
    queue.disk.sync_directory_error = {};

    CHECK(queue.failures.empty());
    commit_body(queue, 9, write_body(queue, 9, std::string(5000, 'x')));
    CHECK(spool_files(queue.directory.path()) == std::vector<std::string>{QueueId{9}.text()});
}

TEST_CASE("A failed sync of a body is told: the store takes nothing more", "[storage][body]") {
    FoldedQueue queue(small_rows());

    queue.disk.sync_error = boost::system::errc::make_error_code(boost::system::errc::io_error);
    {
        const auto writer = queue.run(queue.bodies().create(QueueId{7})).value();
        writer->write(std::string(5000, 'x')).value();
        CHECK(queue.run(writer->finish()).error() == Error::store_failed);
    }
    queue.test.poll();

    REQUIRE(queue.failures.size() == 1);
    CHECK(queue.failures[0].find(QueueId{7}.text()) != std::string::npos);
    CHECK(spool_files(queue.directory.path()).empty());
}

// ---- memory

TEST_CASE("Memory of bodies counts until their commit", "[storage][body]") {
    FoldedQueue queue(small_rows());

    const auto body = write_body(queue, 7, std::string(500, 'x'));
    CHECK(queue.database->stats().uncommitted_bytes == 500);
    commit_body(queue, 7, body);

    CHECK(queue.database->stats().uncommitted_bytes == 0);
    CHECK(*body.bytes == std::string(500, 'x'));
}

TEST_CASE("A body that is dropped before its commit counts no longer", "[storage][body]") {
    FoldedQueue queue(small_rows());

    {
        const auto body = write_body(queue, 7, std::string(500, 'x'));
        CHECK(queue.database->stats().uncommitted_bytes == 500);
    }

    CHECK(queue.database->stats().uncommitted_bytes == 0);
}

TEST_CASE("Writers over the memory limit wait, first come first served", "[storage][body]") {
    auto settings = small_rows();
    settings.uncommitted_body_limit = 2 * kRowLimit;
    FoldedQueue queue(settings);
    std::vector<std::unique_ptr<BodyWriter>> writers;

    for (std::uint64_t id = 1; id <= 4; ++id) {
        queue.test.lane.spawn("create", create_into(queue.bodies(), id, writers));
    }
    queue.test.poll();
    CHECK(writers.size() == 2);
    CHECK(queue.database->stats().uncommitted_bytes == 2 * kRowLimit);

    writers.erase(writers.begin());
    queue.test.poll();
    CHECK(writers.size() == 2);
    writers.clear();
    queue.test.poll();
    CHECK(writers.size() == 1);
    writers.clear();

    CHECK(queue.database->stats().uncommitted_bytes == 0);
}

TEST_CASE("A body whose share of the memory cannot grow goes on in a file", "[storage][body]") {
    QueueDatabaseSettings settings;
    settings.row_body_limit = 8 * kFirstShare;
    settings.uncommitted_body_limit = 4 * kFirstShare;
    FoldedQueue queue(settings);
    const std::string bytes(6 * kFirstShare, 'g');
    const auto writer = queue.run(queue.bodies().create(QueueId{7})).value();

    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
        writer->write(std::string_view(bytes).substr(at, 1000)).value();
        CHECK(queue.database->stats().uncommitted_bytes <= settings.uncommitted_body_limit);
    }
    const auto body = queue.run(writer->finish()).value();

    CHECK(body.ref.file == 7);
    std::string got;
    CHECK(!read_all(queue, 7, body.ref, got));
    CHECK(got == bytes);
}

TEST_CASE("A slow writer takes little of the memory", "[storage][body]") {
    FoldedQueue queue;

    const auto writer = queue.run(queue.bodies().create(QueueId{7})).value();
    CHECK(queue.database->stats().uncommitted_bytes == kFirstShare);
    writer->write(std::string(kFirstShare + 1, 'x')).value();

    CHECK(queue.database->stats().uncommitted_bytes == 2 * kFirstShare);
}

TEST_CASE("A body over the memory limit by itself is taken when it is alone", "[storage][body]") {
    auto settings = small_rows();
    settings.uncommitted_body_limit = 10;
    FoldedQueue queue(settings);

    const auto body = write_body(queue, 7, std::string(500, 'x'));

    CHECK(body.ref.length == 500);
}

TEST_CASE("A row's octets are read in pieces as well", "[storage][body]") {
    QueueDatabaseSettings settings;
    settings.row_body_limit = 1U << 20U;
    FoldedQueue queue(settings);
    const std::string bytes(300'000, 'z');
    const auto body = write_body(queue, 7, bytes);
    CHECK(body.ref.file == 0);
    commit_body(queue, 7, body);

    std::string got;
    CHECK(!read_all(queue, 7, body.ref, got));
    CHECK(got == bytes);
}

TEST_CASE("A body read from memory comes in pieces", "[storage][body]") {
    TestLane test;
    const auto reader = make_memory_reader(std::make_shared<const std::string>(100'000, 'm'));

    CHECK(test.run(reader->next()).value().size() == 65'536);
    CHECK(test.run(reader->next()).value().size() == 100'000 - 65'536);
    CHECK(test.run(reader->next()).value().empty());
}

}  // namespace mailflow

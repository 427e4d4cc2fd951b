// What every BodyStore promises, run against each implementation.
#include "tests/storage/queue_fixture.hpp"
#include "tests/support/memory_bodies.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

struct MemoryImplementation {
    TestLane test;
    MemoryBodies memory{1024};

    [[nodiscard]] BodyStore& bodies() { return memory; }

    template <class T>
    T run(Task<T> task) {
        return test.run(std::move(task));
    }

    // Nothing else to do: the octets are where `finish` put them.
    void commit(QueueId /*id*/, const StoredBody& /*body*/) {}
};

QueueDatabaseSettings small_rows() {
    QueueDatabaseSettings settings;
    settings.row_body_limit = 1024;
    return settings;
}

struct SqliteImplementation : FoldedQueue {
    SqliteImplementation()
        : FoldedQueue(small_rows()) {}

    void commit(QueueId id, const StoredBody& body) {
        auto submission = make_submission(id.value);
        submission.message.content.body = body.ref;
        submission.message.body = body.bytes;
        run(store().commit(std::move(submission))).value();
    }
};

std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<char>((i * 31 + i / 251) & 0xff);
    }
    return bytes;
}

template <class Implementation>
StoredBody store_body(
    Implementation& store, QueueId id, const std::string& bytes, std::size_t piece) {
    const auto writer = store.run(store.bodies().create(id)).value();
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        CHECK(writer->write(std::string_view(bytes).substr(at, piece)));
    }
    CHECK(writer->size() == bytes.size());
    return store.run(writer->finish()).value();
}

template <class Implementation>
std::string read_body(Implementation& store, QueueId id, const BodyRef& ref) {
    const auto reader = store.run(store.bodies().open(id, ref)).value();
    std::string all;
    for (;;) {
        const auto piece = store.run(reader->next()).value();
        if (piece.empty()) {
            return all;
        }
        CHECK(piece.size() <= 64 * 1024);
        all += piece;
    }
}

}  // namespace

#define BODY_TEST(name) \
    TEMPLATE_TEST_CASE( \
        "BodyStore: " name, "[conformance][body]", MemoryImplementation, SqliteImplementation)

BODY_TEST("bodies of any size come back as they were written") {
    TestType store;
    std::uint64_t id = 0;

    for (const std::size_t size : {0U, 1U, 1023U, 1024U, 1025U, 65'536U, 65'537U, 300'000U}) {
        CAPTURE(size);
        const auto bytes = pattern(size);
        const auto body = store_body(store, QueueId{++id}, bytes, 700);
        CHECK(body.ref.length == size);
        store.commit(QueueId{id}, body);

        CHECK(read_body(store, QueueId{id}, body.ref) == bytes);
    }
}

BODY_TEST("a small body's octets come back from finish, a large one's do not") {
    TestType store;

    const auto small = store_body(store, QueueId{1}, pattern(100), 100);
    const auto large = store_body(store, QueueId{2}, pattern(5000), 5000);

    REQUIRE(small.bytes != nullptr);
    CHECK(*small.bytes == pattern(100));
    CHECK(small.ref.file == 0);
    CHECK(large.bytes == nullptr);
    CHECK(large.ref.file != 0);
}

BODY_TEST("several bodies are written at the same time") {
    TestType store;
    const auto first = store.run(store.bodies().create(QueueId{1})).value();
    const auto second = store.run(store.bodies().create(QueueId{2})).value();

    for (int i = 0; i < 40; ++i) {
        CHECK(first->write(std::string(100, 'a')));
        CHECK(second->write(std::string(100, 'b')));
    }
    const auto a = store.run(first->finish()).value();
    const auto b = store.run(second->finish()).value();
    store.commit(QueueId{1}, a);
    store.commit(QueueId{2}, b);

    CHECK(read_body(store, QueueId{1}, a.ref) == std::string(4000, 'a'));
    CHECK(read_body(store, QueueId{2}, b.ref) == std::string(4000, 'b'));
}

BODY_TEST("a body that is not there cannot be read") {
    TestType store;
    BodyRef ref = ref_of("never stored");

    const auto opened = store.run(store.bodies().open(QueueId{77}, ref));
    const auto failed = opened ? store.run((*opened)->next()).error() : opened.error();

    CHECK(failed == Error::not_found);
}

}  // namespace mailflow

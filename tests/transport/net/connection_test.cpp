#include "transport/net/connection.hpp"

#include "tests/support/memory_stream.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

// Lines as `text`, `text<LF>` when bare, `<too long>`, and the error that ended it as `<message>`.
Task<void> collect_lines(
    Connection* connection, std::size_t limit, std::vector<std::string>* into) {
    for (;;) {
        const auto line = co_await connection->read_line(limit);
        if (line) {
            into->push_back(std::string(*line) + (connection->last_line_was_bare() ? "<LF>" : ""));
        } else if (line.error() == Error::line_too_long) {
            into->push_back("<too long>");
        } else {
            into->push_back("<" + line.error().message() + ">");
            co_return;
        }
    }
}

std::string end_of_stream() {
    return "<" + make_error_code(Error::end_of_stream).message() + ">";
}

std::string timed_out() {
    return "<" + make_error_code(Error::timed_out).message() + ">";
}

std::string cancelled() {
    return "<" + make_error_code(Error::cancelled).message() + ">";
}

struct Fixture {
    TestLane test;
    MemoryPeer peer;
    Connection connection{test.lane, peer.stream()};
    std::vector<std::string> lines;

    void start(std::size_t limit = 20) {
        test.lane.spawn("lines", collect_lines(&connection, limit, &lines));
        test.poll();
    }
};

struct LineCase {
    std::string input;
    std::vector<std::string> lines;
};

std::vector<LineCase> line_cases() {
    const std::string exact(20, 'x');
    return {
        {"", {}},
        {"one\r\n", {"one"}},
        {"one\r\ntwo\r\n\r\nfour\r\n", {"one", "two", "", "four"}},
        {"bare\nnext\r\n", {"bare<LF>", "next"}},
        {"\n", {"<LF>"}},
        {"a\rb\r\n", {"a\rb"}},
        {"a\r\r\n", {"a\r"}},
        {"no end", {}},
        {exact + "\r\n", {exact}},
        {exact + "\n", {exact + "<LF>"}},
        {exact + "y\r\nok\r\n", {"<too long>", "ok"}},
        {exact + "y\nok\r\n", {"<too long>", "ok"}},
        {std::string(3000, 'z') + "\r\nok\r\n", {"<too long>", "ok"}},
        {std::string("nul\0in\r\n", 8), {std::string("nul\0in", 6)}},
    };
}

}  // namespace

TEST_CASE("lines are the same whole and cut at any octet", "[net][connection]") {
    for (const auto& one : line_cases()) {
        auto expected = one.lines;
        expected.push_back(end_of_stream());
        for (const std::size_t piece :
             {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
            CAPTURE(one.input, piece);
            Fixture fixture;
            if (piece > 0) {
                fixture.peer.limit_reads(piece);
            }
            fixture.peer.send(one.input);
            fixture.peer.end();
            fixture.start();
            CHECK(fixture.lines == expected);
        }
        Fixture fixture;  // each octet arrives on its own, with a wait before it
        fixture.start();
        for (const char octet : one.input) {
            fixture.peer.send(std::string_view(&octet, 1));
            fixture.test.poll();
        }
        fixture.peer.end();
        fixture.test.poll();
        CHECK(fixture.lines == expected);
    }
}

TEST_CASE("attack case 11: a line without end is dropped in bounded memory", "[net][connection]") {
    Fixture fixture;
    fixture.start();

    for (int i = 0; i < 100; ++i) {
        fixture.peer.send(std::string(100'000, 'x'));
        fixture.test.poll();
        REQUIRE(fixture.connection.buffered() <= 22);
    }
    fixture.peer.send("\r\nNOOP\r\n");
    fixture.test.poll();

    CHECK(fixture.lines == std::vector<std::string>{"<too long>", "NOOP"});
}

namespace {

struct TakeSome final : OctetSink {
    explicit TakeSome(std::size_t most)
        : limit(most) {}

    std::size_t take(std::string_view octets) override {
        const auto count = std::min(limit, octets.size());
        taken.append(octets.substr(0, count));
        return count;
    }

    std::size_t limit;
    std::string taken;
};

Task<std::string> body_then_line(Connection& connection, TakeSome& sink) {
    co_await connection.read_to(sink);
    const auto line = co_await connection.read_line(100);
    co_return std::string(*line);
}

Task<std::string> look_and_consume(Connection& connection) {
    const auto first = co_await connection.read_some();
    std::string seen(*first);
    connection.consume(2);
    const auto second = co_await connection.read_some();
    seen.append("|").append(*second);
    co_return seen;
}

}  // namespace

TEST_CASE("octets a sink leaves are read next", "[net][connection]") {
    Fixture fixture;
    TakeSome sink(4);
    fixture.peer.send("bodyQUIT\r\n");

    const auto line = fixture.test.run(body_then_line(fixture.connection, sink));

    CHECK(sink.taken == "body");
    CHECK(line == "QUIT");
}

TEST_CASE("read_some keeps what is not consumed", "[net][connection]") {
    Fixture fixture;
    fixture.peer.send("abcdef");

    const auto seen = fixture.test.run(look_and_consume(fixture.connection));

    CHECK(seen == "abcdef|cdef");
}

TEST_CASE("a deadline during a read closes the stream and ends the read", "[net][connection]") {
    Fixture fixture;
    fixture.connection.expires_after(10s);
    fixture.start();

    fixture.test.advance(9s);
    CHECK(fixture.lines.empty());
    fixture.test.advance(2s);

    CHECK(fixture.lines == std::vector<std::string>{timed_out()});
    CHECK(fixture.peer.is_closed());
    CHECK(fixture.peer.received().empty());
}

TEST_CASE("a deadline between two reads ends the next one", "[net][connection]") {
    Fixture fixture;
    fixture.connection.expires_after(10s);
    fixture.peer.send("one\r\n");
    fixture.test.advance(20s);

    fixture.start();

    CHECK(fixture.lines == std::vector<std::string>{timed_out()});
    CHECK(fixture.connection.is_expired());
}

TEST_CASE("last words are written before a deadline closes the stream", "[net][connection]") {
    Fixture fixture;
    fixture.connection.set_last_words("451 4.7.0 too late\r\n");
    fixture.connection.expires_after(10s);
    fixture.start();

    fixture.test.advance(11s);

    CHECK(fixture.peer.received() == "451 4.7.0 too late\r\n");
    CHECK(fixture.peer.is_send_ended());
    CHECK(fixture.lines == std::vector<std::string>{timed_out()});
}

namespace {

Task<void> write_all(Connection* connection, std::string bytes, ErrorCode* result) {
    *result = co_await connection->write(bytes);
}

}  // namespace

TEST_CASE("writing waits for room and goes on where it stopped", "[net][connection]") {
    Fixture fixture;
    ErrorCode result = Error::would_block;
    fixture.peer.set_room(3);
    fixture.test.lane.spawn("write", write_all(&fixture.connection, "abcdefgh", &result));

    fixture.test.poll();
    CHECK(fixture.peer.received() == "abc");
    fixture.peer.set_room(100);
    fixture.test.poll();

    CHECK(fixture.peer.received() == "defgh");
    CHECK_FALSE(result);
}

TEST_CASE("a reply that a deadline interrupts is not followed by last words", "[net][connection]") {
    Fixture fixture;
    ErrorCode result;
    fixture.connection.set_last_words("451 4.7.0 too late\r\n");
    fixture.connection.expires_after(10s);
    fixture.peer.set_room(3);
    fixture.test.lane.spawn("write", write_all(&fixture.connection, "abcdefgh", &result));
    fixture.test.poll();
    CHECK(fixture.peer.received() == "abc");

    fixture.test.advance(11s);

    CHECK(result == Error::timed_out);
    CHECK(fixture.peer.received().empty());
}

TEST_CASE(
    "close wakes a reader with cancelled, a reset with the system's error", "[net][connection]") {
    Fixture closed;
    closed.start();
    closed.connection.close();
    closed.test.poll();
    CHECK(closed.lines == std::vector<std::string>{cancelled()});

    Fixture broken;
    broken.start();
    broken.peer.break_off();
    broken.test.poll();
    REQUIRE(broken.lines.size() == 1);
    CHECK(broken.lines[0] != end_of_stream());
}

TEST_CASE("the reader of a half-closed stream can still write", "[net][connection]") {
    Fixture fixture;
    fixture.peer.send("last\r\n");
    fixture.peer.end();
    fixture.start();
    CHECK(fixture.lines == std::vector<std::string>{"last", end_of_stream()});

    std::string_view bytes = "250 got it\r\n";
    CHECK_FALSE(fixture.connection.try_write(bytes));

    CHECK(fixture.peer.received() == "250 got it\r\n");
}

namespace {

Task<void> finish(Connection* connection) {
    co_await connection->finish(2s);
}

}  // namespace

TEST_CASE("finishing drops input until the peer ends, and not for ever", "[net][connection]") {
    Fixture polite;
    polite.test.lane.spawn("finish", finish(&polite.connection));
    polite.peer.send("more\r\n");
    polite.test.poll();
    CHECK(polite.peer.is_send_ended());
    CHECK_FALSE(polite.peer.is_closed());
    polite.peer.end();
    polite.test.poll();
    CHECK(polite.peer.is_closed());

    Fixture stubborn;
    stubborn.test.lane.spawn("finish", finish(&stubborn.connection));
    stubborn.test.advance(3s);
    CHECK(stubborn.peer.is_closed());

    Fixture flooding;
    flooding.test.lane.spawn("finish", finish(&flooding.connection));
    flooding.peer.send(std::string(2'000'000, 'x'));
    flooding.test.poll();
    CHECK(flooding.peer.is_closed());
}

#include "transport/ports/outbound_header.hpp"

#include "tests/support/piece_reader.hpp"
#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace mailflow {

namespace {

std::string left(const std::string& text, std::size_t piece, HeaderRights rights) {
    asio::io_context context;
    auto opened =
        run_task(context, open_outbound(std::make_unique<PieceReader>(text, piece), rights));
    REQUIRE(opened.has_value());
    std::string read;
    for (;;) {
        const auto octets = run_task(context, opened->reader->next()).value();
        if (octets.empty()) break;
        CHECK(octets.size() <= 64 * 1024);
        read += octets;
    }
    CHECK(read.size() + opened->left_out == text.size());
    return read;
}

constexpr HeaderRights kOutside{true, false};
constexpr HeaderRights kNoRouting{false, false};
constexpr HeaderRights kInside{true, true};

}  // namespace

TEST_CASE("fields of the organization never leave, trace fields by right", "[ports][outbound]") {
    const std::string received = "Received: from a\r\n\tby b;\r\n Mon\r\n";
    const std::string own = "X-Mailflow-Trust: yes\r\n folded\r\n";
    const std::string resent = "Resent-From: a@b.c\r\n";
    const std::string subject = "Subject: Received: twice\r\n X-Mailflow-Not: a field\r\n";
    const std::string body = "\r\nReceived: quoted\r\nX-Mailflow-Trust: in the body\r\n";
    const auto text = received + own + "RECEIVED: x\r\n" + subject + resent + body;

    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        INFO("pieces of " << piece);
        CHECK(left(text, piece, kInside) == text);
        CHECK(
            left(text, piece, kOutside) == received + "RECEIVED: x\r\n" + subject + resent + body);
        CHECK(left(text, piece, kNoRouting) == subject + body);
    }
}

TEST_CASE("what is no header of ours passes as it is", "[ports][outbound]") {
    const auto text = GENERATE(
        as<std::string>{},
        "",
        "\r\n",
        "\r\nX-Mailflow-A: body\r\n",
        "Subject: no end of the header",
        "Receive",
        "Receivedx: 1\r\nX-Mailflo: 2\r\nResent: 3\r\n\r\n",
        " begins with a blank\r\nSubject: x\r\n\r\n",
        "no colon at all\r\nX: y\r\n\r\n",
        std::string(200, 'n') + ": long name\r\n\r\nbody",
        "Subject: " + std::string(200000, 's') + "\r\n\r\n" + std::string(100000, 'b'));

    CHECK(left(text, 1, kNoRouting) == text);
    CHECK(left(text, 7, kNoRouting) == text);
    CHECK(left(text, 65536, kNoRouting) == text);
}

TEST_CASE("a header may be nothing but what stays here", "[ports][outbound]") {
    CHECK(left("X-Mailflow-A", 3, kOutside).empty());
    CHECK(left("X-Mailflow-A: 1\r\n", 3, kOutside).empty());
    CHECK(left("x-mailflow-a : 1\r\n\r\n", 3, kOutside) == "\r\n");
}

TEST_CASE("a body that cannot be read is told, in header and body", "[ports][outbound]") {
    asio::io_context context;
    const auto open = [&](const std::string& text) {
        auto pieces = std::make_unique<PieceReader>(text, 10, make_error_code(Error::corrupt));
        return run_task(context, open_outbound(std::move(pieces), kOutside));
    };

    const auto header = open("Subject: x\r\n");
    const auto body = open("Subject: x\r\n\r\nbody");

    CHECK(header.error() == Error::corrupt);
    REQUIRE(body.has_value());
    Result<std::string_view> last = std::string_view("x");
    while (last && !last->empty()) {
        last = run_task(context, body->reader->next());
    }
    CHECK(last.error() == Error::corrupt);
}

}  // namespace mailflow

#include "server/http/https_answer_reader.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace mailflow {

namespace {

struct Outcome {
    bool done = false;
    HttpsAnswer answer;
    ErrorCode error;
};

Outcome read(std::string_view octets, std::size_t piece, bool ends) {
    HttpsAnswerReader reader(100);
    Outcome outcome;
    while (!octets.empty() && !reader.is_done()) {
        const auto fed = reader.feed(octets.substr(0, piece));
        if (!fed) {
            outcome.error = fed.error();
            return outcome;
        }
        octets.remove_prefix(std::min(piece, octets.size()));
    }
    if (ends && !reader.is_done()) {
        if (const auto ended = reader.end(); !ended) {
            outcome.error = ended.error();
            return outcome;
        }
    }
    outcome.done = reader.is_done();
    if (outcome.done) {
        outcome.answer = reader.take();
    }
    return outcome;
}

}  // namespace

TEST_CASE("an answer is the same however it is cut", "[http]") {
    struct Case {
        std::string octets;
        unsigned status;
        std::string type;
        std::string body;
    };

    const auto one = GENERATE(values<Case>({
        {"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: "
         "3\r\n\r\nabc",
         200,
         "text/plain",
         "abc"},
        {"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
         "4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\nTrailer: x\r\n\r\n",
         200,
         "text/plain",
         "abcdef"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", ""},
        {"HTTP/1.1 301 Moved\r\nLocation: https://b.com/\r\nContent-Length: 0\r\n\r\n",
         301,
         "",
         ""},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx and more",
         200,
         "",
         "x"},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "", "until the end"},
    }));
    CAPTURE(one.octets);
    const std::size_t piece = GENERATE(1, 2, 7, 100000);

    const auto outcome = read(one.octets, piece, true);

    REQUIRE(outcome.done);
    CHECK(outcome.answer.status == one.status);
    CHECK(outcome.answer.content_type == one.type);
    CHECK(outcome.answer.body == one.body);
}

TEST_CASE("what is no answer, or too much of one", "[http]") {
    struct Case {
        std::string octets;
        Error error;
    };

    const auto one = GENERATE(values<Case>({
        {"220 mail.contoso.com ESMTP\r\n\r\n", Error::syntax},
        {"HTTP/2 200\r\n\r\n", Error::syntax},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Error::syntax},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Error::syntax},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", Error::syntax},
        {"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", Error::too_large},
        {"HTTP/1.1 200 OK\r\n\r\n" + std::string(101, 'x'), Error::too_large},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + std::string(255, 'x'),
         Error::too_large},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(20000, 'x'), Error::too_large},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Error::truncated},
        {"HTTP/1.1 200 OK\r\nContent-", Error::truncated},
        {"", Error::truncated},
        {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
         "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n",
         Error::syntax},
    }));
    CAPTURE(one.octets.substr(0, 80));
    const std::size_t piece = GENERATE(1, 100000);

    const auto outcome = read(one.octets, piece, true);

    CHECK(outcome.error == one.error);
}

}  // namespace mailflow

#include "transport/ports/content_reader.hpp"

#include "tests/support/piece_reader.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/seeded_random.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace mailflow {

namespace {

Result<std::string> read(const Content& content, std::unique_ptr<BodyReader> body) {
    asio::io_context context;
    const auto reader = make_content_reader(content, std::move(body));
    std::string text;
    for (;;) {
        const auto piece = run_task(context, reader->next());
        if (!piece) {
            return piece.error();
        }
        if (piece->empty()) {
            // Once ended, always ended.
            REQUIRE(run_task(context, reader->next()).value().empty());
            return text;
        }
        text += *piece;
    }
}

Result<std::string> read(const Content& content, const std::string& body, std::size_t piece) {
    return read(content, std::make_unique<PieceReader>(body, piece));
}

// From the last to the first, so that offsets stay right.
std::string edited(const Content& content, std::string body) {
    std::for_each(content.edits.rbegin(), content.edits.rend(), [&body](const auto& edit) {
        body.replace(edit.offset, edit.length, edit.text);
    });
    return content.prefix + body;
}

// Sorted and without overlap, now and then touching each other or the end.
std::vector<HeaderEdit> random_edits(SeededRandom& random, std::uint64_t size) {
    std::vector<HeaderEdit> edits;
    std::uint64_t at = random.below(4);
    while (at <= size && edits.size() < 8) {
        const auto length = std::min(random.below(7), size - at);
        edits.push_back({at, length, std::string(random.below(5), 'X')});
        at += length + random.below(6);
    }
    return edits;
}

}  // namespace

TEST_CASE("Content is the prefix, then the body with its edits", "[ports][content]") {
    const auto piece = GENERATE(1U, 2U, 5U, 1'000U);
    const std::string body = "Bcc: eve@b\r\nTo: bob\r\nSubject: x\r\n\r\nHello\r\n";
    Content content;
    content.prefix = "Received: by a\r\n";
    content.edits = {{0, 12, ""}, {19, 0, "@contoso.com"}, {21, 12, "Subject: y\r\nX: z\r\n"}};

    CHECK(
        read(content, body, piece).value() ==
        "Received: by a\r\nTo: bob@contoso.com\r\nSubject: y\r\nX: z\r\n\r\nHello\r\n");
}

TEST_CASE("Content without edits or prefix is the body", "[ports][content]") {
    CHECK(read({}, "Hello\r\n", 3).value() == "Hello\r\n");
    CHECK(read({}, "", 3).value().empty());
    Content only_prefix;
    only_prefix.prefix = "A: b\r\n";
    CHECK(read(only_prefix, "", 3).value() == "A: b\r\n");
    Content everything_left_out;
    everything_left_out.edits = {{0, 7, ""}};
    CHECK(read(everything_left_out, "Hello\r\n", 3).value().empty());
}

TEST_CASE("Pieces of a body are handed on, not copied", "[ports][content]") {
    const auto body = std::make_shared<const std::string>("Subject: x\r\n\r\nHello\r\n");
    Content content;
    content.edits = {{0, 12, ""}};
    asio::io_context context;
    const auto reader = make_content_reader(content, make_memory_reader(body));

    const auto piece = run_task(context, reader->next()).value();

    CHECK(piece.data() == body->data() + 12);
    CHECK(piece == "\r\nHello\r\n");
}

TEST_CASE("Any edits over pieces of any size give what replacing gives", "[ports][content]") {
    SeededRandom random(20);
    for (int round = 0; round < 2'000; ++round) {
        std::string body(random.below(40), ' ');
        for (auto& c : body) {
            c = static_cast<char>('a' + random.below(26));
        }
        Content content;
        content.body.length = body.size();
        content.prefix = std::string(random.below(3), 'P');
        content.edits = random_edits(random, body.size());

        const auto text = read(content, body, 1 + random.below(12)).value();

        REQUIRE(text == edited(content, body));
        REQUIRE(text.size() == content.size());
    }
}

TEST_CASE("Edits that do not fit the body are damage", "[ports][content]") {
    const auto edits = GENERATE(
        std::vector<HeaderEdit>{{8, 0, "x"}},
        std::vector<HeaderEdit>{{0, 8, ""}},
        std::vector<HeaderEdit>{{7, 1, "x"}},
        std::vector<HeaderEdit>{{3, 2, ""}, {4, 1, ""}},
        std::vector<HeaderEdit>{{3, 1, ""}, {2, 1, ""}},
        std::vector<HeaderEdit>{{3, ~std::uint64_t{0}, ""}, {2, 1, ""}});
    const auto piece = GENERATE(1U, 4U, 100U);
    Content content;
    content.edits = edits;

    CHECK(read(content, "Hello\r\n", piece).error() == Error::corrupt);
}

TEST_CASE("A body that cannot be read to its end is not taken for whole", "[ports][content]") {
    Content content;
    content.prefix = "A: b\r\n";
    content.edits = {{0, 2, ""}};

    const auto text =
        read(content, std::make_unique<PieceReader>("Hello\r\n", 3, ErrorCode(Error::timed_out)));

    CHECK(text.error() == Error::timed_out);
}

}  // namespace mailflow

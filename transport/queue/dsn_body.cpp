#include "transport/queue/dsn_body.hpp"

#include "transport/ports/content_reader.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::uint64_t kMaxShownHeader = 8 * 1024;
constexpr std::string_view kLineEnd = "\r\n";

// Octets of the text up to the end of the last header field, without the empty line.
std::uint64_t header_octets(const Content& content) {
    const auto size = content.header_size();
    return content.facts.header_size >= kLineEnd.size() ? size - kLineEnd.size() : size;
}

Task<Result<std::unique_ptr<BodyReader>>> open_original(
    BodyStore& bodies, const DsnOriginal& original) {
    const auto& message = *original.message;
    std::unique_ptr<BodyReader> body;
    if (message.body) {
        body = make_memory_reader(message.body);
    } else {
        auto opened = co_await bodies.open(message.id, original.content.body);
        if (!opened) {
            co_return opened.error();
        }
        body = std::move(*opened);
    }
    co_return make_content_reader(original.content, std::move(body));
}

Task<Result<>> copy_original(
    BodyStore& bodies, BodyWriter& writer, const DsnOriginal& original, bool whole) {
    auto octets = whole ? original.content.size() : header_octets(original.content);
    const auto content = co_await open_original(bodies, original);
    if (!content) {
        co_return content.error();
    }
    while (octets > 0) {
        auto piece = co_await (*content)->next();
        if (!piece) {
            co_return piece.error();
        }
        if (piece->empty()) {
            break;
        }
        const auto part = piece->substr(0, octets);
        if (const auto written = writer.write(part); !written) {
            co_return written.error();
        }
        octets -= part.size();
    }
    co_return Result<>();
}

}  // namespace

Task<Result<StoredBody>> write_dsn(
    BodyStore& bodies, QueueId id, DsnText text, DsnOriginal original, bool whole) {
    auto created = co_await bodies.create(id);
    if (!created) {
        co_return created.error();
    }
    auto& writer = **created;
    if (const auto written = writer.write(text.head); !written) {
        co_return written.error();
    }
    const auto copied = co_await copy_original(bodies, writer, original, whole);
    if (!copied && whole) {
        co_return copied.error();
    }
    if (const auto written = writer.write(text.tail); !written) {
        co_return written.error();
    }
    auto finished = co_await writer.finish();
    co_return finished;
}

Task<std::string> shown_header(BodyStore& bodies, DsnOriginal original) {
    const auto octets = header_octets(original.content);
    const auto wanted = std::min(octets, kMaxShownHeader);
    std::string header;
    const auto content = co_await open_original(bodies, original);
    while (content && header.size() < wanted) {
        auto piece = co_await (*content)->next();
        if (!piece || piece->empty()) {
            break;
        }
        header += piece->substr(0, wanted - header.size());
    }
    if (wanted < octets) {
        const auto last = header.rfind(kLineEnd);
        header.resize(last == std::string::npos ? 0 : last + kLineEnd.size());
        header += "[and more]\r\n";
    }
    co_return header;
}

}  // namespace mailflow

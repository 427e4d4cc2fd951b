// Replies of a peer: one verdict however they are cut, and never more kept than the caps say.
#include "transport/smtp/extensions.hpp"
#include "transport/smtp/limits.hpp"
#include "transport/smtp/reply_parser.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using mailflow::smtp::ReplyParser;

std::string read_all(std::string_view input, std::size_t piece) {
    std::string seen;
    ReplyParser parser;
    while (!input.empty()) {
        input.remove_prefix(parser.feed(input.substr(0, piece)));
        if (parser.state() == ReplyParser::State::failed) return seen + parser.failure();
        if (parser.state() == ReplyParser::State::complete) {
            const auto reply = parser.take();
            const auto peer = mailflow::smtp::parse_extensions(reply);
            if (reply.lines.size() > mailflow::smtp::kMaxPeerReplyLines) std::abort();
            seen += reply.one_line() + (peer.pipelining ? " P\n" : "\n");
        }
    }
    return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (read_all(input, std::max<std::size_t>(size, 1)) != read_all(input, 1)) std::abort();
    return 0;
}

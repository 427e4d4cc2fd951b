// A PROXY header from a balancer: bounded, never read past its end, the same however it is cut.
#include "server/receive/proxy_protocol.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace mailflow;
using State = ProxyHeaderParser::State;

struct Parsed {
    State state;
    std::size_t taken;
};

Parsed parse(std::string_view input, std::size_t piece) {
    ProxyHeaderParser parser;
    std::size_t taken = 0;
    while (parser.state() == State::incomplete && taken < input.size()) {
        const auto count = std::min({parser.wanted(), input.size() - taken, piece});
        if (count == 0 || taken + parser.wanted() > kMaxProxyHeader) std::abort();
        parser.feed(input.substr(taken, count));
        taken += count;
    }
    const auto& header = parser.header();
    if (parser.state() == State::complete &&
        header.source.has_value() != header.destination.has_value())
        std::abort();
    return {parser.state(), taken};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto whole = parse(input, size + 1);
    const auto octets = parse(input, 1);
    if (whole.state != octets.state) std::abort();
    if (whole.state == State::complete && whole.taken != octets.taken) std::abort();
    return 0;
}

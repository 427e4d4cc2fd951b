// DATA: one verdict however it is cut; what was accepted goes out and comes back the same.
#include "transport/smtp/data_decoder.hpp"
#include "transport/smtp/data_encoder.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace mailflow::smtp;

struct Decoded {
    std::string text;
    std::size_t taken = 0;
    bool complete = false;
    bool bare = false;
    bool long_line = false;

    friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decode(std::string_view wire, std::size_t piece, BareNewlines rule = BareNewlines::reject) {
    DataDecoder decoder(rule);
    Decoded result;
    while (result.taken < wire.size() && !decoder.is_complete()) {
        result.taken += decoder.feed(wire.substr(result.taken, piece), result.text);
    }
    result.complete = decoder.is_complete();
    result.bare = decoder.has_bare_newline();
    result.long_line = decoder.has_long_line();
    return result;
}

std::string encode(std::string_view text, std::size_t piece) {
    DataEncoder encoder;
    std::string wire;
    for (std::size_t at = 0; at < text.size(); at += piece)
        encoder.encode(text.substr(at, piece), wire);
    encoder.finish(wire);
    return wire;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto whole = decode(input, std::max<std::size_t>(size, 1));
    if (whole != decode(input, 1) || whole != decode(input, 3)) std::abort();

    // The end is the same with every rule; what is normalized has whole lines only.
    const auto lenient = decode(input, 2, BareNewlines::normalize);
    if (lenient != decode(input, std::max<std::size_t>(size, 1), BareNewlines::normalize) ||
        lenient.bare || lenient.complete != whole.complete || lenient.taken != whole.taken)
        std::abort();
    if (whole.complete && !whole.bare && lenient.text != whole.text) std::abort();

    const auto wire = encode(input, std::max<std::size_t>(size, 1));
    if (wire != encode(input, 1)) std::abort();
    const auto back = decode(wire, wire.size());
    if (!back.complete || back.bare || back.taken != wire.size()) std::abort();
    if (whole.complete && !whole.bare && decode(encode(whole.text, 7), 5).text != whole.text)
        std::abort();
    return 0;
}

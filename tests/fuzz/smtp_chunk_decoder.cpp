// BDAT: the first octet says body type and rule, the second how the rest is cut into chunks. What
// is kept is the same however it comes; clean text has whole lines.
#include "transport/smtp/chunk_decoder.hpp"
#include "transport/smtp/data_decoder.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace mailflow;
using namespace mailflow::smtp;

void require(bool holds) {
    if (!holds) std::abort();
}

struct Decoded {
    std::string text;
    bool bare = false;
    bool long_line = false;

    friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decode(
    std::string_view input,
    std::size_t chunk,
    std::size_t piece,
    BodyType body,
    BareNewlines rule) {
    ChunkDecoder decoder(body, rule);
    Decoded result;
    do {
        const auto size = std::min(chunk, input.size());
        decoder.begin(size, size == input.size());
        while (!decoder.is_chunk_complete()) {
            input.remove_prefix(decoder.feed(input.substr(0, piece), result.text));
        }
    } while (!decoder.is_complete());
    require(input.empty());
    decoder.finish(result.text);
    require(decoder.size() == result.text.size());
    result.bare = decoder.has_bare_newline();
    result.long_line = decoder.has_long_line();
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kHead = 2;
    if (size < kHead) return 0;
    const auto body = data[0] % 2 == 0 ? BodyType::eight_bit_mime : BodyType::binary_mime;
    const auto rule = data[0] % 4 < 2 ? BareNewlines::reject : BareNewlines::normalize;
    const std::size_t chunk = 1U + data[1];
    const std::string_view input(reinterpret_cast<const char*>(data) + kHead, size - kHead);

    const auto whole = decode(input, size, size, body, rule);
    require(whole == decode(input, chunk, 1, body, rule));
    require(whole == decode(input, chunk, 7, body, rule));
    if (body == BodyType::binary_mime || whole.bare) return 0;
    require(whole.text.empty() || whole.text.ends_with("\r\n"));
    if (rule == BareNewlines::reject) require(whole.text.starts_with(input));
    // Clean text stays as it is.
    const auto again = decode(whole.text, size, size, body, BareNewlines::reject);
    require(!again.bare && again.text == whole.text);
    return 0;
}

// xtext and the forms of internationalized addresses: what is decoded is clean, and comes back when
// it is written again.
#include "transport/mail/utf8.hpp"
#include "transport/mail/xtext.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace mailflow;

void require(bool holds) {
    if (!holds) std::abort();
}

void check_clean(std::string_view text) {
    require(utf8::is_valid(text));
    for (const char c : text) {
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto decoded = decode_xtext(text)) {
        check_clean(*decoded);
        require(decode_xtext(encode_xtext(*decoded)).value() == *decoded);
    }
    if (const auto decoded = decode_unitext(text)) {
        check_clean(*decoded);
        require(decode_unitext(encode_unitext(*decoded)).value() == *decoded);
        const auto ascii = encode_unitext_ascii(*decoded);
        require(utf8::is_ascii(ascii) && decode_unitext(ascii).value() == *decoded);
    }
    require(utf8::is_ascii(encode_xtext(text)));
    return 0;
}

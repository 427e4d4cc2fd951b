#include "transport/mail/encoded_word.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"
#include "transport/mail/utf8.hpp"

namespace mailflow {

namespace {

// RFC 2047 §2: 75 characters a word; 63 are left for base64 beside `=?utf-8?B?` and `?=`, and 60
// hold 45 whole octets.
constexpr std::size_t kOctetsPerWord = 45;

std::string without_stray_octets(std::string_view text) {
    std::string clean;
    while (!text.empty()) {
        const auto length = utf8::sequence_length(text);
        if (length == 0 || ascii::is_control(text.front())) {
            clean += '?';
            text.remove_prefix(1);
        } else {
            clean += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return clean;
}

}  // namespace

std::string encode_unstructured(std::string_view text) {
    const auto clean = without_stray_octets(text);
    if (utf8::is_ascii(clean)) {
        return clean;
    }
    std::string words;
    for (std::string_view rest = clean; !rest.empty();) {
        // RFC 2047 §5: no character is split between words.
        const auto piece = utf8::cut(rest, kOctetsPerWord);
        words += (words.empty() ? "=?utf-8?B?" : " =?utf-8?B?") + base64_encode(piece) + "?=";
        rest.remove_prefix(piece.size());
    }
    return words;
}

}  // namespace mailflow

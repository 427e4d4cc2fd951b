#include "transport/mail/utf8.hpp"

#include <cstring>

namespace mailflow::utf8 {

namespace {

unsigned octet(std::string_view text, std::size_t index) {
    return static_cast<unsigned char>(text[index]);
}

bool is_tail(std::string_view text, std::size_t index) {
    return index < text.size() && (octet(text, index) & 0xc0U) == 0x80;
}

struct Form {
    std::size_t length;
    unsigned lowest_second;
    unsigned highest_second;
};

// RFC 3629 §4: the first octet fixes the length and what the second may be.
Form form_of(unsigned first) {
    if (first < 0x80) {
        return {1, 0, 0};
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return {2, 0x80, 0xbf};
    }
    if (first >= 0xe0 && first <= 0xef) {
        return {3, first == 0xe0 ? 0xa0U : 0x80U, first == 0xed ? 0x9fU : 0xbfU};
    }
    if (first >= 0xf0 && first <= 0xf4) {
        return {4, first == 0xf0 ? 0x90U : 0x80U, first == 0xf4 ? 0x8fU : 0xbfU};
    }
    return {0, 0, 0};
}

}  // namespace

std::size_t sequence_length(std::string_view text) noexcept {
    if (text.empty()) {
        return 0;
    }
    const auto form = form_of(octet(text, 0));
    if (form.length < 2) {
        return form.length;
    }
    if (text.size() < form.length || octet(text, 1) < form.lowest_second ||
        octet(text, 1) > form.highest_second) {
        return 0;
    }
    for (std::size_t i = 2; i < form.length; ++i) {
        if (!is_tail(text, i)) {
            return 0;
        }
    }
    return form.length;
}

std::uint32_t code_point(std::string_view sequence) noexcept {
    const auto length = sequence_length(sequence);
    if (length < 2) {
        return sequence.empty() ? 0U : octet(sequence, 0);
    }
    std::uint32_t point = octet(sequence, 0) & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        point = point << 6U | (octet(sequence, i) & 0x3fU);
    }
    return point;
}

bool is_valid(std::string_view text) noexcept {
    while (!text.empty()) {
        const auto length = sequence_length(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

bool is_ascii(std::string_view text) noexcept {
    constexpr std::uint64_t kHighBits = 0x8080808080808080U;
    while (text.size() >= sizeof kHighBits) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), sizeof word);
        if ((word & kHighBits) != 0) {
            return false;
        }
        text.remove_prefix(sizeof word);
    }
    for (const char c : text) {
        if (static_cast<unsigned char>(c) > 0x7f) {
            return false;
        }
    }
    return true;
}

std::string_view cut(std::string_view text, std::size_t limit) noexcept {
    if (text.size() <= limit) {
        return text;
    }
    constexpr std::size_t kMostTails = 3;
    auto end = limit;
    for (std::size_t back = 0; back < kMostTails && end > 0 && is_tail(text, end); ++back) {
        --end;
    }
    return text.substr(0, end);
}

}  // namespace mailflow::utf8

#include "transport/mail/dsn_words.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow {

namespace {

bool is_reply(std::string_view text) {
    constexpr std::size_t kCode = 3;
    return text.size() > kCode && ascii::parse_number(text.substr(0, kCode)) &&
           (text[kCode] == ' ' || text[kCode] == '-');
}

std::string escaped(std::string_view sequence) {
    return fmt::format("\\x{{{:02X}}}", utf8::code_point(sequence));
}

}  // namespace

bool needs_smtputf8(const DsnInput& input) {
    return input.smtputf8 || input.from.needs_smtputf8() || input.to.needs_smtputf8();
}

std::string ascii_address(std::string_view address) {
    std::string text;
    while (!address.empty()) {
        const auto length = std::max<std::size_t>(1, utf8::sequence_length(address));
        const char c = address.front();
        const bool plain = c > 0x20 && c < 0x7f && c != '\\' && c != '+' && c != '=';
        text += plain ? std::string(1, c) : escaped(address.substr(0, length));
        address.remove_prefix(length);
    }
    return text;
}

std::string printable(std::string_view text) {
    std::string clean;
    while (!text.empty()) {
        const auto length = utf8::sequence_length(text);
        const char c = text.front();
        std::string piece(1, c);
        if (length > 1) {
            piece = escaped(text.substr(0, length));
        } else if (length == 0 || ascii::is_control(c)) {
            piece = "?";
        }
        if (clean.size() + piece.size() > kMaxReportedWords) {
            break;
        }
        clean += piece;
        text.remove_prefix(std::max<std::size_t>(1, length));
    }
    return clean;
}

EnhancedStatus status_of(const DsnRecipient& recipient) {
    if (recipient.status.status.is_given()) {
        return recipient.status.status;
    }
    switch (recipient.status.action) {
        case DeliveryAction::failed: return {5, 0, 0};
        case DeliveryAction::delayed: return {4, 0, 0};
        default: return {2, 0, 0};
    }
}

std::string reply_form(const DsnRecipient& recipient) {
    const auto& words = recipient.status.diagnostic;
    if (recipient.status.by_remote || is_reply(words)) {
        return printable(words);
    }
    const auto status = status_of(recipient);
    const auto* code = status.klass == 5 ? "550" : status.klass == 4 ? "450" : "250";
    const auto reply = fmt::format("{} {} {}", code, status.text(), words);
    return printable(ascii::trimmed(reply));
}

}  // namespace mailflow

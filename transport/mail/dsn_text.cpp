#include "transport/mail/dsn_text.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/mail/dsn_explanation.hpp"
#include "transport/mail/dsn_words.hpp"
#include "transport/mail/utf8.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::size_t kColumns = 78;       // RFC 5322 §2.1.1, recommended
constexpr std::size_t kLongestLine = 998;  // RFC 5322 §2.1.1, required
constexpr std::string_view kLineEnd = "\r\n";

std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

std::string_view take_word(std::string_view& line) {
    const auto start = std::min(line.find_first_not_of(' '), line.size());
    line.remove_prefix(start);
    const auto word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    return word;
}

// UTF-8 without controls: what else is in a text of the organization or a header is `?`.
std::string readable(std::string_view text) {
    std::string clean;
    while (!text.empty()) {
        const auto length = utf8::sequence_length(text);
        const char c = text.front();
        const bool is_kept = length > 0 && (!ascii::is_control(c) || c == '\t' || c == '\n');
        clean += is_kept ? text.substr(0, length) : c == '\r' ? std::string_view() : "?";
        text.remove_prefix(std::max<std::size_t>(1, length));
    }
    return clean;
}

// ---- for the one who reads first

std::string_view introduction(const DsnInput& input) {
    switch (input.reader) {
        case DsnReader::sender: break;
        case DsnReader::postmaster_copy:
            return "You get this copy as postmaster, because of its status code.\n\n"
                   "Delivery has failed to these recipients or groups:";
        case DsnReader::postmaster_no_sender:
            return "You get this as postmaster: a message that is itself a report or an automatic "
                   "answer could not be delivered, and nobody else can be told of it.\n\n"
                   "Delivery has failed to these recipients or groups:";
        case DsnReader::postmaster_unknown_sender:
            return "You get this as postmaster: a message could not be delivered, and its sender "
                   "does not exist here and cannot be told.\n\n"
                   "Delivery has failed to these recipients or groups:";
    }
    switch (input.kind) {
        case DsnKind::failed: break;
        case DsnKind::delayed:
            return "Delivery to these recipients or groups is delayed. There is nothing you need "
                   "to do: the server keeps trying.";
        case DsnKind::delivered:
            return "Your message has been delivered to these recipients or groups:";
        case DsnKind::relayed:
            return "Your message has been handed on for these recipients or groups. The server "
                   "that took it may not tell you when it is delivered:";
        case DsnKind::expanded:
            return "Your message has been handed on to the members of these groups. You will not "
                   "be told when each of them gets it:";
    }
    return "Delivery has failed to these recipients or groups:";
}

std::string about_delay(const DsnRecipient& recipient) {
    std::string text = "The message has not been delivered yet. ";
    if (recipient.status.status.is_given()) {
        text += std::string(explain_status(recipient.status).happened) + ' ';
    }
    return recipient.will_retry_until
               ? text + "It will be tried until " + to_rfc5322(*recipient.will_retry_until) + '.'
               : text;
}

std::string about(const DsnInput& input, const DsnRecipient& recipient) {
    if (!recipient.custom_text.empty()) {
        return readable(recipient.custom_text);
    }
    switch (input.kind) {
        case DsnKind::failed: break;
        case DsnKind::delayed: return about_delay(recipient);
        case DsnKind::delivered: return "Delivered to the mailbox.";
        case DsnKind::relayed: return "Handed to the mail server of the destination.";
        case DsnKind::expanded: return "Handed on to the members of the group.";
    }
    const auto explanation = explain_status(recipient.status);
    return std::string(explanation.happened) + ' ' + std::string(explanation.to_do);
}

std::string for_the_reader(const DsnInput& input) {
    auto text = wrapped(introduction(input)) + "\r\n";
    for (const auto& recipient : input.recipients) {
        const auto& address = recipient.original;
        text += readable(address.empty() ? recipient.address.text() : address) + "\r\n";
        text += wrapped(about(input, recipient)) + "\r\n";
    }
    return text;
}

// ---- for administrators

std::string about_server(const DsnRecipient& recipient) {
    if (!recipient.status.by_remote) {
        return wrapped('#' + reply_form(recipient) + " ##");
    }
    const auto& host = recipient.status.remote_mta;
    return (host.empty() ? std::string() : printable(host) + "\r\n") +
           wrapped("Remote Server returned '" + reply_form(recipient) + '\'');
}

std::string header_lines(std::string_view header) {
    std::string text;
    const auto clean = readable(header);
    std::string_view rest = clean;
    while (!rest.empty()) {
        text += take_line(rest);
        text += kLineEnd;
    }
    return text;
}

std::string for_administrators(const DsnInput& input) {
    std::string text = "Diagnostic information for administrators:\r\n\r\n";
    text += "Generating server: " + input.generating_server + "\r\n\r\n";
    for (const auto& recipient : input.recipients) {
        text += readable(recipient.address.text()) + "\r\n";
        text += about_server(recipient) + "\r\n";
    }
    if (!input.original_header.empty()) {
        text += "Original message headers:\r\n\r\n" + header_lines(input.original_header) + "\r\n";
    }
    return text;
}

bool has_long_line(std::string_view text) {
    while (!text.empty()) {
        if (take_line(text).size() > kLongestLine) {
            return true;
        }
    }
    return false;
}

bool must_encode(char c, bool is_last) noexcept {
    const bool is_blank = c == ' ' || c == '\t';
    return c == '=' || (is_blank ? is_last : c <= ' ' || c > '~');
}

}  // namespace

std::string wrapped(std::string_view text) {
    std::string lines;
    while (!text.empty()) {
        auto line = take_line(text);
        std::size_t column = 0;
        for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
            const auto width = columns_of(word);
            if (column > 0 && column + 1 + width > kColumns) {
                lines += kLineEnd;
                column = 0;
            }
            lines += column > 0 ? " " : "";
            lines += word;
            column += width + (column > 0 ? 1 : 0);
        }
        lines += kLineEnd;
    }
    return lines;
}

std::string quoted_printable(std::string_view text) {
    constexpr std::size_t kLine = 76;
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    while (!text.empty()) {
        const auto line = take_line(text);
        std::size_t column = 0;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const auto octet = static_cast<unsigned char>(line[i]);
            const bool in_hex = must_encode(line[i], i + 1 == line.size());
            const std::size_t width = in_hex ? 3 : 1;
            if (column + width > kLine - 1) {
                encoded += "=\r\n";
                column = 0;
            }
            if (in_hex) {
                encoded += {'=', kHex[octet >> 4U], kHex[octet & 0xfU]};
            } else {
                encoded += line[i];
            }
            column += width;
        }
        encoded += kLineEnd;
    }
    return encoded;
}

std::string dsn_text_part(const DsnInput& input) {
    auto text = for_the_reader(input);
    if (input.with_diagnostics) {
        text += for_administrators(input);
    }
    const std::string type = "Content-Type: text/plain; charset=utf-8\r\n";
    if (!utf8::is_ascii(text) && needs_smtputf8(input) && !has_long_line(text)) {
        return type + "Content-Transfer-Encoding: 8bit\r\n\r\n" + text;
    }
    if (!utf8::is_ascii(text) || has_long_line(text)) {
        return type + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" +
               quoted_printable(text);
    }
    return type + "\r\n" + text;
}

}  // namespace mailflow

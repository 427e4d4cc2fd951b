#include "transport/smtp/reply.hpp"

#include "transport/base/ascii.hpp"
#include "transport/smtp/limits.hpp"

#include <stdexcept>

namespace mailflow::smtp {

namespace {

// RFC 2034 §3: the class is the first digit of the basic code; 3yz and a reply without one have
// none.
bool status_applies(const Reply& reply) noexcept {
    return reply.status.is_given() && reply.status.klass == reply.code / 100;
}

// Control octets never reach the wire: a CR or LF would be a reply of its own.
void append_printable(std::string& out, std::string_view text) {
    for (const char c : text) {
        out += ascii::is_control(c) ? '?' : c;
    }
}

// Cuts before a UTF-8 sequence that would not be whole.
std::string_view fitting(std::string_view text, std::size_t room) noexcept {
    if (text.size() <= room) {
        return text;
    }
    while (room > 0 && (static_cast<unsigned char>(text[room]) & 0xc0U) == 0x80U) {
        --room;
    }
    return text.substr(0, room);
}

}  // namespace

void Reply::append_to(std::string& out) const {
    std::string_view rest = text;
    while (true) {
        const std::size_t end = rest.find('\n');
        const bool last = end == std::string_view::npos;
        const std::size_t start = out.size();
        out += std::to_string(code);
        out += last ? ' ' : '-';
        if (status_applies(*this)) {
            out += status.text();
            out += ' ';
        }
        // RFC 5321 §4.5.3.1.5: 512 octets with CRLF.
        const std::size_t room = kMaxReplyLine - 2 - (out.size() - start);
        append_printable(out, fitting(rest.substr(0, end), room));
        out += "\r\n";
        if (last) return;
        rest.remove_prefix(end + 1);
    }
}

std::string Reply::wire() const {
    std::string out;
    append_to(out);
    return out;
}

std::string Reply::one_line() const {
    std::string out = std::to_string(code);
    out += ' ';
    if (status_applies(*this)) {
        out += status.text();
        out += ' ';
    }
    for (const char c : text) {
        if (c == '\n') {
            out += "; ";
        } else {
            out += ascii::is_control(c) ? '?' : c;
        }
    }
    return out;
}

Reply make_reply(int code, std::string_view status, std::string_view text) {
    Reply reply{code, {}, std::string(text)};
    if (!status.empty()) {
        const auto parsed = EnhancedStatus::parse(status);
        if (!parsed)
            throw std::invalid_argument("malformed enhanced status: " + std::string(status));
        reply.status = *parsed;
    }
    return reply;
}

}  // namespace mailflow::smtp

#include "transport/deliver/maildir_format.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <fmt/format.h>

namespace mailflow {

namespace {

void append_escaped(char c, std::string& to) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    to += '%';
    to += kHex[byte >> 4U];
    to += kHex[byte & 15U];
}

}  // namespace

Result<std::string> maildir_folder(std::string_view mailbox) {
    if (mailbox.empty()) {
        return Error::syntax;
    }
    std::string folder;
    for (const char c : mailbox) {
        const bool leading_dot = c == '.' && folder.empty();
        if (c == '/' || c == '%' || ascii::is_control(c) || leading_dot) {
            append_escaped(c, folder);
        } else {
            folder += c;
        }
    }
    if (folder.size() > kMaxFileName) {
        return Error::too_large;
    }
    return folder;
}

std::string maildir_file_name(
    UtcTime accepted, QueueId id, std::uint32_t recipient, std::string_view host) {
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(accepted).time_since_epoch().count();
    auto name = fmt::format("{}.{}.{}.", seconds, id.text(), recipient);
    for (const char c : host) {
        // The Maildir page's rule for host names: `/` and `:` would be a path and the mark of
        // flags.
        name += c == '/' ? "\\057" : c == ':' ? "\\072" : std::string(1, c);
    }
    name.resize(std::min(name.size(), kMaxFileName));
    return name;
}

bool is_maildir_entry_of(std::string_view entry, std::string_view name) noexcept {
    // Readers rename to `name:2,FLAGS`; Dovecot puts `,S=size` before the colon.
    return entry.starts_with(name) &&
           (entry.size() == name.size() || entry[name.size()] == ':' || entry[name.size()] == ',');
}

void CrlfToLf::convert(std::string_view piece, std::string& to) {
    if (is_binary_) {
        to += piece;
        return;
    }
    to.reserve(to.size() + piece.size() + 1);
    while (!piece.empty()) {
        if (pending_cr_ && piece.front() != '\n') {
            to += '\r';
        }
        pending_cr_ = false;
        const auto cr = piece.find('\r');
        to += piece.substr(0, cr);
        if (cr == std::string_view::npos) {
            return;
        }
        pending_cr_ = true;
        piece.remove_prefix(cr + 1);
    }
}

void CrlfToLf::finish(std::string& to) {
    if (pending_cr_) {
        to += '\r';
        pending_cr_ = false;
    }
}

}  // namespace mailflow

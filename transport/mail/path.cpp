#include "transport/mail/path.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

namespace mailflow {

namespace {

constexpr std::size_t kMaxPath = 256;  // RFC 5321 §4.5.3.1.3, with its punctuation

// What stands between the brackets.
Result<std::string_view> inside_brackets(std::string_view text) {
    if (text.size() > kMaxPath) {
        return Error::too_large;
    }
    if (text.size() < 2 || !text.starts_with('<') || !text.ends_with('>')) {
        return Error::syntax;
    }
    return text.substr(1, text.size() - 2);
}

// A-d-l     = At-domain *( "," At-domain )
// At-domain = "@" Domain
// RFC 5321 §4.1.1.3, appendix C: a source route is accepted when well-formed, and ignored.
Result<std::string_view> without_source_route(std::string_view path) {
    if (!path.starts_with('@')) {
        return path;
    }
    const auto colon = path.find(':');
    if (colon == std::string_view::npos) {
        return Error::syntax;
    }
    for (const auto hop : ascii::split(path.substr(0, colon), ',')) {
        if (!hop.starts_with('@') || !DomainName::parse(hop.substr(1))) {
            return Error::syntax;
        }
    }
    return path.substr(colon + 1);
}

Result<EmailAddress> parse_mailbox(std::string_view path) {
    constexpr std::size_t kBrackets = 2;
    const auto mailbox = without_source_route(path);
    if (!mailbox) {
        return mailbox.error();
    }
    auto address = EmailAddress::parse(*mailbox);
    // A-labels may be longer than what was written; a path that was accepted stays one when it is
    // written again.
    if (address && address->text().size() + kBrackets > kMaxPath) {
        return Error::too_large;
    }
    return address;
}

}  // namespace

Result<ReversePath> ReversePath::parse(std::string_view text) {
    const auto path = inside_brackets(text);
    if (!path) {
        return path.error();
    }
    if (path->empty()) {
        return ReversePath();
    }
    auto mailbox = parse_mailbox(*path);
    if (!mailbox) {
        return mailbox.error();
    }
    return ReversePath(std::move(*mailbox));
}

Result<ForwardPath> ForwardPath::parse(std::string_view text) {
    const auto path = inside_brackets(text);
    if (!path) {
        return path.error();
    }
    if (ascii::equal_ignoring_case(*path, "postmaster")) {
        return ForwardPath::postmaster();
    }
    auto mailbox = parse_mailbox(*path);
    if (!mailbox) {
        return mailbox.error();
    }
    return ForwardPath(std::move(*mailbox));
}

}  // namespace mailflow

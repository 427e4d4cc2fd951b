#include "transport/mail/email_address.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/utf8.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::size_t kMaxLocalPart = 64;  // RFC 5321 §4.5.3.1.1

// RFC 5322 §3.2.3 atext, with RFC 6531 §3.3: UTF8-non-ascii, which the caller has checked to be
// UTF-8.
bool is_atext(char c) {
    constexpr std::string_view kSpecials = "!#$%&'*+-/=?^_`{|}~";
    return ascii::is_alpha(c) || ascii::is_digit(c) || static_cast<unsigned char>(c) > 0x7f ||
           kSpecials.find(c) != std::string_view::npos;
}

// Dot-string = Atom *("." Atom)
bool is_dot_string(std::string_view text) {
    bool in_atom = false;
    for (const char c : text) {
        if (c == '.' ? !in_atom : !is_atext(c)) {
            return false;
        }
        in_atom = c != '.';
    }
    return in_atom;
}

// Well-formed UTF-8 without control characters, C1 (U+0080 to U+009F, `C2 80` to `C2 9F`) included.
bool is_clean(std::string_view text) {
    if (!utf8::is_valid(text)) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool c1 = static_cast<unsigned char>(text[i]) == 0xc2 &&
                        static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1 || ascii::is_control(text[i])) {
            return false;
        }
    }
    return true;
}

struct LocalPart {
    std::string value;
    std::size_t length;  // as written
};

// Quoted-string = DQUOTE *QcontentSMTP DQUOTE
// QcontentSMTP  = qtextSMTP / quoted-pairSMTP
// quoted-pairSMTP = %d92 %d32-126
// qtextSMTP     = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
Result<LocalPart> parse_quoted(std::string_view text) {
    LocalPart local{{}, 0};
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            local.length = i + 1;
            return local;
        }
        if (text[i] == '\\') {
            ++i;
            if (i == text.size() || static_cast<unsigned char>(text[i]) > 0x7f) {
                return Error::syntax;
            }
        }
        local.value += text[i];
    }
    return Error::syntax;
}

Result<LocalPart> parse_local(std::string_view text) {
    if (text.starts_with('"')) {
        return parse_quoted(text);
    }
    const auto length = std::min(text.find('@'), text.size());
    if (!is_dot_string(text.substr(0, length))) {
        return Error::syntax;
    }
    return LocalPart{std::string(text.substr(0, length)), length};
}

// IPv4-address-literal = Snum 3("." Snum)
// Snum                 = 1*3DIGIT ; decimal, 0 to 255
// Leading zeros are of the grammar, but other readers take them for octal: they go.
std::string plain_numbers(std::string_view text) {
    const auto quad = std::min(text.rfind(':') + 1, text.size());  // npos + 1: all of it
    std::string plain(text.substr(0, quad));
    if (text.find('.') == std::string_view::npos) {
        return std::string(text);
    }
    for (auto number : ascii::split(text.substr(quad), '.')) {
        constexpr std::size_t kDigits = 3;
        while (number.size() > 1 && number.size() <= kDigits && number.starts_with('0')) {
            number.remove_prefix(1);
        }
        plain += number;
        plain += '.';
    }
    plain.pop_back();
    return plain;
}

// RFC 5321 §4.1.3: "[" IPv4-address-literal / "IPv6:" IPv6-addr "]". Other tags of
// General-address-literal name nothing that mail could be sent to.
Result<IpAddress> parse_literal(std::string_view text) {
    constexpr std::string_view kTag = "IPv6:";
    if (text.size() < 2 || !text.ends_with(']')) {
        return Error::syntax;
    }
    text = text.substr(1, text.size() - 2);
    const bool tagged = ascii::starts_with_ignoring_case(text, kTag);
    if (tagged) {
        text.remove_prefix(kTag.size());
    }
    const bool is_v6_text = text.find(':') != std::string_view::npos;
    if (tagged != is_v6_text) {
        return Error::syntax;
    }
    return IpAddress::parse(plain_numbers(text));
}

std::string quoted(std::string_view value) {
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            text += '\\';
        }
        text += c;
    }
    return text + '"';
}

}  // namespace

Result<EmailAddress> EmailAddress::parse(std::string_view text) {
    if (!is_clean(text)) {
        return Error::syntax;
    }
    const auto local = parse_local(text);
    if (!local) {
        return local.error();
    }
    auto rest = text.substr(local->length);
    if (!rest.starts_with('@')) {
        return Error::syntax;
    }
    rest.remove_prefix(1);
    if (local->length > kMaxLocalPart) {
        return Error::too_large;
    }
    EmailAddress address;
    address.local_ = local->value;
    if (rest.starts_with('[')) {
        const auto literal = parse_literal(rest);
        if (!literal) {
            return literal.error();
        }
        address.literal_ = *literal;
        address.domain_text_ = literal->literal();
        return address;
    }
    const auto domain = DomainName::parse(rest);
    if (!domain) {
        return domain.error();
    }
    address.domain_text_ = domain->text();
    address.domain_ = *domain;
    return address;
}

EmailAddress EmailAddress::of(std::string local, DomainName domain) {
    EmailAddress address;
    address.local_ = std::move(local);
    address.domain_text_ = domain.text();
    address.domain_ = std::move(domain);
    return address;
}

std::string EmailAddress::text() const {
    return (is_dot_string(local_) ? local_ : quoted(local_)) + '@' + domain_text_;
}

bool EmailAddress::needs_smtputf8() const noexcept {
    return !utf8::is_ascii(local_);
}

std::string EmailAddress::lookup_key() const {
    return ascii::to_lower(text());
}

}  // namespace mailflow

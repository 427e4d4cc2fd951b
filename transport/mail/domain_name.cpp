#include "transport/mail/domain_name.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/mail/idna.hpp"
#include "transport/mail/utf8.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// RFC 5321 §4.5.3.1.2 and RFC 1035 §2.3.4.
constexpr std::size_t kMaxDomain = 255;
constexpr std::size_t kMaxLabel = 63;

bool is_let_dig(char c) {
    return ascii::is_alpha(c) || ascii::is_digit(c);
}

// RFC 5321 §4.1.2: sub-domain = Let-dig [Ldh-str]; Ldh-str ends with Let-dig.
ErrorCode check_label(std::string_view label) {
    if (label.size() > kMaxLabel) {
        return Error::too_large;
    }
    const bool ends_well = !label.empty() && is_let_dig(label.front()) && is_let_dig(label.back());
    const bool made_of_ldh =
        std::all_of(label.begin(), label.end(), [](char c) { return is_let_dig(c) || c == '-'; });
    return ends_well && made_of_ldh ? ErrorCode() : make_error_code(Error::syntax);
}

ErrorCode check_labels(std::string_view text) {
    if (text.size() > kMaxDomain) {
        return Error::too_large;
    }
    for (;;) {
        const auto dot = text.find('.');
        if (const auto error = check_label(text.substr(0, dot))) {
            return error;
        }
        if (dot == std::string_view::npos) {
            return {};
        }
        text.remove_prefix(dot + 1);
    }
}

}  // namespace

Result<DomainName> DomainName::parse(std::string_view text) {
    if (text.size() > kMaxDomain) {
        return Error::too_large;
    }
    std::string labels(text);
    if (!utf8::is_ascii(text)) {
        if (!utf8::is_valid(text) || std::any_of(text.begin(), text.end(), ascii::is_control)) {
            return Error::syntax;
        }
        auto converted = idna::to_a_labels(text);
        if (!converted) {
            return converted.error();
        }
        labels = std::move(*converted);
    }
    if (const auto error = check_labels(labels)) {
        return error;
    }
    // RFC 1123 §2.1: a host name never has the form of a dotted quad.
    if (IpAddress::parse(labels)) {
        return Error::syntax;
    }
    return DomainName(ascii::to_lower(labels));
}

std::string DomainName::display() const {
    if (text_.find("xn--") == std::string::npos) {
        return text_;
    }
    const auto shown = idna::to_u_labels(text_);
    if (!shown) {
        return text_;
    }
    const auto again = parse(*shown);
    return again && *again == *this ? *shown : text_;
}

bool DomainName::is_within(const DomainName& parent) const noexcept {
    const std::string_view below = text_;
    const auto& above = parent.text_;
    if (!below.ends_with(above)) {
        return false;
    }
    return below.size() == above.size() || below[below.size() - above.size() - 1] == '.';
}

std::string_view DomainName::parent() const noexcept {
    const auto dot = text_.find('.');
    return dot == std::string::npos ? std::string_view() : std::string_view(text_).substr(dot + 1);
}

}  // namespace mailflow

#include "transport/org/send_connector.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

namespace mailflow {

namespace {

constexpr std::uint64_t kMaxCost = 100;
// Above the longest suffix (a domain has at most 255 octets), so that an exact match beats every
// `*.suffix`.
constexpr std::uint32_t kExactSpecificity = 1000;

struct SpaceParts {
    std::string_view type = "SMTP";
    std::string_view space;
    std::string_view cost = "1";
};

SpaceParts split_space(std::string_view text) {
    SpaceParts parts;
    text = ascii::trimmed(text);
    if (const auto colon = text.find(':'); colon != std::string_view::npos) {
        parts.type = ascii::trimmed(text.substr(0, colon));
        text.remove_prefix(colon + 1);
    }
    if (const auto semicolon = text.rfind(';'); semicolon != std::string_view::npos) {
        parts.cost = ascii::trimmed(text.substr(semicolon + 1));
        text = text.substr(0, semicolon);
    }
    parts.space = ascii::trimmed(text);
    return parts;
}

bool is_legal_cost(std::string_view text) {
    const auto cost = ascii::parse_number(text);
    return cost && *cost >= 1 && *cost <= kMaxCost;
}

// `*.` stands before a whole domain; any other asterisk is illegal (reference 1.1: `*contoso.com`).
std::string_view without_wildcard(std::string_view space) {
    return space.starts_with("*.") ? space.substr(2) : space;
}

}  // namespace

// space = [ "SMTP:" ] ( "*" / [ "*." ] Domain ) [ ";" 1*3DIGIT ]
std::string AddressSpace::problem(std::string_view text) {
    const auto parts = split_space(text);
    if (!ascii::equal_ignoring_case(parts.type, "SMTP")) {
        return "address spaces are of type SMTP only, not \"" + ascii::escaped(parts.type) + "\"";
    }
    if (!is_legal_cost(parts.cost)) {
        return "the cost behind \";\" is a number from 1 to 100";
    }
    if (parts.space == "*") {
        return {};
    }
    const auto domain = without_wildcard(parts.space);
    if (domain.find('*') != std::string_view::npos) {
        return "an asterisk stands alone (\"*\") or as the whole first label (\"*.contoso.com\")";
    }
    if (!DomainName::parse(domain)) {
        return "\"" + ascii::escaped(domain) + "\" is not a domain name";
    }
    return {};
}

Result<AddressSpace> AddressSpace::parse(std::string_view text) {
    if (!problem(text).empty()) {
        return Error::syntax;
    }
    const auto parts = split_space(text);
    AddressSpace result;
    result.everything_ = parts.space == "*";
    result.subdomains_ = parts.space.starts_with("*.");
    result.cost_ = static_cast<std::uint32_t>(ascii::parse_number(parts.cost).value());
    if (!result.everything_) {
        result.domain_ = DomainName::parse(without_wildcard(parts.space)).value().text();
    }
    return result;
}

bool AddressSpace::matches(std::string_view domain) const noexcept {
    if (everything_ || ascii::equal_ignoring_case(domain, domain_)) {
        return true;
    }
    if (!subdomains_ || domain.size() <= domain_.size()) {
        return false;
    }
    const auto dot = domain.size() - domain_.size() - 1;
    return domain[dot] == '.' && ascii::equal_ignoring_case(domain.substr(dot + 1), domain_);
}

std::uint32_t AddressSpace::specificity() const noexcept {
    if (everything_) {
        return 0;
    }
    const auto length = static_cast<std::uint32_t>(domain_.size());
    return subdomains_ ? length : kExactSpecificity + length;
}

std::string AddressSpace::text() const {
    std::string text = "smtp:";
    if (everything_) {
        text += '*';
    } else {
        text += subdomains_ ? "*." : "";
        text += domain_;
    }
    return text + ';' + std::to_string(cost_);
}

namespace {

// RFC 1123 §2.1: the last label of a host name is alphabetic; `256.1.1.1` is an address mistyped.
bool looks_like_address(const DomainName& name) {
    const auto last = std::string_view(name.text()).substr(name.text().find_last_of('.') + 1);
    return ascii::parse_number(last).has_value();
}

}  // namespace

Result<SmartHost> parse_smart_host(std::string_view text) {
    constexpr std::string_view kIpv6Tag = "IPv6:";
    text = ascii::trimmed(text);
    const bool bracketed = text.size() >= 2 && text.front() == '[' && text.back() == ']';
    if (bracketed) {
        text = text.substr(1, text.size() - 2);
        if (ascii::starts_with_ignoring_case(text, kIpv6Tag)) {
            text.remove_prefix(kIpv6Tag.size());
        }
    }
    if (const auto address = IpAddress::parse(text)) {
        if (address->is_unspecified() || address->is_multicast()) {
            return Error::refused_target;
        }
        return SmartHost(*address);
    }
    if (bracketed) {
        return Error::syntax;
    }
    auto name = DomainName::parse(text);
    if (!name || looks_like_address(*name)) {
        return name ? make_error_code(Error::syntax) : name.error();
    }
    return SmartHost(std::move(*name));
}

std::string to_text(const SmartHost& host) {
    const auto* address = std::get_if<IpAddress>(&host);
    return address != nullptr ? address->literal() : std::get<DomainName>(host).text();
}

std::string to_text(const std::vector<SmartHost>& hosts) {
    std::string text;
    for (const auto& host : hosts) {
        text += text.empty() ? "" : ",";
        text += to_text(host);
    }
    return text;
}

}  // namespace mailflow

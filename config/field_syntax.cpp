#include "config/field_syntax.hpp"

#include "config/schema/values.hpp"
#include "transport/addressing/address_template.hpp"
#include "transport/addressing/recipient_filter.hpp"
#include "transport/base/ascii.hpp"
#include "transport/mail/email_address.hpp"
#include "transport/mail/enhanced_status.hpp"
#include "transport/org/delivery_target.hpp"
#include "transport/org/send_connector.hpp"

#include <boost/json/array.hpp>

namespace mailflow {

namespace json = boost::json;
using schema::Field;
using schema::ValueKind;

namespace {

std::optional<std::string> canonical_domain(std::string_view text) {
    const auto domain = DomainName::parse(text);
    return domain ? std::optional(domain->text()) : std::nullopt;
}

constexpr std::string_view kWildcard = "*.";
constexpr std::string_view kPrimary = "SMTP:";
constexpr std::string_view kProxy = "smtp:";

std::optional<std::string> canonical_domain_space(std::string_view text) {
    if (!text.starts_with(kWildcard)) {
        return canonical_domain(text);
    }
    const auto domain = canonical_domain(text.substr(kWildcard.size()));
    return domain ? std::optional(std::string(kWildcard) + *domain) : std::nullopt;
}

std::optional<std::string> canonical_address_space(std::string_view text) {
    const auto space = AddressSpace::parse(text);
    return space ? std::optional(space->text()) : std::nullopt;
}

std::optional<std::string> canonical_smart_host(std::string_view text) {
    const auto host = parse_smart_host(text);
    return host ? std::optional(to_text(*host)) : std::nullopt;
}

// Reference 4.1: `SMTP:` in capitals marks the primary address, any other spelling a proxy.
std::optional<std::string> canonical_proxy_address(std::string_view text) {
    const bool primary = text.starts_with(kPrimary);
    if (ascii::starts_with_ignoring_case(text, kProxy)) {
        text.remove_prefix(kProxy.size());
    }
    const auto address = EmailAddress::parse(text);
    if (!address || !address->domain()) {
        return std::nullopt;
    }
    return std::string(primary ? kPrimary : kProxy) + address->text();
}

// Domains only: nobody of ours has an address literal.
std::optional<std::string> canonical_email_address(std::string_view text) {
    const auto address = EmailAddress::parse(text);
    return address && address->domain() ? std::optional(address->text()) : std::nullopt;
}

std::optional<std::string> canonical_any_domain_space(std::string_view text) {
    return text == "*" ? std::optional(std::string(text)) : canonical_domain_space(text);
}

std::optional<std::string> canonical_address_pattern(std::string_view text) {
    const auto pattern = parse_address_pattern(text);
    return pattern ? std::optional(to_text(*pattern)) : std::nullopt;
}

std::optional<std::string> canonical_status_code(std::string_view text) {
    const auto code = EnhancedStatus::parse(text);
    const bool failure = code && code->klass != 2;
    return failure ? std::optional(code->text()) : std::nullopt;
}

std::optional<std::string> canonical_delivery_target(std::string_view text) {
    const auto target = parse_delivery_target(text);
    return target ? std::optional(to_text(*target)) : std::nullopt;
}

// Reference 4.1: as proxy addresses are marked.
std::optional<std::string> canonical_template(std::string_view text, std::string& why) {
    const bool primary = text.starts_with(kPrimary);
    if (ascii::starts_with_ignoring_case(text, kProxy)) {
        text.remove_prefix(kProxy.size());
    }
    const auto parsed = AddressTemplate::parse(text, &why);
    if (!parsed) {
        return std::nullopt;
    }
    return std::string(primary ? kPrimary : kProxy) + parsed->text();
}

std::optional<std::string> canonical_filter(std::string_view text, std::string& why) {
    const auto parsed = RecipientFilter::parse(text, &why);
    return parsed ? std::optional(std::string(text)) : std::nullopt;
}

// Nothing: not legal, and `why` may say so better than a description of what is legal.
std::optional<std::string> canonical(ValueKind kind, std::string_view text, std::string& why) {
    switch (kind) {
        case ValueKind::address_template: return canonical_template(text, why);
        case ValueKind::recipient_filter: return canonical_filter(text, why);
        case ValueKind::domain: return canonical_domain(text);
        case ValueKind::domain_space: return canonical_domain_space(text);
        case ValueKind::address_space: return canonical_address_space(text);
        case ValueKind::smart_host: return canonical_smart_host(text);
        case ValueKind::proxy_address: return canonical_proxy_address(text);
        case ValueKind::any_domain_space: return canonical_any_domain_space(text);
        case ValueKind::email_address: return canonical_email_address(text);
        case ValueKind::address_pattern: return canonical_address_pattern(text);
        case ValueKind::status_code: return canonical_status_code(text);
        case ValueKind::delivery_target: return canonical_delivery_target(text);
        default: return std::string(text);
    }
}

json::value canonical_value(
    const Field& field, const json::value& value, std::vector<schema::Problem>& problems) {
    if (field.kind == ValueKind::secret) {
        return value;  // every octet counts
    }
    if (const auto* array = value.if_array()) {
        json::array list;
        for (const auto& element : *array) {
            list.push_back(canonical_value(field, element, problems));
        }
        return list;
    }
    const auto* string = value.if_string();
    const auto text = string != nullptr ? ascii::trimmed(*string) : std::string_view();
    if (text.empty()) {
        return value;  // none, or not a text at all
    }
    std::string why;
    const auto written = canonical(field.kind, text, why);
    if (!written) {
        problems.push_back(
            {{},
             std::string(field.name),
             "\"" + ascii::escaped(text.substr(0, 100)) + "\" is not allowed: " +
                 (why.empty() ? "write " + schema::describe_values(field) : why)});
        return value;
    }
    return json::value(*written);
}

}  // namespace

std::optional<AddressPattern> parse_address_pattern(std::string_view text) {
    AddressPattern pattern;
    if (text.find('@') != std::string_view::npos) {
        const auto address = EmailAddress::parse(text);
        if (!address || !address->domain()) {
            return std::nullopt;
        }
        pattern.address = *address;
        return pattern;
    }
    pattern.include_subdomains = text.starts_with(kWildcard);
    const auto domain =
        DomainName::parse(text.substr(pattern.include_subdomains ? kWildcard.size() : 0));
    if (!domain) {
        return std::nullopt;
    }
    pattern.domain = *domain;
    return pattern;
}

std::string to_text(const AddressPattern& pattern) {
    if (pattern.address) {
        return pattern.address->text();
    }
    return std::string(pattern.include_subdomains ? kWildcard : std::string_view()) +
           pattern.domain.value().text();
}

json::object canonical_fields(
    const schema::ObjectType& type,
    const json::object& fields,
    std::vector<schema::Problem>& problems) {
    json::object result;
    for (const auto& member : fields) {
        const auto* field = schema::field_of_edit_key(type, member.key());
        result[member.key()] =
            field == nullptr ? member.value() : canonical_value(*field, member.value(), problems);
    }
    return result;
}

}  // namespace mailflow

#include "config/schema/values.hpp"

#include "config/schema/suggestion.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/ip_range.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace mailflow::schema {

namespace json = boost::json;

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array<Unit, 4> kSizeUnits = {{
    {"GB", 1024ULL * 1024 * 1024},
    {"MB", 1024ULL * 1024},
    {"KB", 1024},
    {"B", 1},
}};

constexpr std::array<Unit, 5> kDurationUnits = {{
    {"d", 86400000},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
}};

constexpr std::size_t kMaxTextLength = 1024;
// How sealed secrets begin (transport/ports/secrets.hpp).
constexpr std::string_view kSealedSecret = "sealed:";

// Leading digits as a number, and what stands behind them without blanks.
struct Quantity {
    std::uint64_t number = 0;
    std::string_view unit;
};

std::optional<Quantity> split_quantity(std::string_view text) noexcept {
    text = ascii::trimmed(text);
    const auto digits = std::find_if_not(text.begin(), text.end(), ascii::is_digit) - text.begin();
    const auto number = ascii::parse_number(text.substr(0, static_cast<std::size_t>(digits)));
    if (!number) {
        return std::nullopt;
    }
    return Quantity{*number, ascii::trimmed(text.substr(static_cast<std::size_t>(digits)))};
}

std::optional<std::uint64_t> scaled(
    const Quantity& quantity, std::span<const Unit> units, std::uint64_t maximum) noexcept {
    for (const auto& unit : units) {
        if (ascii::equal_ignoring_case(quantity.unit, unit.name)) {
            if (quantity.number > maximum / unit.factor) {
                return std::nullopt;
            }
            return quantity.number * unit.factor;
        }
    }
    return std::nullopt;
}

// `[d.]hh:mm:ss`, the field's time span; minutes and seconds below 60.
std::optional<std::chrono::milliseconds> parse_time_span(std::string_view text) noexcept {
    std::uint64_t days = 0;
    if (const auto dot = text.find('.'); dot != std::string_view::npos) {
        const auto number = ascii::parse_number(text.substr(0, dot));
        if (!number || *number > 100000) {
            return std::nullopt;
        }
        days = *number;
        text.remove_prefix(dot + 1);
    }
    std::array<std::uint64_t, 3> parts{};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto colon = text.find(':');
        if ((colon == std::string_view::npos) != (i + 1 == parts.size())) {
            return std::nullopt;
        }
        const auto number = ascii::parse_number(text.substr(0, colon));
        if (!number || *number > (i == 0 ? 100000 : 59)) {
            return std::nullopt;
        }
        parts.at(i) = *number;
        text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
    }
    const auto seconds = ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2];
    return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

// The value as text where JSON or TOML gave a number or a truth value; nothing for arrays, objects
// and fractions.
std::optional<std::string> scalar_text(const json::value& value) {
    if (value.is_string()) return std::string(value.get_string());
    if (value.is_bool()) return value.get_bool() ? "true" : "false";
    if (value.is_int64()) return std::to_string(value.get_int64());
    if (value.is_uint64()) return std::to_string(value.get_uint64());
    return std::nullopt;
}

bool is_in_range(const Field& field, std::uint64_t number) {
    return number >= field.minimum && number <= field.maximum;
}

CheckedValue refused(const Field& field, std::string_view text) {
    return {
        json::value(),
        "\"" + ascii::escaped(text.substr(0, 100)) + "\" is not allowed: write " +
            describe_values(field)};
}

CheckedValue check_quantity(const Field& field, const std::string& text) {
    if (field.may_be_unlimited && ascii::equal_ignoring_case(text, kUnlimited)) {
        return {json::value(kUnlimited), {}};
    }
    if (!field.word.empty() && ascii::equal_ignoring_case(text, field.word)) {
        return {json::value(field.word), {}};
    }
    if (field.kind == ValueKind::integer) {
        const auto number = ascii::parse_number(text);
        const bool fits = number && is_in_range(field, *number);
        return fits ? CheckedValue{json::value(static_cast<std::int64_t>(*number)), {}}
                    : refused(field, text);
    }
    if (field.kind == ValueKind::size) {
        const auto octets = parse_size(text);
        const bool fits = octets && is_in_range(field, *octets);
        return fits ? CheckedValue{json::value(format_size(*octets)), {}} : refused(field, text);
    }
    const auto duration = parse_duration(text);
    const bool fits = duration && is_in_range(field, static_cast<std::uint64_t>(duration->count()));
    return fits ? CheckedValue{json::value(format_duration(*duration)), {}} : refused(field, text);
}

CheckedValue check_boolean(const Field& field, const std::string& text) {
    for (const auto* word : {"true", "yes", "on"}) {
        if (ascii::equal_ignoring_case(text, word)) return {json::value(true), {}};
    }
    for (const auto* word : {"false", "no", "off"}) {
        if (ascii::equal_ignoring_case(text, word)) return {json::value(false), {}};
    }
    return refused(field, text);
}

CheckedValue check_choice(const Field& field, std::string_view text) {
    const auto is_choice = [&field](std::string_view word) {
        return std::find(field.choices.begin(), field.choices.end(), word) != field.choices.end();
    };
    auto wanted = ascii::to_lower(text);
    for (const auto& synonym : field.synonyms) {
        if (synonym.word == wanted) wanted = synonym.choice;
    }
    if (!is_choice(wanted)) {
        std::replace(wanted.begin(), wanted.end(), '_', '-');
    }
    if (is_choice(wanted)) {
        return {json::value(wanted), {}};
    }
    auto answer = refused(field, text);
    answer.problem += did_you_mean(text, field.choices);
    return answer;
}

CheckedValue check_endpoint(const Field& field, const std::string& text) {
    const auto endpoint = Endpoint::parse(text);
    return endpoint ? CheckedValue{json::value(endpoint->text()), {}} : refused(field, text);
}

CheckedValue check_ip_range(const Field& field, const std::string& text) {
    const auto range = IpRange::parse(text);
    return range ? CheckedValue{json::value(range->text()), {}} : refused(field, text);
}

CheckedValue check_ip_address(const Field& field, const std::string& text) {
    const auto address = IpAddress::parse(text);
    const bool fits = address && !address->is_unspecified() && !address->is_multicast();
    return fits ? CheckedValue{json::value(address->text()), {}} : refused(field, text);
}

bool has_character_limit(const Field& field) {
    return field.maximum != UINT64_MAX;
}

bool has_blank(std::string_view text) {
    return text.find_first_of(" \t") != std::string_view::npos;
}

CheckedValue check_text(const Field& field, const std::string& text) {
    if (has_character_limit(field) && count_characters(text) > field.maximum) {
        return {
            json::value(),
            "the text is too long: at most " + std::to_string(field.maximum) + " characters"};
    }
    if (!has_character_limit(field) && text.size() > kMaxTextLength) {
        return {json::value(), "the text is too long: at most 1024 octets"};
    }
    if (std::any_of(text.begin(), text.end(), ascii::is_control)) {
        return {json::value(), "the text holds a control character: write one line of plain text"};
    }
    // Proxy addresses may have a quoted local part with a blank.
    const bool one_word =
        field.kind == ValueKind::domain || field.kind == ValueKind::domain_space ||
        field.kind == ValueKind::any_domain_space || field.kind == ValueKind::address_space ||
        field.kind == ValueKind::smart_host || field.kind == ValueKind::status_code;
    if (one_word && has_blank(text)) {
        return refused(field, text);
    }
    return {json::value(text), {}};
}

// As it is written, blanks and all. Sealed text is longer than what it seals.
CheckedValue check_secret_value(const Field& field, const json::value& value) {
    const auto* text = value.if_string();
    if (text == nullptr) {
        return {json::value(), "is no text"};
    }
    const bool sealed = text->starts_with(kSealedSecret);
    const auto longest = longest_secret(field);
    auto problem = check_secret(*text, sealed ? 2 * longest + kMaxSecretLength : longest);
    return problem.empty() ? CheckedValue{value, {}} : CheckedValue{json::value(), problem};
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
    auto quantity = split_quantity(text);
    if (!quantity) {
        return std::nullopt;
    }
    if (quantity->unit.empty()) {
        quantity->unit = "B";  // reference 1.1: octets if unqualified
    }
    return scaled(*quantity, kSizeUnits, std::numeric_limits<std::int64_t>::max());
}

std::string format_size(std::uint64_t octets) {
    for (const auto& unit : kSizeUnits) {
        if (octets >= unit.factor && octets % unit.factor == 0) {
            return std::to_string(octets / unit.factor) + " " + std::string(unit.name);
        }
    }
    return "0 B";
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept {
    text = ascii::trimmed(text);
    if (text.find(':') != std::string_view::npos) {
        return parse_time_span(text);
    }
    const auto quantity = split_quantity(text);
    if (!quantity) {
        return std::nullopt;
    }
    if (quantity->number == 0 && quantity->unit.empty()) {
        return std::chrono::milliseconds(0);
    }
    constexpr std::uint64_t kMaxDuration = 100ULL * 365 * 86400000;
    const auto milliseconds = scaled(*quantity, kDurationUnits, kMaxDuration);
    if (!milliseconds) {
        return std::nullopt;
    }
    return std::chrono::milliseconds(static_cast<std::int64_t>(*milliseconds));
}

std::string format_duration(std::chrono::milliseconds duration) {
    const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
    for (const auto& unit : kDurationUnits) {
        if (count >= unit.factor && count % unit.factor == 0) {
            return std::to_string(count / unit.factor) + std::string(unit.name);
        }
    }
    return "0s";
}

std::size_t longest_secret(const Field& field) {
    return has_character_limit(field) ? field.maximum : kMaxSecretLength;
}

std::string check_secret(std::string_view text, std::size_t longest) {
    if (text.empty()) {
        return "is empty";
    }
    if (text.size() > longest) {
        return "is too long: at most " + std::to_string(longest) + " octets";
    }
    if (std::any_of(text.begin(), text.end(), ascii::is_control)) {
        return "holds a control character: write one line of plain text";
    }
    return {};
}

CheckedValue check_value(const Field& field, const json::value& value) {
    if (field.kind == ValueKind::secret) {
        return check_secret_value(field, value);
    }
    const auto written = scalar_text(value);
    if (!written) {
        return refused(field, json::serialize(value));
    }
    const std::string text(ascii::trimmed(*written));
    switch (field.kind) {
        case ValueKind::boolean: return check_boolean(field, text);
        case ValueKind::integer:
        case ValueKind::size:
        case ValueKind::duration: return check_quantity(field, text);
        case ValueKind::choice: return check_choice(field, text);
        case ValueKind::endpoint: return check_endpoint(field, text);
        case ValueKind::ip_range: return check_ip_range(field, text);
        case ValueKind::ip_address: return check_ip_address(field, text);
        case ValueKind::secret: return refused(field, text);  // above, untrimmed
        default: return check_text(field, text);
    }
}

namespace {

std::string quantity_text(const Field& field, std::uint64_t number) {
    switch (field.kind) {
        case ValueKind::size: return format_size(number);
        case ValueKind::duration:
            return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(number)));
        default: return std::to_string(number);
    }
}

std::string with_range(const Field& field, std::string_view what) {
    auto text = std::string(what) + " from " + quantity_text(field, field.minimum) + " to " +
                quantity_text(field, field.maximum);
    if (field.may_be_unlimited) {
        text += ", or unlimited";
    }
    if (!field.word.empty()) {
        text += ", or " + std::string(field.word);
    }
    return text;
}

std::string choices_text(const Field& field) {
    std::string text;
    for (std::size_t i = 0; i < field.choices.size(); ++i) {
        if (i > 0) text += i + 1 == field.choices.size() ? " or " : ", ";
        text += field.choices[i];
    }
    return text;
}

}  // namespace

std::string describe_values(const Field& field) {
    switch (field.kind) {
        case ValueKind::text:
            return has_character_limit(field)
                       ? "one line of at most " + std::to_string(field.maximum) + " characters"
                       : "one line of text";
        case ValueKind::boolean: return "true or false";
        case ValueKind::integer: return with_range(field, "a whole number");
        case ValueKind::size: return with_range(field, "a size with B, KB, MB or GB");
        case ValueKind::duration:
            return with_range(field, "a time such as 90s, 10m, 2d or hh:mm:ss");
        case ValueKind::choice: return choices_text(field);
        case ValueKind::endpoint:
            return "an address and a port, such as 192.0.2.1:25, 0.0.0.0:25 or [::]:25";
        case ValueKind::ip_range:
            return "an address, a range a-b or a network, such as 192.0.2.7, "
                   "192.0.2.0-192.0.2.255 or 192.0.2.0/24";
        case ValueKind::ip_address: return "an address such as 192.0.2.7 or 2001:db8::7";
        case ValueKind::domain: return "a domain name such as mail.contoso.com";
        case ValueKind::domain_space: return "a domain such as contoso.com or *.contoso.com";
        case ValueKind::address_space:
            return "an address space such as smtp:*, smtp:*.contoso.com;5 or smtp:contoso.com, "
                   "with a cost of 1 to 100";
        case ValueKind::smart_host:
            return "a host name or an address such as relay.contoso.com, [192.0.2.1] or 192.0.2.1";
        case ValueKind::proxy_address:
            return "an address such as SMTP:alice@contoso.com (primary) or smtp:al@contoso.com";
        case ValueKind::any_domain_space:
            return "a domain such as contoso.com or *.contoso.com, or * for every other one";
        case ValueKind::email_address: return "an address such as alice@contoso.com";
        case ValueKind::address_pattern:
            return "an address or a domain, such as alice@contoso.com, contoso.com or "
                   "*.contoso.com";
        case ValueKind::address_template:
            return "an address with %m, %g, %s, %i or %d, such as SMTP:%g.%s@contoso.com (primary) "
                   "or smtp:%m@contoso.com";
        case ValueKind::recipient_filter:
            return "a filter such as Department -eq 'Sales' -and -not (Alias -like 'test*')";
        case ValueKind::recipient: return "the name, the alias or an address of a recipient";
        case ValueKind::delivery_target:
            return "maildir, maildir:TEMPLATE, lmtp:unix:/PATH, lmtp:HOST:PORT or "
                   "smtp:HOST[:PORT]";
        case ValueKind::status_code: return "a status code such as 5.7.1 or 4.4.7";
        case ValueKind::secret:
            return "one line of at most " + std::to_string(longest_secret(field)) +
                   " octets; smtpctl takes - and asks for it, or none to remove it";
    }
    return {};
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

std::string value_text(const json::value& value) {
    if (value.is_null()) return {};
    if (const auto* array = value.if_array()) {
        std::string text;
        for (const auto& element : *array) {
            if (!text.empty()) text += ", ";
            text += value_text(element);
        }
        return text;
    }
    const auto scalar = scalar_text(value);
    return scalar ? *scalar : json::serialize(value);
}

}  // namespace mailflow::schema

#include "transport/deliver/mta_sts.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/domain_name.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace mailflow {

// ---- the record

namespace {

bool is_alphanumeric(char c) {
    return ascii::is_alpha(c) || ascii::is_digit(c);
}

bool is_id(std::string_view text) {
    constexpr std::size_t kMaxId = 32;
    return !text.empty() && text.size() <= kMaxId &&
           std::all_of(text.begin(), text.end(), is_alphanumeric);
}

// sts-ext-name = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
bool is_extension_name(std::string_view text) {
    constexpr std::size_t kMaxName = 32;
    return !text.empty() && text.size() <= kMaxName && is_alphanumeric(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_alphanumeric(c) || c == '_' || c == '-' || c == '.';
           });
}

// sts-ext-value = 1*(%x21-3A / %x3C / %x3E-7E)
bool is_extension_value(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c > 0x20 && c < 0x7f && c != ';' && c != '=';
    });
}

// sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
std::optional<std::string> id_of(std::string_view record) {
    auto fields = ascii::split(record, ';');
    if (ascii::trimmed(fields.back()).empty()) {
        fields.pop_back();
    }
    std::optional<std::string> id;
    for (std::size_t i = 1; i < fields.size(); ++i) {
        const auto field = ascii::trimmed(fields[i]);
        const auto equals = field.find('=');
        if (equals == std::string_view::npos) {
            return std::nullopt;
        }
        const auto name = field.substr(0, equals);
        const auto value = field.substr(equals + 1);
        if (name == "id") {
            if (id || !is_id(value)) {
                return std::nullopt;
            }
            id = std::string(value);
        } else if (!is_extension_name(name) || !is_extension_value(value)) {
            return std::nullopt;
        }
    }
    return id;
}

}  // namespace

std::string sts_record_name(std::string_view domain) {
    return "_mta-sts." + std::string(domain);
}

std::string sts_policy_url(std::string_view domain) {
    return "https://mta-sts." + std::string(domain) + "/.well-known/mta-sts.txt";
}

std::optional<std::string> find_sts_id(std::span<const std::string> records) {
    // RFC 8461 §3.1: others are discarded; of these there must be exactly one.
    const std::string* found = nullptr;
    for (const auto& record : records) {
        if (record.starts_with("v=STSv1;")) {
            if (found != nullptr) {
                return std::nullopt;
            }
            found = &record;
        }
    }
    return found == nullptr ? std::nullopt : id_of(*found);
}

// ---- the policy

namespace {

// RFC 8461 §3.2: of every field but `mx` the first counts.
struct PolicyFields {
    std::optional<std::string_view> version;
    std::optional<std::string_view> mode;
    std::optional<std::string_view> max_age;
    std::vector<std::string_view> mx;
};

void set_first(std::optional<std::string_view>& field, std::string_view value) {
    if (!field) {
        field = value;
    }
}

// False: a line that is no field.
bool read_line(std::string_view line, PolicyFields& into) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
        return ascii::trimmed(line).empty();
    }
    const auto name = ascii::trimmed(line.substr(0, colon));
    const auto value = ascii::trimmed(line.substr(colon + 1));
    if (name == "version") {
        set_first(into.version, value);
    } else if (name == "mode") {
        set_first(into.mode, value);
    } else if (name == "max_age") {
        set_first(into.max_age, value);
    } else if (name == "mx") {
        into.mx.push_back(value);
    }
    // Others are extensions: ignored.
    return true;
}

std::optional<StsMode> mode_of(std::string_view text) {
    for (const auto mode : {StsMode::none, StsMode::testing, StsMode::enforce}) {
        if (text == to_text(mode)) {
            return mode;
        }
    }
    return std::nullopt;
}

// sts-policy-mx-value = ["*."] Domain; nothing: it is none.
std::optional<std::string> pattern_of(std::string_view text) {
    constexpr std::string_view kWildcard = "*.";
    const bool is_wild = text.starts_with(kWildcard);
    const auto name = DomainName::parse(is_wild ? text.substr(kWildcard.size()) : text);
    if (!name) {
        return std::nullopt;
    }
    return (is_wild ? std::string(kWildcard) : std::string()) + ascii::to_lower(name->text());
}

// What keeps the fields from being a policy; empty: nothing.
std::string fill(const PolicyFields& fields, StsPolicy& policy) {
    if (fields.version != "STSv1") {
        return "version is not STSv1";
    }
    const auto mode = fields.mode ? mode_of(*fields.mode) : std::nullopt;
    if (!mode) {
        return "mode is not enforce, testing or none";
    }
    const auto age = fields.max_age && fields.max_age->size() <= 10
                         ? ascii::parse_number(*fields.max_age)
                         : std::nullopt;
    if (!age) {
        return "max_age is no number of seconds";
    }
    if (fields.mx.size() > kMaxStsPatterns) {
        return "there are too many mx lines";
    }
    for (const auto text : fields.mx) {
        auto pattern = pattern_of(text);
        if (!pattern) {
            return "mx is no host name: " + ascii::escaped(text.substr(0, 64));
        }
        policy.mx.push_back(*std::move(pattern));
    }
    if (policy.mx.empty() && *mode != StsMode::none) {
        return "there is no mx line";
    }
    policy.mode = *mode;
    // A larger age is taken for the largest.
    policy.expires = UtcTime(std::min(kMaxStsAge, std::chrono::seconds(*age)));
    return {};
}

}  // namespace

// RFC 8461 §3.2
Result<StsPolicy> parse_sts_policy(std::string_view body, std::string* why) {
    PolicyFields fields;
    if (body.size() > kMaxStsPolicySize) {
        *why = "the policy is too large";
        return Error::syntax;
    }
    // sts-policy-term = LF / CRLF
    for (auto line : ascii::split(body, '\n')) {
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (!read_line(line, fields)) {
            *why = "a line is no field: " + ascii::escaped(line.substr(0, 64));
            return Error::syntax;
        }
    }
    StsPolicy policy;
    *why = fill(fields, policy);
    if (!why->empty()) {
        return Error::syntax;
    }
    return policy;
}

// ---- hosts

bool sts_pattern_matches(std::string_view pattern, std::string_view host) noexcept {
    if (!pattern.starts_with("*.")) {
        return ascii::equal_ignoring_case(pattern, host);
    }
    const auto dot = host.find('.');
    return dot != std::string_view::npos && dot > 0 &&
           ascii::equal_ignoring_case(pattern.substr(1), host.substr(dot));
}

bool sts_lists(const StsPolicy& policy, std::string_view host) noexcept {
    return std::any_of(policy.mx.begin(), policy.mx.end(), [host](const std::string& pattern) {
        return sts_pattern_matches(pattern, host);
    });
}

}  // namespace mailflow

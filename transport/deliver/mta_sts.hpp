// MTA-STS (RFC 8461) without I/O: the TXT record that says a policy exists, the policy itself, and
// whether it lists a host. Used by StsPolicies and, for the hosts of one attempt, by the delivery
// agent; any thread.
#pragma once

#include "transport/base/result.hpp"
#include "transport/ports/records/tls_records.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mailflow {

// RFC 8461 §3.3: a policy that is larger is none.
constexpr std::size_t kMaxStsPolicySize = 64UL * 1024;
// Patterns of one policy; nobody has a hundredth of it.
constexpr std::size_t kMaxStsPatterns = 1000;
// RFC 8461 §3.2
constexpr std::chrono::seconds kMaxStsAge{31'557'600};

// `_mta-sts.contoso.com`
[[nodiscard]] std::string sts_record_name(std::string_view domain);
// `https://mta-sts.contoso.com/.well-known/mta-sts.txt`
[[nodiscard]] std::string sts_policy_url(std::string_view domain);

// RFC 8461 §3.1: the id of the one record that begins with `v=STSv1;`. Nothing: there is none, more
// than one, or it is malformed: there is no policy to fetch.
[[nodiscard]] std::optional<std::string> find_sts_id(std::span<const std::string> records);

// What a policy says; domain, id, `fetched` are left to the caller, `expires` is `max_age` after
// the epoch. Error::syntax with the reason in `why` (not null).
[[nodiscard]] Result<StsPolicy> parse_sts_policy(std::string_view body, std::string* why);

// RFC 8461 §4.1: `*.contoso.com` stands for exactly one label.
[[nodiscard]] bool sts_pattern_matches(std::string_view pattern, std::string_view host) noexcept;
[[nodiscard]] bool sts_lists(const StsPolicy& policy, std::string_view host) noexcept;

}  // namespace mailflow

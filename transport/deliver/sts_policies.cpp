#include "transport/deliver/sts_policies.hpp"

#include "transport/base/error.hpp"
#include "transport/deliver/mta_sts.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace mailflow {

namespace {

constexpr Duration kFetchTimeout = std::chrono::seconds(60);
// RFC 8461 §3.3: "once per day" is enough of refreshing; a policy of short life more often.
constexpr Duration kRefreshBefore = std::chrono::hours(24);

// RFC 8461 §3.3: nothing but 200 has a policy; no redirect is followed.
std::string status_problem(const HttpsAnswer& answer) {
    if (answer.status != 200) {
        return "the policy host answers with status " + std::to_string(answer.status);
    }
    return {};
}

}  // namespace

// The last fetch of a domain, or the one under way.
struct StsPolicies::Fetch {
    bool running = false;
    MonotonicTime ended{};
    std::vector<OneShot<bool>*> waiting;
};

std::optional<StsPolicy> StsPolicies::known(const std::string& domain) const {
    auto policy = parts_.memory.find_policy(domain);
    if (policy && policy->expires <= parts_.lane.clock().now()) {
        policy.reset();
    }
    return policy;
}

bool StsPolicies::is_due(const StsPolicy& policy) const {
    const Duration life = policy.expires - policy.fetched;
    return parts_.lane.clock().now() > policy.expires - std::min(kRefreshBefore, life / 2);
}

Task<std::optional<StsPolicy>> StsPolicies::policy_for(std::string domain) {
    auto look_up = parts_.resolver.find_txt(sts_record_name(domain));
    const auto records = co_await std::move(look_up);
    const auto id = find_sts_id(records.records);
    auto policy = known(domain);
    // RFC 8461 §5.1: without a record, a policy that is still valid holds; an attacker who can
    // suppress answers gains nothing.
    if (id) {
        const bool is_new = !policy || policy->id != *id;
        if (is_new && may_fetch(domain)) {
            co_await fetch(domain, *id);
            policy = known(domain);
        } else if (policy && is_due(*policy) && may_fetch(domain)) {
            refresh(domain, *id);
        }
    }
    if (policy && policy->mode == StsMode::none) {
        policy.reset();
    }
    co_return policy;
}

Task<std::optional<StsPolicy>> StsPolicies::policy_after_failure(std::string domain) {
    auto look_up = parts_.resolver.find_txt(sts_record_name(domain));
    const auto records = co_await std::move(look_up);
    const auto id = find_sts_id(records.records);
    if (id && may_fetch(domain)) {
        co_await fetch(domain, *id);
    }
    auto policy = known(domain);
    if (policy && policy->mode == StsMode::none) {
        policy.reset();
    }
    co_return policy;
}

// ---- fetching

// One that is under way may be waited for.
bool StsPolicies::may_fetch(const std::string& domain) {
    const auto found = fetches_.find(domain);
    return found == fetches_.end() || found->second->running ||
           parts_.lane.clock().monotonic() - found->second->ended >= kStsFetchPause;
}

void StsPolicies::refresh(const std::string& domain, const std::string& id) {
    const auto found = fetches_.find(domain);
    if (found == fetches_.end() || !found->second->running) {
        parts_.lane.spawn("refresh MTA-STS policy", refresh_behind(this, domain, id));
    }
}

Task<void> StsPolicies::refresh_behind(StsPolicies* self, std::string domain, std::string id) {
    co_await self->fetch(domain, id);
}

Task<void> StsPolicies::fetch(const std::string& domain, const std::string& id) {
    auto& entry = fetches_[domain];
    if (!entry) {
        entry = std::make_shared<Fetch>();
    }
    const auto own = entry;
    if (own->running) {
        OneShot<bool> done;
        own->waiting.push_back(&done);
        co_await done.wait();
        co_return;
    }
    own->running = true;
    const auto problem = co_await fetch_policy(domain, id);
    if (!problem.empty()) {
        parts_.lane.log().warning(
            "an MTA-STS policy cannot be had", {{"domain", domain}, {"reason", problem}});
    }
    own->running = false;
    own->ended = parts_.lane.clock().monotonic();
    for (auto* const waiter : std::exchange(own->waiting, {})) {
        waiter->complete(true);
    }
    // Forgetting that one was fetched a while ago costs a fetch.
    if (fetches_.size() > kMaxStsFetches) {
        const auto now = parts_.lane.clock().monotonic();
        std::erase_if(fetches_, [&](const auto& each) {
            return !each.second->running && (now - each.second->ended >= kStsFetchPause);
        });
    }
}

// What went wrong; empty: nothing.
Task<std::string> StsPolicies::fetch_policy(const std::string& domain, const std::string& id) {
    HttpsRequest request;
    request.url = sts_policy_url(domain);
    request.max_body = kMaxStsPolicySize;
    request.timeout = kFetchTimeout;
    std::string why;
    const auto answer = co_await parts_.fetcher.fetch(std::move(request), &why);
    if (!answer) {
        const bool is_certificate = answer.error() == Error::tls_failed;
        count(
            domain,
            is_certificate ? TlsResultType::sts_webpki_invalid
                           : TlsResultType::sts_policy_fetch_error,
            why);
        co_return why;
    }
    why = status_problem(*answer);
    if (!why.empty()) {
        count(domain, TlsResultType::sts_policy_fetch_error, why);
        co_return why;
    }
    why = keep(domain, id, *answer);
    if (!why.empty()) {
        count(domain, TlsResultType::sts_policy_invalid, why);
    }
    co_return why;
}

std::string StsPolicies::keep(
    const std::string& domain, const std::string& id, const HttpsAnswer& answer) {
    // RFC 8461 §3.2: anything but text/plain is another thing that a web server says.
    if (answer.content_type != "text/plain") {
        return "the policy is not text/plain";
    }
    std::string why;
    auto policy = parse_sts_policy(answer.body, &why);
    if (!policy) {
        return why;
    }
    const auto age = policy->expires.time_since_epoch();
    policy->domain = domain;
    policy->id = id;
    policy->fetched = parts_.lane.clock().now();
    policy->expires = policy->fetched + age;
    parts_.memory.keep_policy(*std::move(policy));
    return {};
}

void StsPolicies::count(const std::string& domain, TlsResultType type, const std::string& detail) {
    TlsResult result;
    result.policy_domain = domain;
    result.policy = TlsPolicyType::sts;
    result.type = type;
    result.detail = detail;
    parts_.memory.count(result, parts_.lane.clock().now());
}

}  // namespace mailflow

#include "transport/deliver/sts_policies.hpp"

#include "tests/support/fake_resolver.hpp"
#include "tests/support/memory_peers.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/scripted_fetcher.hpp"
#include "transport/deliver/mta_sts.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

using namespace std::chrono_literals;

namespace {

const std::string kDomain = "contoso.com";
const std::string kUrl = "https://mta-sts.contoso.com/.well-known/mta-sts.txt";

HttpsAnswer policy_answer(const std::string& mode, const std::string& mx, int age) {
    return {
        200,
        "text/plain",
        "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: " + std::to_string(age) +
            "\n"};
}

struct StsFixture {
    StsFixture() { publish("1"); }

    void publish(const std::string& id) {
        resolver.remove("_mta-sts.contoso.com");
        resolver.add_txt("_mta-sts.contoso.com", "v=STSv1; id=" + id);
    }

    std::optional<StsPolicy> ask() { return test.run(policies.policy_for(kDomain)); }

    [[nodiscard]] std::size_t fetches() const { return fetcher.requests().size(); }

    // Counted results, as `kind: detail`.
    [[nodiscard]] std::vector<std::string> results() const {
        std::vector<std::string> all;
        for (const auto& sum : memory.results()) {
            all.push_back(std::string(to_text(sum.result.type)) + ": " + sum.result.detail);
        }
        return all;
    }

    TestLane test;
    FakeResolver resolver;
    ScriptedFetcher fetcher;
    MemoryPeers memory;
    StsPolicies policies{{test.lane, resolver, fetcher, memory}};
};

}  // namespace

TEST_CASE("a policy is fetched once and kept until it expires", "[deliver][sts]") {
    StsFixture f;
    f.fetcher.answer(kUrl, policy_answer("enforce", "mail.contoso.com", 604800));

    const auto first = f.ask();
    f.test.advance(24h);
    const auto second = f.ask();

    REQUIRE(first.has_value());
    CHECK(first->mode == StsMode::enforce);
    CHECK(first->domain == kDomain);
    CHECK(first->id == "1");
    CHECK(first->expires - first->fetched == 604800s);
    CHECK(second == first);
    REQUIRE(f.fetches() == 1);
    CHECK(f.fetcher.requests()[0].method == "GET");
    CHECK(f.fetcher.requests()[0].max_body == kMaxStsPolicySize);
    CHECK(f.fetcher.requests()[0].timeout == 60s);
    CHECK_FALSE(f.fetcher.requests()[0].trusted_host);
}

TEST_CASE("without a record there is no policy and nothing is fetched", "[deliver][sts]") {
    StsFixture f;
    f.resolver.remove("_mta-sts.contoso.com");

    CHECK_FALSE(f.ask().has_value());

    CHECK(f.fetches() == 0);
    CHECK(f.results().empty());
}

TEST_CASE("a new id has the policy fetched again", "[deliver][sts]") {
    StsFixture f;
    f.fetcher.answer(kUrl, policy_answer("enforce", "mail.contoso.com", 604800));
    REQUIRE(f.ask().has_value());
    f.test.advance(1h);
    f.publish("2");
    f.fetcher.answer(kUrl, policy_answer("testing", "new.contoso.com", 604800));

    const auto policy = f.ask();

    REQUIRE(policy.has_value());
    CHECK(policy->id == "2");
    CHECK(policy->mode == StsMode::testing);
    CHECK(policy->mx == std::vector<std::string>{"new.contoso.com"});
}

TEST_CASE("RFC 8461 §5.1 the old policy holds while the new one cannot be had", "[deliver][sts]") {
    StsFixture f;
    f.fetcher.answer(kUrl, policy_answer("enforce", "mail.contoso.com", 172800));
    const auto first = f.ask();
    f.test.advance(1h);
    f.publish("2");
    f.fetcher.fail(kUrl, Error::tls_failed, "certificate has expired");

    CHECK(f.ask() == first);
    CHECK(f.results() == std::vector<std::string>{"sts-webpki-invalid: certificate has expired"});
    f.resolver.set_status("_mta-sts.contoso.com", DnsStatus::temporary);
    CHECK(f.ask() == first);
    f.test.advance(48h);

    CHECK_FALSE(f.ask().has_value());
}

TEST_CASE("a fetch that failed is not repeated for five minutes", "[deliver][sts]") {
    StsFixture f;

    CHECK_FALSE(f.ask().has_value());
    f.test.advance(4min);
    CHECK_FALSE(f.ask().has_value());
    CHECK(f.fetches() == 1);
    f.test.advance(61s);
    f.fetcher.answer(kUrl, policy_answer("enforce", "mail.contoso.com", 604800));

    CHECK(f.ask().has_value());
    CHECK(f.fetches() == 2);
    CHECK(f.results() == std::vector<std::string>{"sts-policy-fetch-error: nobody answers"});
}

TEST_CASE("what is no policy is counted as what it is", "[deliver][sts]") {
    struct Case {
        HttpsAnswer answer;
        std::string result;
    };

    auto html = policy_answer("enforce", "mail.contoso.com", 5);
    html.content_type = "text/html";
    auto moved = policy_answer("enforce", "mail.contoso.com", 5);
    moved.status = 301;
    const auto one = GENERATE_COPY(values<Case>({
        {html, "sts-policy-invalid: the policy is not text/plain"},
        {moved, "sts-policy-fetch-error: the policy host answers with status 301"},
        {{404, "text/plain", ""},
         "sts-policy-fetch-error: the policy host answers with status 404"},
        {policy_answer("strict", "mail.contoso.com", 5),
         "sts-policy-invalid: mode is not enforce, testing or none"},
    }));
    StsFixture f;
    f.fetcher.answer(kUrl, one.answer);

    CHECK_FALSE(f.ask().has_value());

    CHECK(f.results() == std::vector<std::string>{one.result});
}

TEST_CASE("a policy that says none is remembered and is no policy", "[deliver][sts]") {
    StsFixture f;
    f.fetcher.answer(kUrl, {200, "text/plain", "version: STSv1\nmode: none\nmax_age: 86400\n"});

    CHECK_FALSE(f.ask().has_value());
    f.test.advance(10min);
    CHECK_FALSE(f.ask().has_value());

    CHECK(f.fetches() == 1);
}

TEST_CASE("a policy is refreshed behind deliveries before it expires", "[deliver][sts]") {
    StsFixture f;
    f.fetcher.answer(kUrl, policy_answer("enforce", "mail.contoso.com", 604800));
    const auto first = f.ask();
    f.test.advance(6 * 24h + 1min);
    f.fetcher.hold();

    // Nobody waits for it.
    CHECK(f.ask() == first);
    CHECK(f.ask() == first);
    CHECK(f.fetches() == 2);
    f.fetcher.release();
    f.test.poll();

    const auto renewed = f.ask();
    REQUIRE(renewed.has_value());
    CHECK(renewed->expires > first->expires);
    CHECK(f.fetches() == 2);
}

TEST_CASE("one fetch at a time serves all who ask", "[deliver][sts]") {
    StsFixture f;
    f.fetcher.answer(kUrl, policy_answer("enforce", "mail.contoso.com", 604800));
    f.fetcher.hold();
    std::vector<std::optional<StsPolicy>> answers;
    const auto ask = [](StsFixture* fixture,
                        std::vector<std::optional<StsPolicy>>* into) -> Task<void> {
        auto policy = co_await fixture->policies.policy_for(kDomain);
        into->push_back(std::move(policy));
    };
    for (int i = 0; i < 3; ++i) {
        f.test.lane.spawn("ask", ask(&f, &answers));
    }
    f.test.poll();
    CHECK(answers.empty());

    f.fetcher.release();
    f.test.poll();

    CHECK(f.fetches() == 1);
    REQUIRE(answers.size() == 3);
    for (const auto& answer : answers) {
        CHECK(answer.has_value());
    }
}

TEST_CASE("after a failure the policy is fetched although its id is the same", "[deliver][sts]") {
    StsFixture f;
    f.fetcher.answer(kUrl, policy_answer("enforce", "old.contoso.com", 604800));
    REQUIRE(f.ask().has_value());
    f.fetcher.answer(kUrl, policy_answer("enforce", "new.contoso.com", 604800));

    // Just fetched: it is what it is.
    const auto same = f.test.run(f.policies.policy_after_failure(kDomain));
    f.test.advance(5min);
    const auto changed = f.test.run(f.policies.policy_after_failure(kDomain));

    REQUIRE(same.has_value());
    CHECK(same->mx == std::vector<std::string>{"old.contoso.com"});
    REQUIRE(changed.has_value());
    CHECK(changed->mx == std::vector<std::string>{"new.contoso.com"});
    CHECK(f.fetches() == 2);
}

}  // namespace mailflow

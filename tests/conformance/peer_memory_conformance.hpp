// What every PeerMemory promises. Called from a TEST_CASE with a fresh, empty one; each section is
// one promise.
#pragma once

#include "transport/ports/peer_memory.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <utility>

namespace mailflow {

inline UtcTime peer_time(int hours) {
    return UtcTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 20)) +
           std::chrono::hours(hours);
}

inline StsPolicy sts_policy_of(const std::string& domain, const std::string& id) {
    StsPolicy policy;
    policy.domain = domain;
    policy.id = id;
    policy.mode = StsMode::enforce;
    policy.mx = {"mail." + domain, "*.backup." + domain};
    policy.fetched = peer_time(1);
    policy.expires = peer_time(49);
    return policy;
}

inline TlsPeer tls_peer_of(const std::string& host, int until) {
    TlsPeer peer;
    peer.host = host;
    peer.why = "handshake: no shared cipher";
    peer.failed = peer_time(1);
    peer.until = peer_time(until);
    peer.failures = 2;
    return peer;
}

inline TlsResult tls_result_of(const std::string& domain, const std::string& host) {
    TlsResult result;
    result.policy_domain = domain;
    result.policy = TlsPolicyType::sts;
    result.host = host;
    result.type = TlsResultType::certificate_expired;
    result.detail = "certificate has expired";
    return result;
}

inline void check_peer_memory(PeerMemory& memory) {
    SECTION("a policy comes back whole, without regard to case, and is replaced") {
        const auto first = sts_policy_of("contoso.com", "1");
        auto second = sts_policy_of("contoso.com", "2");
        second.mode = StsMode::none;
        second.mx.clear();

        memory.keep_policy(first);
        CHECK(memory.find_policy("Contoso.COM") == first);
        memory.keep_policy(second);

        CHECK(memory.find_policy("contoso.com") == second);
        CHECK(memory.policies() == std::vector<StsPolicy>{second});
        CHECK_FALSE(memory.find_policy("fabrikam.com"));
    }
    SECTION("a forgotten policy is gone, others stay") {
        memory.keep_policy(sts_policy_of("contoso.com", "1"));
        memory.keep_policy(sts_policy_of("fabrikam.com", "1"));

        memory.forget_policy("CONTOSO.com");
        memory.forget_policy("unknown.com");

        CHECK_FALSE(memory.find_policy("contoso.com"));
        CHECK(memory.policies().size() == 1);
    }
    SECTION("a peer is known until its time is over") {
        const auto peer = tls_peer_of("mail.contoso.com", 5);
        memory.keep_peer(peer);

        CHECK(memory.find_peer("MAIL.contoso.com", peer_time(4)) == peer);
        CHECK_FALSE(memory.find_peer("mail.contoso.com", peer_time(5)));
        CHECK_FALSE(memory.find_peer("other.contoso.com", peer_time(4)));
        CHECK(memory.peers() == std::vector<TlsPeer>{peer});
    }
    SECTION("results add up by day, policy, host and kind, with the last detail") {
        auto one = tls_result_of("contoso.com", "mail.contoso.com");
        memory.count(one, peer_time(1));
        one.detail = "later";
        memory.count(one, peer_time(23));
        memory.count(one, peer_time(24));
        memory.count(tls_result_of("contoso.com", ""), peer_time(2));

        const auto all = memory.results();
        REQUIRE(all.size() == 3);
        CHECK(all[0].result == tls_result_of("contoso.com", ""));
        CHECK(all[1].result == one);
        CHECK(all[1].sessions == 2);
        CHECK(all[1].day == peer_time(0));
        CHECK(all[2].sessions == 1);
        CHECK(all[2].day == peer_time(24));
    }
    SECTION("forgetting a name forgets all of it and nothing else") {
        memory.keep_policy(sts_policy_of("contoso.com", "1"));
        memory.keep_peer(tls_peer_of("contoso.com", 5));
        memory.keep_peer(tls_peer_of("mail.contoso.com", 5));
        memory.count(tls_result_of("contoso.com", "mail.contoso.com"), peer_time(1));
        memory.count(tls_result_of("fabrikam.com", "mail.fabrikam.com"), peer_time(1));

        CHECK(memory.forget("Contoso.com"));

        CHECK(memory.policies().empty());
        CHECK(memory.peers().size() == 1);
        CHECK(memory.results().size() == 1);
        CHECK_FALSE(memory.forget("contoso.com"));
        CHECK(memory.forget("mail.fabrikam.com"));
        CHECK(memory.results().empty());
    }
}

}  // namespace mailflow

#include "certs/certificate.hpp"

#include "certs/self_signed.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/test_certificates.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>
#include <openssl/x509.h>

using namespace mailflow;
using namespace std::chrono_literals;

TEST_CASE("the self-signed certificate of a node is what it should be", "[certs]") {
    SeededRandom random(1);
    const UtcTime now = std::chrono::sys_days(std::chrono::year(2026) / 7 / 1) + 12h;

    const auto made_now = make_self_signed("Mail.contoso.com", now, random);
    const auto facts = facts_of(*made_now.certificate);

    CHECK(facts.subject == "CN=Mail.contoso.com");
    CHECK(facts.issuer == facts.subject);
    CHECK(facts.self_signed);
    CHECK(facts.key == KeyKind::ecdsa);
    CHECK(facts.names == std::vector<std::string>{"mail.contoso.com"});
    CHECK(facts.not_before == now - 1h);
    CHECK(facts.not_after == now + std::chrono::days(5 * 365));
    CHECK(facts.thumbprint.size() == 64);
    CHECK(facts.is_valid_at(now));
    CHECK_FALSE(facts.is_valid_at(now - 2h));
    CHECK_FALSE(facts.is_valid_at(facts.not_after + 1s));
}

TEST_CASE("a name too long for a common name stands in the alternative names", "[certs]") {
    SeededRandom random(1);
    const auto name = std::string(60, 'a') + "." + std::string(60, 'b') + ".example.com";

    const auto facts =
        facts_of(*make_self_signed(name, UtcTime(1h * 24 * 365), random).certificate);

    CHECK(facts.subject.empty());
    CHECK(facts.names == std::vector<std::string>{name});
}

TEST_CASE("the common name counts only without alternative names", "[certs]") {
    const auto with = make_test_certificate({"old.contoso.com", "DNS:A.contoso.com,DNS:*.b.com"});
    const auto without = make_test_certificate({"Old.contoso.com", ""});
    const auto no_dns = make_test_certificate({"old.contoso.com", "email:a@contoso.com"});

    CHECK(
        facts_of(*with.certificate).names == std::vector<std::string>{"a.contoso.com", "*.b.com"});
    CHECK(facts_of(*without.certificate).names == std::vector<std::string>{"old.contoso.com"});
    CHECK(facts_of(*no_dns.certificate).names == std::vector<std::string>{"old.contoso.com"});
}

TEST_CASE("chains are read whole or refused", "[certs]") {
    const auto root = make_test_certificate({"root", "", KeyKind::ecdsa, -1, 365, true});
    const auto leaf = make_test_certificate({}, &root);
    const auto two = leaf.pem() + root.pem();
    std::string eleven;
    for (int i = 0; i < 11; ++i)
        eleven += root.pem();

    CHECK(parse_chain(leaf.pem()).value().others.empty());
    CHECK(parse_chain("some words before\n" + two).value().others.size() == 1);
    CHECK(parse_chain("").error() == Error::syntax);
    CHECK(parse_chain("no certificate").error() == Error::syntax);
    CHECK(parse_chain(two.substr(0, two.size() - 100)).error() == Error::syntax);
    CHECK(
        parse_chain("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").error() ==
        Error::syntax);
    CHECK(parse_chain(eleven).error() == Error::too_large);
}

TEST_CASE("private keys come back from what is sealed of them", "[certs]") {
    const auto kind = GENERATE(KeyKind::ecdsa, KeyKind::rsa, KeyKind::ed25519);
    const auto certificate = make_test_certificate({"a", "", kind});

    const auto der = to_der(*certificate.key);
    const auto key = parse_private_key(der);

    CHECK(facts_of(*certificate.certificate).key == kind);
    REQUIRE(key != nullptr);
    CHECK(to_der(*key) == der);
    CHECK(parse_private_key(der.substr(1)) == nullptr);
    CHECK(parse_private_key("") == nullptr);
}

TEST_CASE("a chain is trusted when it leads to a root we know, whatever its dates", "[certs]") {
    const auto root = make_test_certificate({"root", "", KeyKind::ecdsa, -1, 365, true});
    const auto other = make_test_certificate({"root", "", KeyKind::ecdsa, -1, 365, true});
    const TrustStorePtr trust(make_system_trust());
    X509_STORE_add_cert(trust.get(), root.certificate.get());
    const auto trusted = [&](const TestCertificateWish& wish, const TestCertificate* issuer) {
        const auto chain = parse_chain(make_test_certificate(wish, issuer).pem()).value();
        return leads_to_trusted_root(chain, *trust);
    };

    CHECK(trusted({}, &root));
    CHECK(trusted({"a", "DNS:a", KeyKind::ecdsa, -9, -1}, &root));
    CHECK_FALSE(trusted({}, &other));
    CHECK_FALSE(trusted({}, nullptr));
}

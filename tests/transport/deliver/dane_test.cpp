#include "transport/deliver/dane.hpp"

#include "tests/support/fake_resolver.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

using Names = std::vector<std::string>;

const std::string kDigest(32, 'a');
const TlsaRecord kGood{3, 1, 1, kDigest};
const TlsaRecord kNext{3, 1, 1, std::string(32, 'b')};
const TlsaRecord kPkix{1, 1, 1, kDigest};

DaneHost host(std::string name, std::string canonical = {}) {
    DaneHost result;
    result.name = std::move(name);
    result.canonical = std::move(canonical);
    result.mx_authentic = true;
    result.address_authentic = true;
    return result;
}

struct Fixture {
    TestLane test;
    FakeResolver resolver;

    Fixture() { resolver.set_dnssec(DnssecTrust::proven); }

    void add(std::string_view base, const TlsaRecord& record, bool authentic = true) {
        const auto name = tlsa_name(base, 25);
        resolver.add_tlsa(name, record);
        resolver.set_authentic(name, authentic);
    }

    DaneAnswer find(DaneHost asked) { return test.run(find_dane(resolver, std::move(asked))); }
};

}  // namespace

TEST_CASE("TLSA is asked for where MX and addresses are secure", "[deliver][dane][rfc7672]") {
    auto asked = host("mail.contoso.com");
    CHECK(tlsa_base_domains(asked) == Names{"mail.contoso.com"});

    asked.mx_authentic = false;
    CHECK(tlsa_base_domains(asked).empty());
    asked.mx_authentic = true;
    asked.address_authentic = false;
    CHECK(tlsa_base_domains(asked).empty());
    CHECK(tlsa_base_domains(host("[192.0.2.1]")).empty());
}

TEST_CASE("Of a secure alias the expanded name is asked first", "[deliver][dane][rfc7672]") {
    CHECK(
        tlsa_base_domains(host("mx.contoso.com", "mail.fabrikam.com")) ==
        Names{"mail.fabrikam.com", "mx.contoso.com"});
    CHECK(
        tlsa_base_domains(host("mail.contoso.com", "MAIL.contoso.com")) ==
        Names{"mail.contoso.com"});
    CHECK(tlsa_name("mail.contoso.com", 2525) == "_2525._tcp.mail.contoso.com");
}

TEST_CASE("SMTP uses TLSA records of usages 2 and 3 it understands", "[deliver][dane][rfc7672]") {
    const std::string long_digest(64, 'a');

    struct Row {
        TlsaRecord record;
        bool usable;
    };

    const std::vector<Row> table{
        {{3, 1, 1, kDigest}, true},
        {{3, 0, 1, kDigest}, true},
        {{2, 0, 1, kDigest}, true},
        {{2, 1, 2, long_digest}, true},
        {{3, 1, 0, "a public key"}, true},
        {{3, 1, 0, ""}, false},
        {{0, 0, 1, kDigest}, false},
        {{1, 1, 1, kDigest}, false},
        {{4, 1, 1, kDigest}, false},
        {{255, 1, 1, kDigest}, false},
        {{3, 2, 1, kDigest}, false},
        {{3, 1, 3, kDigest}, false},
        {{3, 1, 1, kDigest.substr(1)}, false},
        {{3, 1, 1, long_digest}, false},
        {{3, 1, 2, kDigest}, false},
    };

    for (const auto& row : table) {
        INFO(
            int(row.record.usage) << ' ' << int(row.record.selector) << ' '
                                  << int(row.record.matching));
        CHECK(is_usable(row.record) == row.usable);
    }
}

TEST_CASE("Secure records authenticate, all of a rollover", "[deliver][dane][rfc7672]") {
    Fixture f;
    f.add("mail.contoso.com", kGood);
    f.add("mail.contoso.com", kNext);
    f.add("mail.contoso.com", kPkix);

    const auto dane = f.find(host("mail.contoso.com"));

    CHECK(dane.state == DaneState::usable);
    CHECK(dane.base_domain == "mail.contoso.com");
    CHECK(dane.records == std::vector{kGood, kNext});
}

TEST_CASE("Records that cannot be used only encrypt", "[deliver][dane][rfc7672]") {
    Fixture f;
    f.add("mail.contoso.com", kPkix);

    const auto dane = f.find(host("mail.contoso.com"));

    CHECK(dane.state == DaneState::unusable);
    CHECK(dane.records.empty());
}

TEST_CASE("Bogus TLSA and none to be had are no reason to go on", "[deliver][dane][rfc7672]") {
    Fixture f;
    f.resolver.set_status("_25._tcp.mail.contoso.com", DnsStatus::temporary);

    const auto dane = f.find(host("mail.contoso.com"));

    CHECK(dane.state == DaneState::unknown);
    CHECK(dane.detail.find("_25._tcp.mail.contoso.com") != std::string::npos);
}

TEST_CASE("Without secure records DANE has no part", "[deliver][dane][rfc7672]") {
    Fixture f;
    f.add("insecure.contoso.com", kGood, false);

    CHECK(f.find(host("insecure.contoso.com")).state == DaneState::absent);
    CHECK(f.find(host("nothing.contoso.com")).state == DaneState::absent);
    f.resolver.set_status("_25._tcp.nodata.contoso.com", DnsStatus::no_such_data);
    CHECK(f.find(host("nodata.contoso.com")).state == DaneState::absent);
}

TEST_CASE("The records of an alias are those of the host, else its own", "[deliver][dane]") {
    Fixture f;
    f.add("mx.contoso.com", kNext);
    const auto alias = host("mx.contoso.com", "mail.fabrikam.com");

    CHECK(f.find(alias).base_domain == "mx.contoso.com");
    f.add("mail.fabrikam.com", kGood);
    CHECK(f.find(alias).base_domain == "mail.fabrikam.com");
    CHECK(f.find(alias).records == std::vector{kGood});
    f.resolver.set_status("_25._tcp.mail.fabrikam.com", DnsStatus::temporary);
    CHECK(f.find(alias).state == DaneState::unknown);
}

TEST_CASE("A resolver that is not proven is not asked", "[deliver][dane]") {
    Fixture f;
    f.add("mail.contoso.com", kGood);
    for (const auto trust : {DnssecTrust::unproven, DnssecTrust::untrusted}) {
        f.resolver.set_dnssec(trust);

        CHECK(f.find(host("mail.contoso.com")).state == DaneState::absent);
        CHECK(f.resolver.queries().empty());
    }
}

}  // namespace mailflow

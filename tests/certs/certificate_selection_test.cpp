#include "certs/certificate_selection.hpp"

#include "tests/support/test_certificates.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

const UtcTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 7 / 1);
const auto kAnyKey = make_test_certificate({}).key;

struct Given {
    std::string name;
    std::vector<std::string> names;

    enum { valid, untrusted, self_signed } trust = valid;

    int age = 10;    // days since it became valid
    int left = 100;  // days until it ends
    KeyKind key = KeyKind::ecdsa;
    bool has_key = true;
    bool has_service = true;
};

StoredCertificate certificate_of(const Given& given) {
    StoredCertificate one;
    one.name = given.name;
    one.services = given.has_service ? 1 : 2;
    one.facts.thumbprint = "thumb-" + given.name;
    one.facts.names = given.names;
    one.facts.key = given.key;
    one.facts.not_before = kNow - std::chrono::days(given.age);
    one.facts.not_after = kNow + std::chrono::days(given.left);
    one.facts.self_signed = given.trust == Given::self_signed;
    one.is_trusted = given.trust == Given::valid;
    if (given.has_key) one.key = kAnyKey;
    return one;
}

// The names of what is chosen, with blanks between.
std::string chosen(const std::vector<Given>& given, const CertificateWish& wish) {
    std::vector<StoredCertificate> all;
    for (const auto& one : given)
        all.push_back(certificate_of(one));
    std::string names;
    for (const auto position : select_certificates(all, wish, kNow))
        names += (names.empty() ? "" : " ") + all[position].name;
    return names;
}

CertificateFacts named(const std::vector<std::string>& names) {
    CertificateFacts facts;
    facts.names = names;
    return facts;
}

}  // namespace

TEST_CASE("names fit exactly or by a wildcard of one label", "[certs][selection]") {
    using enum NameMatch;
    CHECK(match_name(named({"mail.contoso.com"}), "MAIL.contoso.com") == exact);
    CHECK(match_name(named({"*.contoso.com"}), "mail.Contoso.com") == wildcard);
    CHECK(match_name(named({"*.contoso.com", "mail.contoso.com"}), "mail.contoso.com") == exact);
    CHECK(match_name(named({"*.contoso.com"}), "a.mail.contoso.com") == none);
    CHECK(match_name(named({"*.contoso.com"}), "contoso.com") == none);
    CHECK(match_name(named({"*.contoso.com"}), ".contoso.com") == none);
    CHECK(match_name(named({"m*.contoso.com"}), "mail.contoso.com") == none);
    CHECK(match_name(named({"*"}), "contoso") == none);
    CHECK(match_name(named({}), "mail.contoso.com") == none);
}

TEST_CASE(
    "the certificate is chosen by name: the client's, the connector's, the node's, any",
    "[certs][selection]") {
    const std::vector<Given> all{
        {"sni", {"a.fabrikam.com"}},
        {"star", {"*.fabrikam.com"}},
        {"connector", {"relay.contoso.com"}},
        {"node", {"mail.contoso.com"}}};
    const auto wish = [](std::string_view sni, std::string_view connector, std::string_view node) {
        return CertificateWish{{}, sni, connector, node};
    };

    CHECK(chosen(all, wish("a.fabrikam.com", "relay.contoso.com", "mail.contoso.com")) == "sni");
    CHECK(chosen(all, wish("b.fabrikam.com", "relay.contoso.com", "mail.contoso.com")) == "star");
    CHECK(chosen(all, wish("c.example", "relay.contoso.com", "mail.contoso.com")) == "connector");
    CHECK(chosen(all, wish("", "relay.contoso.com", "mail.contoso.com")) == "connector");
    CHECK(chosen(all, wish("", "", "mail.contoso.com")) == "node");
    CHECK(chosen(all, wish("", "unknown.example", "mail.contoso.com")) == "node");
    CHECK(chosen({all[2]}, wish("", "", "mail.contoso.com")) == "connector");
    CHECK(chosen({}, wish("", "", "mail.contoso.com")).empty());
}

TEST_CASE("a pinned certificate is the one that is shown", "[certs][selection]") {
    const std::vector<Given> all{
        {"Node", {"mail.contoso.com"}},
        {"Other", {"other.example"}, Given::self_signed, 10, -1, KeyKind::rsa, true, false},
        {"No key", {"mail.contoso.com"}, Given::valid, 1, 100, KeyKind::ecdsa, false}};
    const auto pinned = [&](std::string_view name) {
        return chosen(all, {name, "mail.contoso.com", "mail.contoso.com", "mail.contoso.com"});
    };

    CHECK(pinned("other") == "Other");
    CHECK(pinned("THUMB-other") == "Other");
    CHECK(pinned("No key").empty());
    CHECK(pinned("gone").empty());
}

// Reference 6.6 steps 3 and 5 to 7.
TEST_CASE("of several for a name the best is chosen", "[certs][selection]") {
    struct Case {
        std::string name;
        std::vector<Given> all;
        std::string chosen;
    };

    const std::vector<std::string> mail{"mail.contoso.com"};
    const std::vector<std::string> star{"*.contoso.com"};
    const auto one = GENERATE_COPY(values<Case>({
        {"the newest", {{"old", mail, Given::valid, 20}, {"new", mail, Given::valid, 5}}, "new"},
        {"issued before self-signed",
         {{"self", mail, Given::self_signed, 1}, {"issued", mail, Given::valid, 50}},
         "issued"},
        {"untrusted before self-signed",
         {{"self", mail, Given::self_signed, 1}, {"internal", mail, Given::untrusted, 50}},
         "internal"},
        {"verifiable before untrusted",
         {{"internal", mail, Given::untrusted, 1}, {"issued", mail, Given::valid, 50}},
         "issued"},
        {"current before expired",
         {{"expired", mail, Given::valid, 50, -1}, {"self", mail, Given::self_signed, 60}},
         "self"},
        {"current before not yet valid",
         {{"future", mail, Given::valid, -2}, {"now", mail, Given::valid, 60}},
         "now"},
        {"expired rather than none", {{"expired", mail, Given::valid, 50, -1}}, "expired"},
        {"exact before wildcard",
         {{"star", star, Given::valid, 1}, {"exact", mail, Given::valid, 50}},
         "exact"},
        {"a current wildcard before an expired exact name",
         {{"star", star, Given::valid, 50}, {"expired", mail, Given::valid, 50, -1}},
         "star"},
        {"no key, no candidate",
         {{"no key", mail, Given::valid, 1, 100, KeyKind::ecdsa, false}, {"key", mail}},
         "key"},
        {"not for SMTP, no candidate",
         {{"https", mail, Given::valid, 1, 100, KeyKind::ecdsa, true, false}, {"smtp", mail}},
         "smtp"},
        {"ECDSA and RSA side by side",
         {{"rsa", mail, Given::valid, 5, 100, KeyKind::rsa}, {"ecdsa", mail, Given::valid, 9}},
         "rsa ecdsa"},
        {"of each kind the newest",
         {{"rsa", mail, Given::valid, 5, 100, KeyKind::rsa},
          {"old", mail, Given::valid, 9},
          {"new", mail, Given::valid, 2}},
         "new rsa"},
        {"no self-signed ECDSA beside an issued RSA",
         {{"rsa", mail, Given::valid, 5, 100, KeyKind::rsa}, {"self", mail, Given::self_signed}},
         "rsa"},
        {"no expired ECDSA beside a current RSA",
         {{"rsa", mail, Given::valid, 5, 100, KeyKind::rsa},
          {"expired", mail, Given::valid, 50, -1}},
         "rsa"},
    }));
    CAPTURE(one.name);

    CHECK(chosen(one.all, {{}, {}, {}, "mail.contoso.com"}) == one.chosen);
}

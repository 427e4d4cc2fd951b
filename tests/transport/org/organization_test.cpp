#include "transport/org/organization.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>

namespace mailflow {

namespace {

AcceptedDomain accepted(
    const char* name, bool include_subdomains = false, bool is_default = false) {
    return {
        (include_subdomains ? "*." : "") + std::string(name),
        DomainName::parse(name).value(),
        include_subdomains,
        AcceptedDomainType::authoritative,
        is_default};
}

std::string found(const Organization& organization, const char* domain) {
    const auto* entry = organization.find_accepted_domain(DomainName::parse(domain).value());
    return entry != nullptr ? entry->name : "none";
}

}  // namespace

TEST_CASE("The most specific accepted domain wins", "[org][organization]") {
    Organization::Parts parts;
    parts.accepted_domains = {
        accepted("contoso.com", true),
        accepted("contoso.com", false, true),
        accepted("eu.contoso.com", true),
        accepted("mail.eu.contoso.com"),
        accepted("fabrikam.com")};
    const Organization organization(std::move(parts));

    CHECK(found(organization, "contoso.com") == "contoso.com");
    CHECK(found(organization, "CONTOSO.com") == "contoso.com");
    CHECK(found(organization, "us.contoso.com") == "*.contoso.com");
    CHECK(found(organization, "eu.contoso.com") == "*.eu.contoso.com");
    CHECK(found(organization, "a.b.eu.contoso.com") == "*.eu.contoso.com");
    CHECK(found(organization, "mail.eu.contoso.com") == "mail.eu.contoso.com");
    CHECK(found(organization, "x.mail.eu.contoso.com") == "*.eu.contoso.com");
    CHECK(found(organization, "fabrikam.com") == "fabrikam.com");
    CHECK(found(organization, "www.fabrikam.com") == "none");
    CHECK(found(organization, "xcontoso.com") == "none");
    CHECK(found(organization, "com") == "none");
    CHECK(organization.default_domain().name == "contoso.com");
}

TEST_CASE("A send connector is found by its name in any case", "[org][organization]") {
    Organization::Parts parts;
    parts.send_connectors.resize(2);
    parts.send_connectors[0].name = "Internet";
    parts.send_connectors[1].name = "Backup";
    const Organization organization(std::move(parts));

    CHECK(organization.find_send_connector("INTERNET") == &organization.send_connectors()[0]);
    CHECK(organization.find_send_connector("Inter") == nullptr);
}

TEST_CASE("An organization without a default domain is a broken invariant", "[org][organization]") {
    const Organization organization({});

    CHECK_THROWS_AS(organization.default_domain(), std::logic_error);
}

}  // namespace mailflow

#include "transport/org/send_connector.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace {

AddressSpace space(std::string_view text) {
    return AddressSpace::parse(text).value();
}

}  // namespace

TEST_CASE("An address space is read in every spelling and written in one", "[org][address_space]") {
    const std::pair<const char*, const char*> table[] = {
        {"*", "smtp:*;1"},
        {"SMTP:*", "smtp:*;1"},
        {"contoso.com", "smtp:contoso.com;1"},
        {"SMTP:contoso.com", "smtp:contoso.com;1"},
        {"smtp:contoso.com;1", "smtp:contoso.com;1"},
        {"Smtp:CONTOSO.com;100", "smtp:contoso.com;100"},
        {"*.com", "smtp:*.com;1"},
        {"smtp:*.contoso.com;5", "smtp:*.contoso.com;5"},
        {" smtp: *.contoso.com ; 5 ", "smtp:*.contoso.com;5"},
        {"*.bücher.example", "smtp:*.xn--bcher-kva.example;1"},
    };

    for (const auto& [text, canonical] : table) {
        INFO(text);
        REQUIRE(AddressSpace::problem(text).empty());
        CHECK(space(text).text() == canonical);
        CHECK(space(canonical) == space(text));
    }
}

TEST_CASE("An illegal address space is refused with the reason in words", "[org][address_space]") {
    const std::pair<const char*, const char*> table[] = {
        {"*contoso.com", "asterisk"},
        {"smtp:a.*.contoso.com", "asterisk"},
        {"*.*", "asterisk"},
        {"**", "asterisk"},
        {"", "domain name"},
        {"*.", "domain name"},
        {"--", "domain name"},
        {"con toso.com", "domain name"},
        {"contoso..com", "domain name"},
        {"contoso.com;0", "1 to 100"},
        {"contoso.com;101", "1 to 100"},
        {"contoso.com;", "1 to 100"},
        {"contoso.com;-1", "1 to 100"},
        {"contoso.com;five", "1 to 100"},
        {"X400:c=US;a=;p=contoso;1", "SMTP only, not \"X400\""},
        {"fax:*", "SMTP only, not \"fax\""},
        {":contoso.com", "SMTP only"},
    };

    for (const auto& [text, reason] : table) {
        INFO(text);
        CHECK_FALSE(AddressSpace::parse(text).has_value());
        CHECK_THAT(AddressSpace::problem(text), Catch::Contains(reason));
    }
}

TEST_CASE(
    "Fact 2: a plain space holds its domain only, a starred one the domain and all below",
    "[org][address_space]") {
    struct Row {
        const char* space;
        const char* domain;
        bool matches;
    };

    const Row table[] = {
        {"*", "contoso.com", true},
        {"*", "[192.0.2.1]", true},
        {"contoso.com", "contoso.com", true},
        {"contoso.com", "CONTOSO.COM", true},
        {"contoso.com", "mail.contoso.com", false},
        {"*.contoso.com", "contoso.com", true},
        {"*.contoso.com", "mail.contoso.com", true},
        {"*.contoso.com", "a.b.Contoso.Com", true},
        {"*.contoso.com", "xcontoso.com", false},
        {"*.contoso.com", "com", false},
        {"*.contoso.com", ".contoso.com.evil", false},
        {"*.com", "contoso.com", true},
        {"*.com", "contoso.org", false},
    };

    for (const auto& row : table) {
        INFO(row.space << " and " << row.domain);
        CHECK(space(row.space).matches(row.domain) == row.matches);
    }
}

TEST_CASE(
    "Specificity: exact before longer suffix before shorter suffix before everything",
    "[org][address_space]") {
    CHECK(
        space("a.co").specificity() > space("*.a-very-long-domain-name.contoso.com").specificity());
    CHECK(space("*.mail.contoso.com").specificity() > space("*.contoso.com").specificity());
    CHECK(space("*.contoso.com").specificity() > space("*.com").specificity());
    CHECK(space("*.com").specificity() > space("*").specificity());
}

TEST_CASE("A smart host is an address with or without brackets, or a name", "[org][smart_host]") {
    const std::pair<const char*, const char*> table[] = {
        {"127.0.0.1", "[127.0.0.1]"},
        {"[127.0.0.1]", "[127.0.0.1]"},
        {"[2001:db8::1]", "[IPv6:2001:db8::1]"},
        {"2001:db8::1", "[IPv6:2001:db8::1]"},
        {"[ipv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
        {"Relay.Contoso.Com", "relay.contoso.com"},
        {" relay ", "relay"},
    };
    std::vector<SmartHost> hosts;

    for (const auto& [text, canonical] : table) {
        INFO(text);
        const auto host = parse_smart_host(text);
        REQUIRE(host.has_value());
        CHECK(to_text(*host) == canonical);
        CHECK(parse_smart_host(canonical).value() == *host);
        hosts.push_back(*host);
    }

    hosts.resize(3);
    CHECK(to_text(hosts) == "[127.0.0.1],[127.0.0.1],[IPv6:2001:db8::1]");
}

TEST_CASE("A text that names no host is no smart host", "[org][smart_host]") {
    for (const auto* text :
         {"",
          "[]",
          "[relay.contoso.com]",
          "127.0.0.1:25",
          "a b",
          "0.0.0.0",
          "[::]",
          "224.0.0.1",
          "256.1.1.1"}) {
        INFO(text);
        CHECK_FALSE(parse_smart_host(text).has_value());
    }
}

}  // namespace mailflow

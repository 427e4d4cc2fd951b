#include "config/validation.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace mailflow {

namespace {

AcceptedDomain domain(const std::string& name, bool is_default = false) {
    const bool wildcard = name.starts_with("*.");
    return {
        .name = name,
        .domain = DomainName::parse(wildcard ? name.substr(2) : name).value(),
        .include_subdomains = wildcard,
        .is_default = is_default};
}

ReceiveConnector connector(
    const std::string& name,
    const std::vector<std::string>& bindings,
    const std::vector<std::string>& ranges) {
    ReceiveConnector made;
    made.name = name;
    for (const auto& text : bindings)
        made.bindings.push_back(Endpoint::parse(text).value());
    for (const auto& text : ranges)
        made.remote_ranges.push_back(IpRange::parse(text).value());
    made.permission_groups = static_cast<std::uint8_t>(PermissionGroup::anonymous);
    return made;
}

SendConnector send_connector(const std::string& name, const std::vector<std::string>& spaces) {
    SendConnector made;
    made.name = name;
    for (const auto& text : spaces)
        made.address_spaces.push_back(AddressSpace::parse(text).value());
    made.source_servers = {"mail.contoso.com"};
    return made;
}

Organization::Parts sound_parts() {
    Organization::Parts parts;
    parts.node.fqdn = "mail.contoso.com";
    parts.accepted_domains = {domain("contoso.com", true)};
    parts.receive_connectors = {
        connector("Default", {"0.0.0.0:25", "[::]:25"}, {"0.0.0.0-255.255.255.255", "::/0"})};
    parts.send_connectors = {send_connector("Internet", {"smtp:*"})};
    return parts;
}

std::string problems_of(const Organization::Parts& parts) {
    std::string all;
    for (const auto& problem : find_problems(parts))
        all += problem.text() + "\n";
    return all;
}

std::string warnings_of(const Organization::Parts& parts) {
    std::string all;
    for (const auto& warning : find_warnings(parts))
        all += warning + "\n";
    return all;
}

}  // namespace

TEST_CASE("a sound organization has neither problems nor warnings", "[config][validation]") {
    CHECK(problems_of(sound_parts()) == "");
    CHECK(warnings_of(sound_parts()) == "");
}

TEST_CASE("routing is by MX or by smart hosts, never both or neither", "[config][validation]") {
    auto both = sound_parts();
    both.send_connectors[0].smart_hosts = {parse_smart_host("192.0.2.1").value()};
    auto neither = sound_parts();
    neither.send_connectors[0].routing = SendRouting::smart_hosts;

    CHECK(
        problems_of(both) ==
        "send-connector \"Internet\", routing: mx cannot stand together with smart_hosts: set "
        "routing to smart-hosts, or take the smart hosts away\n");
    CHECK(
        problems_of(neither) ==
        "send-connector \"Internet\", smart_hosts: routing smart-hosts needs at least one smart "
        "host\n");
}

TEST_CASE("source servers are known nodes and never none", "[config][validation]") {
    auto known = sound_parts();
    known.nodes = {{"here", "mail.contoso.com"}, {"there", "mx2.contoso.com", "paris"}};
    known.send_connectors[0].source_servers = {"MX2.contoso.com"};
    auto none = sound_parts();
    none.send_connectors[0].source_servers.clear();
    auto unknown = sound_parts();
    unknown.nodes = known.nodes;
    unknown.send_connectors[0].source_servers = {"MAIL.contoso.com", "other.contoso.com"};

    CHECK(problems_of(known) == "");
    CHECK(
        problems_of(none) ==
        "send-connector \"Internet\", source_servers: needs at least one node: write "
        "mail.contoso.com\n");
    CHECK(
        problems_of(unknown) ==
        "send-connector \"Internet\", source_servers: other.contoso.com is not a known node: write "
        "mail.contoso.com or mx2.contoso.com, or make it known first, with smtpctl node create "
        "other.contoso.com\n");
}

TEST_CASE("nodes have a name each, and this one its own site", "[config][validation]") {
    auto twice = sound_parts();
    twice.nodes = {{"a", "mx2.contoso.com"}, {"b", "MX2.contoso.com"}};
    auto moved = sound_parts();
    moved.nodes = {{"here", "mail.contoso.com", "paris"}};

    CHECK(
        problems_of(twice) ==
        "node \"b\", fqdn: MX2.contoso.com is that of node \"a\": write another, or remove one of "
        "the two\n");
    CHECK(
        problems_of(moved) ==
        "node \"here\", site: this is the node itself, whose site is \"default\" by [node] of its "
        "bootstrap file: change it there and start again\n");
}

namespace {

// By smart host, with all that needs TLS and a log-in in order.
SendConnector careful_connector() {
    auto made = send_connector("Out", {"smtp:*"});
    made.routing = SendRouting::smart_hosts;
    made.smart_hosts = {parse_smart_host("relay.contoso.com").value()};
    made.require_tls = true;
    made.tls_auth_level = TlsAuthLevel::domain_validation;
    made.tls_domain = "relay.contoso.com";
    made.auth = SmartHostAuth::basic_require_tls;
    made.username = "mailflow";
    made.password = "sealed:x";
    return made;
}

void log_in_by_oauth2(SendConnector& connector) {
    connector.auth = SmartHostAuth::oauth2;
    connector.password.clear();
    connector.oauth2 = {"https://login.contoso.com/token", "mailflow", "", "sealed:x", "sealed:y"};
}

}  // namespace

TEST_CASE("fields of a send connector that cannot stand together", "[config][validation][send]") {
    struct Row {
        std::string what;
        void (*change)(SendConnector&);
        std::string says;  // one problem; empty: legal
    };

    const std::vector<Row> table = {
        {"all in order", [](SendConnector&) {}, ""},
        {"oauth2", log_in_by_oauth2, ""},
        {"no TLS and no log-in",
         [](SendConnector& c) { c = send_connector("Out", {"smtp:*"}); },
         ""},
        {"STARTTLS ignored",
         [](SendConnector& c) {
             c.ignore_starttls = true;
             c.auth = SmartHostAuth::basic;
         },
         "require_tls: cannot stand together with ignore_starttls"},
        {"HELO",
         [](SendConnector& c) {
             c.force_helo = true;
             c.auth = SmartHostAuth::none;
         },
         "require_tls: cannot stand together with force_helo"},
        {"a level without TLS",
         [](SendConnector& c) { c.require_tls = false; },
         "tls_auth_level: needs require_tls"},
        {"a name without its level",
         [](SendConnector& c) { c.tls_auth_level = TlsAuthLevel::certificate_validation; },
         "tls_domain: is compared by tls_auth_level domain-validation only"},
        {"a name without any level",
         [](SendConnector& c) { c.tls_auth_level.reset(); },
         "tls_domain: is compared by tls_auth_level domain-validation only"},
        {"smart hosts without a name",
         [](SendConnector& c) { c.tls_domain.clear(); },
         "tls_domain: is needed by tls_auth_level domain-validation with smart_hosts"},
        {"MX without a name",
         [](SendConnector& c) {
             c.auth = SmartHostAuth::none;
             c.routing = SendRouting::mx;
             c.smart_hosts.clear();
             c.tls_domain.clear();
         },
         ""},
        {"no user name",
         [](SendConnector& c) { c.username.clear(); },
         "username: is needed by auth basic-require-tls"},
        {"no password",
         [](SendConnector& c) { c.password.clear(); },
         "password: is needed by auth basic-require-tls: give it with --password -"},
        {"log-in by MX",
         [](SendConnector& c) {
             c.routing = SendRouting::mx;
             c.smart_hosts.clear();
         },
         "auth: is for smart hosts, and routing is mx"},
        {"log-in after HELO",
         [](SendConnector& c) {
             c.force_helo = true;
             c.require_tls = false;
             c.tls_auth_level.reset();
             c.tls_domain.clear();
         },
         "auth: cannot stand together with force_helo"},
        {"no token URL",
         [](SendConnector& c) {
             log_in_by_oauth2(c);
             c.oauth2.token_url = "http://login.contoso.com/";
         },
         "oauth2_token_url: is needed by auth oauth2 and begins with https://"},
        {"no client id",
         [](SendConnector& c) {
             log_in_by_oauth2(c);
             c.oauth2.client_id.clear();
         },
         "oauth2_client_id: is needed by auth oauth2"},
        {"no secret at all",
         [](SendConnector& c) {
             log_in_by_oauth2(c);
             c.oauth2.client_secret.clear();
             c.oauth2.refresh_token.clear();
         },
         "oauth2_client_secret: or oauth2_refresh_token is needed"},
        {"a refresh token alone",
         [](SendConnector& c) {
             log_in_by_oauth2(c);
             c.oauth2.client_secret.clear();
         },
         ""},
        {"replies",
         [](SendConnector& c) {
             c.error_policies.downgrade_replies = {"550", "5.7.1", "5.7.606"};
             c.error_policies.upgrade_replies = {"450", "4.7.1"};
         },
         ""},
        {"a good reply is no failure",
         [](SendConnector& c) { c.error_policies.downgrade_replies = {"450"}; },
         "downgrade_replies: \"450\" is not allowed: write a reply code"},
        {"half a status",
         [](SendConnector& c) { c.error_policies.upgrade_replies = {"4.7"}; },
         "upgrade_replies: \"4.7\" is not allowed"},
        {"more to one than to all",
         [](SendConnector& c) {
             c.max_outbound_connections = 5;
             c.max_per_domain_outbound_connections = 6;
         },
         "max_per_domain_outbound_connections: 6 is more than max_outbound_connections, which is "
         "5"},
    };
    for (const auto& row : table) {
        INFO(row.what);
        auto parts = sound_parts();
        parts.send_connectors[0] = careful_connector();
        row.change(parts.send_connectors[0]);

        const auto said = problems_of(parts);

        if (row.says.empty()) {
            CHECK(said == "");
        } else {
            CHECK_THAT(said, Catch::Contains("send-connector \"Out\", " + row.says));
            CHECK(std::count(said.begin(), said.end(), '\n') == 1);
        }
    }
}

TEST_CASE("one address space has one cost in a connector", "[config][validation]") {
    auto parts = sound_parts();
    parts.send_connectors[0] = send_connector("Internet", {"smtp:*;5", "smtp:*"});

    CHECK_THAT(problems_of(parts), Catch::Contains("are one space with two costs"));
}

TEST_CASE("ranges of connectors on one binding are disjoint or nested", "[config][validation]") {
    struct Row {
        std::string binding;
        std::vector<std::string> ranges;
        std::string says;  // empty: legal
    };

    const std::vector<Row> table = {
        {"0.0.0.0:25", {"10.0.0.0/8"}, ""},
        {"0.0.0.0:26", {"0.0.0.0-255.255.255.255"}, ""},
        {"0.0.0.0:25",
         {"0.0.0.0/0"},
         "0.0.0.0-255.255.255.255 on 0.0.0.0:25 is already served by receive-connector \"Other\": "
         "give one of them another binding or a smaller range"},
        // The binding that names the address wins: two connectors, two answers.
        {"192.0.2.1:25", {"0.0.0.0-255.255.255.255"}, ""},
        {"0.0.0.0:25",
         {"192.168.0.128-192.168.1.255"},
         "overlaps with 192.168.0.128-192.168.1.255 of receive-connector \"Other\": make them "
         "disjoint, or let one range contain the other"},
        {"192.0.2.1:25", {"192.168.0.128-192.168.1.255"}, "overlaps with"},
        {"192.0.2.1:26", {"192.168.0.128-192.168.1.255"}, ""},
        {"[::]:25", {"192.168.0.128-192.168.1.255"}, ""},
        {"0.0.0.0:25", {"192.168.0.0-192.168.0.127"}, ""},
    };
    for (const auto& row : table) {
        INFO(row.binding << " " << row.ranges.front());
        auto parts = sound_parts();
        parts.receive_connectors = {
            connector("Default", {"0.0.0.0:25"}, {"0.0.0.0-255.255.255.255"}),
            connector("LAN", {"0.0.0.0:25"}, {"192.168.0.0-192.168.0.255"}),
            connector("Other", {row.binding}, row.ranges)};
        if (row.says.empty()) {
            CHECK(problems_of(parts) == "");
        } else {
            CHECK_THAT(problems_of(parts), Catch::Contains(row.says));
        }
    }
}

TEST_CASE("bindings to port 0 pick a free port each, so they never meet", "[config][validation]") {
    auto parts = sound_parts();
    parts.receive_connectors = {
        connector("A", {"127.0.0.1:0"}, {"0.0.0.0/0"}),
        connector("B", {"127.0.0.1:0"}, {"0.0.0.0/0"})};

    CHECK(problems_of(parts) == "");
}

TEST_CASE("a banner is a whole greeting line", "[config][validation]") {
    struct Row {
        std::string banner;
        bool legal;
    };

    const std::vector<Row> table = {
        {"", true},
        {"220 mail.contoso.com ESMTP", true},
        {"220 ", false},
        {"250 mail", false},
        {"mail.contoso.com", false},
        {"220 b\xC3\xBCro", false},
        {"220 " + std::string(506, 'x'), true},
        {"220 " + std::string(507, 'x'), false},
    };
    for (const auto& row : table) {
        INFO(row.banner);
        auto parts = sound_parts();
        parts.receive_connectors[0].banner = row.banner;
        CHECK(problems_of(parts).empty() == row.legal);
    }
}

TEST_CASE("silence ends a session before its age does", "[config][validation]") {
    auto parts = sound_parts();
    parts.receive_connectors[0].connection_inactivity_timeout = std::chrono::minutes(10);

    CHECK(
        problems_of(parts) ==
        "receive-connector \"Default\", connection_inactivity_timeout: 10m is not less than "
        "connection_timeout, which is 10m: lower this one or raise the other\n");
}

TEST_CASE("an accepted domain is there once, and exactly one is default", "[config][validation]") {
    auto twice = sound_parts();
    twice.accepted_domains.push_back(domain("contoso.com"));
    twice.accepted_domains[1].name = "Copy";
    auto wildcard = sound_parts();
    wildcard.accepted_domains.push_back(domain("*.contoso.com"));
    auto none = sound_parts();
    none.accepted_domains[0].is_default = false;
    auto two = sound_parts();
    two.accepted_domains.push_back(domain("fabrikam.com", true));

    CHECK(
        problems_of(twice) ==
        "accepted-domain \"Copy\", domain: contoso.com is already the domain of accepted-domain "
        "\"contoso.com\"\n");
    CHECK(problems_of(wildcard) == "");
    CHECK_THAT(problems_of(none), Catch::Contains("no accepted domain would be the default"));
    CHECK_THAT(problems_of(two), Catch::Contains("more than one accepted domain"));
}

namespace {

constexpr auto kPlain = static_cast<std::uint8_t>(AuthMechanism::plain);
constexpr auto kPlus = static_cast<std::uint8_t>(AuthMechanism::scram_sha_256_plus);
constexpr auto kExternal = static_cast<std::uint8_t>(AuthMechanism::external);
constexpr auto kAuthenticated = static_cast<std::uint8_t>(PermissionGroup::authenticated);
constexpr auto kPartners = static_cast<std::uint8_t>(PermissionGroup::partners);

struct Rule {
    void (*change)(ReceiveConnector&);
    std::string says;  // empty: nothing
};

}  // namespace

TEST_CASE("what a connector's fields cannot be beside each other", "[config][validation]") {
    const std::vector<Rule> table = {
        {[](auto& c) {
             c.tls = TlsMode::none;
             c.auth_mechanisms = kPlain;
         },
         "auth_requires_tls: nobody could ever log in, because tls is none"},
        {[](auto& c) {
             c.tls = TlsMode::none;
             c.auth_mechanisms = kPlain;
             c.auth_requires_tls = false;
         },
         ""},
        {[](auto& c) { c.tls = TlsMode::none; }, ""},
        {[](auto& c) {
             c.tls = TlsMode::none;
             c.auth_mechanisms = kPlus;
             c.auth_requires_tls = false;
         },
         "auth_mechanisms: scram-sha-256-plus works inside TLS only, and tls is none"},
        {[](auto& c) {
             c.tls = TlsMode::none;
             c.auth_mechanisms = kExternal;
             c.auth_requires_tls = false;
         },
         "auth_mechanisms: external works inside TLS only, and tls is none"},
        {[](auto& c) { c.auth_mechanisms = kExternal; },
         "auth_mechanisms: external logs in by the client's certificate, and client_certificates "
         "is none"},
        {[](auto& c) {
             c.auth_mechanisms = kExternal;
             c.client_certificates = ClientCertificates::request;
         },
         ""},
        {[](auto& c) {
             c.tls = TlsMode::none;
             c.client_certificates = ClientCertificates::require;
         },
         "client_certificates: certificates are shown inside TLS only, and tls is none"},
        {[](auto& c) { c.extensions.chunking = false; },
         "binary_mime_enabled: binary messages come by BDAT, and chunking_enabled is false"},
        {[](auto& c) {
             c.extensions.chunking = false;
             c.extensions.binary_mime = false;
         },
         ""},
        {[](auto& c) { c.default_domain = "fabrikam.com"; },
         "default_domain: fabrikam.com is not an accepted domain; create it first"},
        {[](auto& c) { c.default_domain = "contoso.com"; }, ""},
        {[](auto& c) { c.remote_ranges.clear(); },
         "remote_ranges: is empty, so that no client would be served"},
        {[](auto& c) {
             c.remote_ranges = {IpRange::parse("192.0.2.0/24").value()};
             c.xclient_from = {IpRange::parse("192.0.2.0-192.0.3.1").value()};
         },
         "xclient_from: 192.0.2.0-192.0.3.1 does not lie within remote_ranges"},
        {[](auto& c) {
             c.remote_ranges = {IpRange::parse("192.0.2.0/24").value()};
             c.proxy_protocol_from = {IpRange::parse("10.0.0.2").value()};
             c.xclient_from = {IpRange::parse("192.0.2.7").value()};
         },
         ""},
    };
    for (const auto& row : table) {
        INFO(row.says);
        auto parts = sound_parts();
        row.change(parts.receive_connectors[0]);
        if (row.says.empty()) {
            CHECK(problems_of(parts) == "");
        } else {
            CHECK_THAT(
                problems_of(parts),
                Catch::StartsWith("receive-connector \"Default\", " + row.says));
            CHECK(find_problems(parts).size() == 1);
        }
    }
}

TEST_CASE("what a connector's fields are probably not meant to be", "[config][validation]") {
    const std::vector<Rule> table = {
        {[](auto& c) { c.permission_groups |= kAuthenticated; },
         "the permission group authenticated and no auth_mechanisms: nobody can log in"},
        {[](auto& c) { c.auth_mechanisms = kPlain; },
         "auth_mechanisms and not the permission group authenticated: who logs in may not send"},
        {[](auto& c) {
             c.auth_mechanisms = kPlain;
             c.permission_groups |= kAuthenticated;
         },
         ""},
        {[](auto& c) {
             c.auth_mechanisms = kPlain;
             c.permission_groups |= kAuthenticated;
             c.auth_requires_tls = false;
         },
         "takes passwords outside TLS"},
        {[](auto& c) {
             c.bindings = {Endpoint::parse("0.0.0.0:465").value()};
             c.auth_mechanisms = kPlain;
             c.permission_groups |= kAuthenticated;
             c.auth_requires_tls = false;
             c.tls = TlsMode::implicit;
         },
         ""},
        {[](auto& c) { c.permission_groups |= kPartners; }, "nobody can be a partner"},
        {[](auto& c) { c.tls = TlsMode::required; }, "demands TLS: hosts without it cannot send"},
        {[](auto& c) { c.tls = TlsMode::implicit; }, "demands TLS: hosts without it cannot send"},
        {[](auto& c) { c.proxy_protocol_from = {IpRange::parse("0.0.0.0/0").value()}; },
         "proxy_protocol_from holds a part of the Internet"},
        {[](auto& c) { c.xclient_from = {IpRange::parse("::/0").value()}; },
         "xclient_from holds a part of the Internet"},
        {[](auto& c) { c.proxy_protocol_from = {IpRange::parse("10.0.0.0/8").value()}; }, ""},
        {[](auto& c) { c.sender_policy = SenderPolicy::fix; },
         "sender_policy does nothing while submission is false"},
        {[](auto& c) { c.default_domain = "contoso.com"; },
         "default_domain does nothing while submission is false"},
        {[](auto& c) {
             c.submission = true;
             c.sender_policy = SenderPolicy::fix;
             c.default_domain = "contoso.com";
         },
         ""},
        {[](auto& c) {
             c.tls = TlsMode::none;
             c.certificate = "mail";
         },
         "certificate does nothing while tls is none"},
        {[](auto& c) {
             c.message_rate_source = MessageRateSource::none;
             c.recipient_rate_limit_per_hour = 5;
         },
         "rate limits do nothing while message_rate_source is none"},
    };
    for (const auto& row : table) {
        INFO(row.says);
        auto parts = sound_parts();
        row.change(parts.receive_connectors[0]);
        if (row.says.empty()) {
            CHECK(warnings_of(parts) == "");
        } else {
            CHECK_THAT(warnings_of(parts), Catch::StartsWith("receive-connector \"Default\""));
            CHECK_THAT(warnings_of(parts), Catch::Contains(row.says));
            CHECK(find_warnings(parts).size() == 1);
        }
    }
}

TEST_CASE("hosts somebody listed are not the Internet", "[config][validation]") {
    struct Row {
        std::string range;
        bool world;
    };

    const std::vector<Row> table = {
        {"192.0.2.7", false},
        {"192.0.2.0/24", false},
        {"198.51.0.0/16", false},
        {"198.50.0.0/15", true},
        {"10.0.0.0/8", false},
        {"127.0.0.0/8", false},
        {"0.0.0.0/0", true},
        {"2001:db8::/32", false},
        {"2001:db0::/28", true},
        {"fc00::/7", false},
        {"::/0", true},
    };
    for (const auto& row : table) {
        INFO(row.range);
        auto parts = sound_parts();
        parts.receive_connectors[0].remote_ranges = {IpRange::parse(row.range).value()};
        CHECK(warnings_of(parts).empty() == row.world);
        parts.receive_connectors[0].permissions =
            static_cast<PermissionSet>(Permission::any_recipient);
        CHECK((warnings_of(parts).find("relays mail") != std::string::npos) == row.world);
    }
}

TEST_CASE("what shuts out the world or lets it relay is warned of", "[config][validation]") {
    auto closed = sound_parts();
    closed.receive_connectors[0].enabled = false;
    auto inside = sound_parts();
    inside.receive_connectors[0] = connector("LAN", {"0.0.0.0:25"}, {"10.0.0.0/8", "127.0.0.0/8"});
    auto relay = sound_parts();
    relay.receive_connectors[0].permissions = static_cast<PermissionSet>(Permission::any_recipient);
    auto late = sound_parts();
    late.transport.delay_notification_timeout = late.transport.message_expiration_timeout;

    CHECK(warnings_of(closed) == "no receive connector is left that takes mail from outside\n");
    CHECK(warnings_of(inside) == "no receive connector is left that takes mail from outside\n");
    CHECK_THAT(warnings_of(relay), Catch::Contains("relays mail of anybody to anybody"));
    CHECK_THAT(warnings_of(late), Catch::Contains("senders will never be told of a delay"));
}

}  // namespace mailflow

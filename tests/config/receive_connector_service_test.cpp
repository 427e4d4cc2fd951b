// Receive connectors through the service: first start, usages, what a change asks the world.
#include "tests/config/service_fixture.hpp"
#include "transport/base/error.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace json = boost::json;
using Status = ChangeOutcome::Status;

namespace {

constexpr const char* kDefault = "Default Frontend mail.contoso.com";

Endpoint endpoint(const char* text) {
    return Endpoint::parse(text).value();
}

const ReceiveConnector& connector(const ServiceFixture& fixture, std::string_view name) {
    for (const auto& found : fixture.published.back()->receive_connectors()) {
        if (found.name == name) return found;
    }
    throw std::logic_error("no connector " + std::string(name));
}

json::object printers() {
    return {
        {"remote_ranges", {"192.0.2.0/24"}},
        {"permission_groups", {"anonymous"}},
        {"permissions", {"any-recipient"}},
        {"bindings", {"127.0.0.1:2525"}}};
}

}  // namespace

TEST_CASE("the first start makes a connector for each port it is given", "[config][service]") {
    const ServiceFixture fixture(
        {"contoso.com",
         {endpoint("127.0.0.1:0")},
         {endpoint("127.0.0.1:0"), endpoint("[::1]:0")},
         {endpoint("127.0.0.1:0")}});

    REQUIRE(fixture.published.back()->receive_connectors().size() == 3);
    const auto& open = connector(fixture, kDefault);
    CHECK(open.tls == TlsMode::opportunistic);
    CHECK(open.protocol_log == ProtocolLogging::verbose);
    CHECK(open.auth_mechanisms == 0);
    CHECK_FALSE(open.submission);
    const auto& client = connector(fixture, "Client Frontend mail.contoso.com");
    CHECK(client.bindings.size() == 2);
    CHECK(client.tls == TlsMode::opportunistic);
    CHECK(client.auth_requires_tls);
    CHECK(client.protocol_log == ProtocolLogging::none);
    CHECK(has(authenticated_rights(client), Permission::any_recipient));
    CHECK_FALSE(has(anonymous_rights(client), Permission::submit));
    const auto& implicit = connector(fixture, "Client Frontend TLS mail.contoso.com");
    CHECK(implicit.tls == TlsMode::implicit);
    CHECK(implicit.auth_mechanisms == client.auth_mechanisms);
    CHECK(implicit.submission);
}

TEST_CASE("default connectors on one port are refused before anything is stored", "[config]") {
    TestLane test;
    MemoryObjectStore objects;
    MemoryRecipientStore recipients;
    OrganizationService service({objects, recipients, {"mail.contoso.com", "default"}, nullptr});

    const auto first =
        test.run(service.open({"contoso.com", {endpoint("0.0.0.0:25")}, {endpoint("0.0.0.0:25")}}));
    const auto second = test.run(
        service.open({"contoso.com", {endpoint("0.0.0.0:25")}, {endpoint("0.0.0.0:587")}}));

    REQUIRE(first.has_value());
    REQUIRE_FALSE(first->empty());
    CHECK_THAT((*first)[0].text(), Catch::Contains("Default Frontend mail.contoso.com"));
    CHECK_THAT((*first)[0].text(), Catch::Contains("Client Frontend mail.contoso.com"));
    REQUIRE(second.has_value());
    CHECK(second->empty());
}

TEST_CASE("a connector made of nothing has the defaults of the flow", "[config][service]") {
    ServiceFixture fixture;
    REQUIRE(fixture.create("receive-connector", "Plain", {{"bindings", {"127.0.0.1:26"}}}).ok());
    const auto& made = connector(fixture, "Plain");
    const ReceiveConnector standard;

    CHECK(made.enabled == standard.enabled);
    CHECK(made.tls == standard.tls);
    CHECK(made.client_certificates == standard.client_certificates);
    CHECK(made.auth_mechanisms == standard.auth_mechanisms);
    CHECK(made.auth_requires_tls == standard.auth_requires_tls);
    CHECK(made.permission_groups == standard.permission_groups);
    CHECK(made.permissions == standard.permissions);
    CHECK(made.submission == standard.submission);
    CHECK(made.sender_policy == standard.sender_policy);
    CHECK(made.extensions.size == standard.extensions.size);
    CHECK(made.extensions.pipelining == standard.extensions.pipelining);
    CHECK(made.extensions.eight_bit_mime == standard.extensions.eight_bit_mime);
    CHECK(made.extensions.binary_mime == standard.extensions.binary_mime);
    CHECK(made.extensions.chunking == standard.extensions.chunking);
    CHECK(made.extensions.smtputf8 == standard.extensions.smtputf8);
    CHECK(
        made.extensions.delivery_status_notification ==
        standard.extensions.delivery_status_notification);
    CHECK(made.extensions.enhanced_status_codes == standard.extensions.enhanced_status_codes);
    CHECK(made.extensions.require_tls == standard.extensions.require_tls);
    CHECK(made.extensions.limits == standard.extensions.limits);
    CHECK(made.extensions.mt_priority == standard.extensions.mt_priority);
    CHECK(made.extensions.future_release == standard.extensions.future_release);
    CHECK(made.extensions.deliver_by == standard.extensions.deliver_by);
    CHECK(made.verify == standard.verify);
    CHECK(made.require_ehlo_domain == standard.require_ehlo_domain);
    CHECK(made.bare_newline == standard.bare_newline);
    CHECK(
        made.reject_reserved_top_level_recipient_domains ==
        standard.reject_reserved_top_level_recipient_domains);
    CHECK(
        made.reject_single_label_recipient_domains ==
        standard.reject_single_label_recipient_domains);
    CHECK(made.max_message_size == 36ULL << 20);  // decisions: the defaults that fit together
    CHECK(made.max_header_size == standard.max_header_size);
    CHECK(made.max_hop_count == standard.max_hop_count);
    CHECK(made.max_local_hop_count == standard.max_local_hop_count);
    CHECK(made.max_recipients_per_message == standard.max_recipients_per_message);
    CHECK(made.max_protocol_errors == standard.max_protocol_errors);
    CHECK(made.max_logon_failures == standard.max_logon_failures);
    CHECK(made.max_inbound_connection == standard.max_inbound_connection);
    CHECK(made.max_inbound_connection_per_source == standard.max_inbound_connection_per_source);
    CHECK(made.message_rate_source == standard.message_rate_source);
    CHECK(made.message_rate_limit == standard.message_rate_limit);
    CHECK(made.recipient_rate_limit_per_hour == standard.recipient_rate_limit_per_hour);
    CHECK(made.min_data_rate == standard.min_data_rate);
    CHECK(made.connection_timeout == standard.connection_timeout);
    CHECK(made.connection_inactivity_timeout == standard.connection_inactivity_timeout);
    CHECK(made.tarpit_interval == standard.tarpit_interval);
    CHECK(made.auth_tarpit_interval == standard.auth_tarpit_interval);
    CHECK(made.protocol_log == standard.protocol_log);
}

TEST_CASE("every field that is set reaches the flow", "[config][service]") {
    ServiceFixture fixture;

    const auto outcome = fixture.create(
        "receive-connector",
        "All",
        {{"comment", "a note"},
         {"bindings", {"127.0.0.1:26"}},
         {"remote_ranges", {"10.0.0.0/8"}},
         {"tls", "required"},
         {"certificate", "mail"},
         {"client_certificates", "request"},
         {"auth_mechanisms", {"plain", "login", "scram-sha-256", "scram_sha_256_plus", "external"}},
         {"auth_requires_tls", false},
         {"permission_groups", {"authenticated", "partners"}},
         {"permissions", {"any-sender", "accept-organization-headers"}},
         {"submission", true},
         {"sender_policy", "fix"},
         {"default_domain", "Contoso.com"},
         {"size_enabled", "enabled-without-value"},
         {"pipelining_enabled", false},
         {"eight_bit_mime_enabled", false},
         {"binary_mime_enabled", false},
         {"chunking_enabled", false},
         {"smtp_utf8_enabled", false},
         {"delivery_status_notification_enabled", false},
         {"enhanced_status_codes_enabled", false},
         {"require_tls_enabled", false},
         {"limits_enabled", false},
         {"mt_priority_enabled", false},
         {"future_release_enabled", false},
         {"deliver_by_enabled", false},
         {"verify", "authenticated"},
         {"require_ehlo_domain", true},
         {"bare_newline", "normalize"},
         {"reject_reserved_top_level_recipient_domains", true},
         {"reject_reserved_second_level_recipient_domains", true},
         {"reject_single_label_recipient_domains", true},
         {"max_header_size", "64 KB"},
         {"max_hop_count", 10},
         {"max_local_hop_count", 0},
         {"max_logon_failures", 0},
         {"message_rate_source", "all"},
         {"message_rate_limit", 1},
         {"message_rate_limit_per_hour", 2},
         {"recipient_rate_limit", 3},
         {"recipient_rate_limit_per_hour", 4},
         {"min_data_rate", 5},
         {"auth_tarpit_interval", "500ms"},
         {"proxy_protocol_from", {"10.0.0.1"}},
         {"xclient_from", {"10.0.0.2"}},
         {"protocol_log", "verbose"}});

    REQUIRE(
        said(outcome) ==
        "warning: receive-connector \"All\": there is no certificate \"mail\"; "
        "TLS is not offered until there is\n");
    const auto& made = connector(fixture, "All");
    CHECK(made.comment == "a note");
    CHECK(made.tls == TlsMode::required);
    CHECK(made.certificate == "mail");
    CHECK(made.client_certificates == ClientCertificates::request);
    CHECK(made.auth_mechanisms == 31);
    CHECK_FALSE(made.auth_requires_tls);
    CHECK(made.permission_groups == 6);
    CHECK(made.permissions == (4 | 64));
    CHECK(made.submission);
    CHECK(made.sender_policy == SenderPolicy::fix);
    CHECK(made.default_domain == "contoso.com");
    CHECK(made.extensions.size == SizeAnnouncement::enabled_without_value);
    CHECK_FALSE(made.extensions.pipelining);
    CHECK_FALSE(made.extensions.eight_bit_mime);
    CHECK_FALSE(made.extensions.binary_mime);
    CHECK_FALSE(made.extensions.chunking);
    CHECK_FALSE(made.extensions.smtputf8);
    CHECK_FALSE(made.extensions.delivery_status_notification);
    CHECK_FALSE(made.extensions.enhanced_status_codes);
    CHECK_FALSE(made.extensions.require_tls);
    CHECK_FALSE(made.extensions.limits);
    CHECK_FALSE(made.extensions.mt_priority);
    CHECK_FALSE(made.extensions.future_release);
    CHECK_FALSE(made.extensions.deliver_by);
    CHECK(made.verify == VerifyPolicy::authenticated);
    CHECK(made.require_ehlo_domain);
    CHECK(made.bare_newline == BareNewline::normalize);
    CHECK(made.reject_reserved_top_level_recipient_domains);
    CHECK(made.reject_reserved_second_level_recipient_domains);
    CHECK(made.reject_single_label_recipient_domains);
    CHECK(made.max_header_size == 65536);
    CHECK(made.max_hop_count == 10);
    CHECK(made.max_local_hop_count == 0);
    CHECK(made.max_logon_failures == 0);
    CHECK(made.message_rate_source == MessageRateSource::all);
    CHECK(made.message_rate_limit == 1U);
    CHECK(made.message_rate_limit_per_hour == 2U);
    CHECK(made.recipient_rate_limit == 3U);
    CHECK(made.recipient_rate_limit_per_hour == 4U);
    CHECK(made.min_data_rate == 5);
    CHECK(made.auth_tarpit_interval == std::chrono::milliseconds(500));
    CHECK(made.proxy_protocol_from.size() == 1);
    CHECK(made.xclient_from.size() == 1);
    CHECK(made.protocol_log == ProtocolLogging::verbose);
}

TEST_CASE("a usage fills what is not given", "[config][service][usage]") {
    struct Row {
        json::object fields;
        json::object made;  // some fields of the outcome
    };

    const std::vector<Row> table = {
        {{{"usage", "client"}},
         {{"bindings", {"0.0.0.0:587", "[::]:587"}},
          {"permission_groups", {"authenticated"}},
          {"auth_mechanisms", {"plain", "login", "scram-sha-256", "scram-sha-256-plus"}},
          {"auth_requires_tls", true},
          {"submission", true},
          {"tls", "opportunistic"},
          {"message_rate_source", "user"},
          {"message_rate_limit", 100},
          {"recipient_rate_limit", 1000}}},
        {{{"usage", "Client"}, {"tls", "implicit"}}, {{"bindings", {"0.0.0.0:465", "[::]:465"}}}},
        {{{"usage", "client"},
          {"bindings", {"127.0.0.1:2587"}},
          {"submission", false},
          {"auth_mechanisms", json::array()},
          {"message_rate_limit", "unlimited"}},
         {{"bindings", {"127.0.0.1:2587"}},
          {"submission", false},
          {"auth_mechanisms", json::array()},
          {"message_rate_limit", "unlimited"},
          {"recipient_rate_limit", 1000}}},
        {{{"usage", "internal"}, {"remote_ranges", {"10.0.0.25"}}},
         {{"bindings", {"0.0.0.0:25", "[::]:25"}}, {"permission_groups", {"trusted"}}}},
        {{{"usage", "partner"},
          {"bindings", {"0.0.0.0:25"}},
          {"remote_ranges", {"198.51.100.0/28"}}},
         {{"permission_groups", {"partners"}},
          {"tls", "required"},
          {"client_certificates", "require"}}},
        {{{"usage", "internet"}, {"remote_ranges", {"198.51.100.0/28"}}},
         {{"bindings", {"0.0.0.0:25", "[::]:25"}},
          {"permission_groups", {"anonymous"}},
          {"tls", "opportunistic"}}},
        {{{"bindings", {"0.0.0.0:26"}}},
         {{"usage", "custom"}, {"permission_groups", json::array()}}},
    };
    for (const auto& row : table) {
        INFO(json::serialize(row.fields));
        ServiceFixture fixture;
        const auto outcome = fixture.create("receive-connector", "New", row.fields);
        CHECK(outcome.status == Status::done);
        for (const auto& [name, value] : row.made) {
            INFO(name << " is " << json::serialize(outcome.after.at(name)));
            CHECK(outcome.after.at(name) == value);
        }
    }
}

TEST_CASE("a usage cannot be given later, and says what it needs", "[config][service][usage]") {
    ServiceFixture fixture;

    const auto later = fixture.set("receive-connector", kDefault, {{"usage", "client"}});
    const auto everybody = fixture.create("receive-connector", "Hub", {{"usage", "internal"}});
    const auto unknown = fixture.create("receive-connector", "Hub", {{"usage", "internl"}});
    const auto nowhere = fixture.create("receive-connector", "Fabrikam", {{"usage", "partner"}});

    CHECK_THAT(said(later), Catch::Contains("usage: can only be given when the object is created"));
    CHECK_THAT(said(everybody), Catch::Contains("remote_ranges: is required with usage internal"));
    CHECK_THAT(said(unknown), Catch::Contains("did you mean \"internal\"?"));
    CHECK_THAT(said(nowhere), Catch::Contains("bindings: is required"));
}

TEST_CASE("the printers of the documentation are made without a word", "[config][service]") {
    ServiceFixture fixture;

    const auto outcome = fixture.create("receive-connector", "Printers", printers());

    CHECK(said(outcome) == "");
    CHECK(outcome.ok());
    CHECK(outcome.after.at("tls").as_string() == "opportunistic");
    CHECK(outcome.after.at("auth_mechanisms") == json::array());
    CHECK(fixture.probed == std::vector<Endpoint>{endpoint("127.0.0.1:2525")});
}

TEST_CASE("shutting the world out is done and warned of, each way", "[config][service]") {
    const std::string warning =
        "warning: no receive connector is left that takes mail from outside\n";
    const std::vector<json::object> ways = {
        {{"remote_ranges", {"192.0.2.0/24"}}},
        {{"remove_permission_groups", {"anonymous"}}},
        {{"enabled", false}},
    };
    for (const auto& way : ways) {
        INFO(json::serialize(way));
        ServiceFixture fixture;
        const auto outcome = fixture.set("receive-connector", kDefault, way);
        CHECK(outcome.ok());
        CHECK(said(outcome) == warning);
    }
}

TEST_CASE("a binding that cannot be opened refuses the change and says why", "[config][service]") {
    ServiceFixture fixture;
    fixture.refused = {
        {endpoint("127.0.0.1:2525"), "Address already in use; lpd (pid 7) holds it"}};

    const auto created = fixture.create("receive-connector", "Printers", printers());
    const auto tried = fixture.create("receive-connector", "Printers", printers(), true);
    const auto set =
        fixture.set("receive-connector", kDefault, {{"add_bindings", {"127.0.0.1:2525"}}});

    CHECK(
        said(created) ==
        "receive-connector \"Printers\", bindings: 127.0.0.1:2525 cannot be opened: Address "
        "already "
        "in use; lpd (pid 7) holds it. Choose another address or port, or free this one\n");
    CHECK(tried.status == Status::refused);
    CHECK(set.status == Status::refused);
    CHECK(fixture.published.size() == 1);
    CHECK(fixture.service.list("receive-connector").size() == 1);
    CHECK(
        fixture.service.show("receive-connector", kDefault)->at("bindings").as_array().size() == 2);
}

TEST_CASE("only bindings that would be opened now are tried", "[config][service]") {
    ServiceFixture fixture;
    auto off = printers();
    off["enabled"] = false;
    const std::vector<Endpoint> one = {endpoint("127.0.0.1:2525")};

    REQUIRE(fixture.create("receive-connector", "Printers", off).ok());
    CHECK(fixture.probed.empty());
    REQUIRE(fixture.set("receive-connector", kDefault, {{"comment", "known bindings"}}).ok());
    CHECK(fixture.probed.empty());
    REQUIRE(fixture.set("receive-connector", "Printers", {{"enabled", true}}).ok());
    CHECK(fixture.probed == one);
    REQUIRE(fixture.set("receive-connector", "Printers", {{"enabled", false}}).ok());
    CHECK(fixture.probed == one);
}

TEST_CASE("a certificate that is there is not warned of", "[config][service]") {
    ServiceFixture fixture;
    fixture.certificates = {"mail"};

    CHECK(said(fixture.set("receive-connector", kDefault, {{"certificate", "mail"}})) == "");
    CHECK_THAT(
        said(fixture.set("receive-connector", kDefault, {{"certificate", "other"}})),
        Catch::Contains("there is no certificate \"other\""));
    CHECK(said(fixture.set("receive-connector", kDefault, {{"comment", "still other"}})) == "");
}

TEST_CASE("an accepted domain that completes addresses cannot go", "[config][service]") {
    ServiceFixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());
    REQUIRE(fixture
                .set(
                    "receive-connector",
                    kDefault,
                    {{"submission", true}, {"default_domain", "fabrikam.com"}})
                .ok());

    const auto outcome = fixture.remove("accepted-domain", "fabrikam.com");

    CHECK(outcome.status == Status::refused);
    CHECK_THAT(said(outcome), Catch::Contains("default_domain: fabrikam.com is not an accepted"));
}

}  // namespace mailflow

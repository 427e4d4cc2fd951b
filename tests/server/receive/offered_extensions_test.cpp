#include "server/receive/offered_extensions.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace mailflow;

namespace {

OrganizationPtr organization_with(const ReceiveConnector& connector) {
    Organization::Parts parts;
    parts.node.fqdn = "mx.contoso.com";
    parts.receive_connectors.push_back(connector);
    return std::make_shared<const Organization>(parts);
}

Rights rights_with(const ReceiveConnector& connector, Standing standing = Standing::anonymous) {
    auto organization = organization_with(connector);
    const auto& kept = organization->receive_connectors().front();
    return Rights::of(std::move(organization), kept, standing);
}

ReceiveConnector with_all_mechanisms() {
    ReceiveConnector connector;
    connector.auth_mechanisms = 31;
    return connector;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("mechanisms go with TLS, its version and the certificate", "[receive][extensions]") {
    struct Case {
        bool requires_tls;
        SessionSecurity security;
        Names mechanisms;
    };

    const std::vector<Case> cases = {
        {true, {.may_log_in = true}, {}},
        {false, {.may_log_in = true}, {"SCRAM-SHA-256", "PLAIN", "LOGIN"}},
        {true, {.secure = true, .may_log_in = true}, {"SCRAM-SHA-256", "PLAIN", "LOGIN"}},
        {true,
         {.secure = true, .can_bind = true, .may_log_in = true},
         {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"}},
        {true,
         {.secure = true, .is_certified = true, .may_log_in = true},
         {"SCRAM-SHA-256", "PLAIN", "LOGIN", "EXTERNAL"}},
        {true, {.secure = true}, {}},
    };
    for (const auto& one : cases) {
        auto connector = with_all_mechanisms();
        connector.auth_requires_tls = one.requires_tls;

        const auto offered = offered_extensions(rights_with(connector), one.security, {});

        CHECK(offered.auth == one.mechanisms);
    }
}

TEST_CASE(
    "STARTTLS is offered in clear, with a certificate, where wanted", "[receive][extensions]") {
    struct Case {
        TlsMode mode;
        SessionSecurity security;
        bool offered;
    };

    const std::vector<Case> cases = {
        {TlsMode::opportunistic, {.has_certificate = true}, true},
        {TlsMode::required, {.has_certificate = true}, true},
        {TlsMode::none, {.has_certificate = true}, false},
        {TlsMode::implicit, {.has_certificate = true}, false},
        {TlsMode::opportunistic, {}, false},
        {TlsMode::opportunistic, {.has_certificate = true, .secure = true}, false},
    };
    for (const auto& one : cases) {
        ReceiveConnector connector;
        connector.tls = one.mode;

        const auto offered = offered_extensions(rights_with(connector), one.security, {});

        CHECK(offered.start_tls == one.offered);
        CHECK(offered.require_tls == one.security.secure);
    }
}

TEST_CASE("what asks for more of us is for those we know", "[receive][extensions]") {
    ReceiveConnector connector;
    const auto stranger = offered_extensions(rights_with(connector), {}, {});
    const auto partner = offered_extensions(rights_with(connector, Standing::partner), {}, {});
    const auto account =
        offered_extensions(rights_with(connector, Standing::authenticated), {}, {});
    connector.permission_groups = static_cast<std::uint8_t>(PermissionGroup::trusted);
    const auto trusted = offered_extensions(rights_with(connector), {}, {});

    CHECK_FALSE(stranger.binary_mime);
    CHECK_FALSE(partner.binary_mime);
    CHECK(account.binary_mime);
    CHECK(trusted.binary_mime);
    CHECK_FALSE(stranger.future_release);
    CHECK(account.future_release);
    CHECK_FALSE(trusted.future_release);
}

TEST_CASE("BINARYMIME needs CHUNKING", "[receive][extensions]") {
    ReceiveConnector connector;
    connector.extensions.chunking = false;

    const auto offered =
        offered_extensions(rights_with(connector, Standing::authenticated), {}, {});

    CHECK_FALSE(offered.chunking);
    CHECK_FALSE(offered.binary_mime);
}

TEST_CASE("a chunk may be as large as any message of the connector", "[receive][extensions]") {
    constexpr std::uint64_t kMiB = 1024 * 1024;
    ReceiveConnector connector;
    connector.max_message_size = 2 * kMiB;

    CHECK(max_chunk(rights_with(connector)) == 3 * kMiB);
    connector.permissions = static_cast<PermissionSet>(Permission::bypass_message_size);
    CHECK(max_chunk(rights_with(connector)) == 37 * kMiB);
}

// Who may talk to us, and how: one receive connector (reference 2.2, 2.5–2.8). Plain data; ranges
// and defaults are the schema's. `select_receive_connector` is the rule of reference 2.2.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/ip_range.hpp"
#include "transport/mail/sender_policy.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mailflow {

// Reference 2.5. One bit each.
enum class PermissionGroup : std::uint8_t {
    anonymous = 1,
    authenticated = 2,
    partners = 4,
    trusted = 8
};

// Reference 2.6: single rights. One bit each.
enum class Permission : std::uint16_t {
    submit = 1,
    any_recipient = 2,
    any_sender = 4,
    authoritative_domain_sender = 8,
    bypass_message_size = 16,
    accept_routing_headers = 32,
    accept_organization_headers = 64,
};

using PermissionSet = std::uint16_t;

[[nodiscard]] constexpr bool has(PermissionSet set, Permission permission) noexcept {
    return (set & static_cast<PermissionSet>(permission)) != 0;
}

// The rights a group gives (reference 2.5).
[[nodiscard]] PermissionSet rights_of(PermissionGroup group) noexcept;

// Product page, reference 2.4. `implicit`: TLS on connect, before the greeting.
enum class TlsMode : std::uint8_t { none, opportunistic, required, implicit };
enum class ClientCertificates : std::uint8_t { none, request, require };

// One bit each.
enum class AuthMechanism : std::uint8_t {
    plain = 1,
    login = 2,
    scram_sha_256 = 4,
    scram_sha_256_plus = 8,
    external = 16,
};

enum class BareNewline : std::uint8_t { reject, normalize };
enum class SizeAnnouncement : std::uint8_t { enabled, disabled, enabled_without_value };
// What a message or recipient rate is counted by. `user`: the account, else the source address.
enum class MessageRateSource : std::uint8_t { none, ip_address, user, all };
// RFC 5321 §7.3: who gets more than 252 from VRFY.
enum class VerifyPolicy : std::uint8_t { nobody, authenticated, everybody };
enum class ProtocolLogging : std::uint8_t { none, verbose };

// EHLO keywords an administrator can switch; all others go with something else (STARTTLS with tls,
// AUTH with auth_mechanisms, REQUIRETLS is announced inside TLS only).
struct ExtensionSwitches {
    SizeAnnouncement size = SizeAnnouncement::enabled;
    bool pipelining = true;
    bool eight_bit_mime = true;
    bool binary_mime = true;  // obeyed for sessions that are not anonymous; needs chunking
    bool chunking = true;
    bool smtputf8 = true;
    bool delivery_status_notification = true;
    bool enhanced_status_codes = true;
    bool require_tls = true;
    bool limits = true;
    bool mt_priority = true;
    bool future_release = true;  // authenticated sessions
    bool deliver_by = true;
};

struct ReceiveConnector {
    std::string name;
    std::string comment;
    bool enabled = true;
    std::vector<Endpoint> bindings;
    std::vector<IpRange> remote_ranges;
    std::string fqdn;    // empty: the node's FQDN
    std::string banner;  // whole `220 …` line without CRLF; empty: the default banner

    TlsMode tls = TlsMode::opportunistic;
    std::string certificate;  // name or thumbprint of the one to use; empty: chosen by name
    ClientCertificates client_certificates = ClientCertificates::none;
    std::uint8_t auth_mechanisms = 0;  // bits of AuthMechanism
    bool auth_requires_tls = true;

    std::uint8_t permission_groups = 0;  // bits of PermissionGroup
    PermissionSet permissions =
        0;  // single rights, given to every session beside those of its groups

    // RFC 6409: mail taken here is completed and its From checked; else only trace fields are
    // added.
    bool submission = false;
    SenderPolicy sender_policy = SenderPolicy::refuse;
    std::string default_domain;  // of bare addresses; empty: the default accepted domain

    ExtensionSwitches extensions;
    VerifyPolicy verify = VerifyPolicy::nobody;
    bool require_ehlo_domain = false;
    BareNewline bare_newline = BareNewline::reject;
    // RFC 2606: user@host.test, user@example.com, user@host.
    bool reject_reserved_top_level_recipient_domains = false;
    bool reject_reserved_second_level_recipient_domains = false;
    bool reject_single_label_recipient_domains = false;

    std::optional<std::uint64_t> max_message_size;  // octets; none: unlimited
    std::uint64_t max_header_size = 256ULL * 1024;  // octets of all fields together
    std::uint32_t max_hop_count = 30;               // Received fields of a message
    std::uint32_t max_local_hop_count = 8;  // Received fields that name this node; 0: not checked
    std::uint32_t max_recipients_per_message = 200;
    std::optional<std::uint32_t> max_messages_per_connection;  // MAIL commands; none: unlimited
    std::optional<std::uint32_t> max_protocol_errors = 5;
    std::uint32_t max_logon_failures = 3;  // failed AUTH before the session is closed; 0: never
    std::optional<std::uint32_t> max_inbound_connection = 5000;
    std::optional<std::uint32_t> max_inbound_connection_per_source = 20;
    std::uint32_t max_inbound_connection_percentage_per_source = 2;

    MessageRateSource message_rate_source = MessageRateSource::ip_address;
    // A minute and an hour of one source; none: unlimited.
    std::optional<std::uint32_t> message_rate_limit;
    std::optional<std::uint32_t> message_rate_limit_per_hour;
    std::optional<std::uint32_t> recipient_rate_limit;
    std::optional<std::uint32_t> recipient_rate_limit_per_hour;

    std::uint32_t min_data_rate = 500;  // octets a second inside a message; 0: not checked
    std::chrono::seconds connection_timeout{600};
    std::chrono::seconds connection_inactivity_timeout{300};
    std::chrono::milliseconds tarpit_interval{5000};
    std::chrono::milliseconds auth_tarpit_interval{5000};

    // Who may say, in front of anything else, on whose behalf it connects.
    std::vector<IpRange> proxy_protocol_from;  // PROXY v1 or v2, required from these
    std::vector<IpRange> xclient_from;         // XCLIENT, offered to these

    ProtocolLogging protocol_log = ProtocolLogging::none;
};

[[nodiscard]] constexpr bool has_group(
    const ReceiveConnector& connector, PermissionGroup group) noexcept {
    return (connector.permission_groups & static_cast<std::uint8_t>(group)) != 0;
}

[[nodiscard]] constexpr bool offers(
    const ReceiveConnector& connector, AuthMechanism mechanism) noexcept {
    return (connector.auth_mechanisms & static_cast<std::uint8_t>(mechanism)) != 0;
}

// What a session may do before anybody logs in: the single rights, those of the group anonymous,
// and those of trusted (reference 2.7, method B: whoever reaches the connector is trusted by other
// means).
[[nodiscard]] PermissionSet anonymous_rights(const ReceiveConnector& connector) noexcept;
// Once a client has logged in: the single rights, those of authenticated and of trusted. The group
// anonymous gives nothing here, so that send-as is checked.
[[nodiscard]] PermissionSet authenticated_rights(const ReceiveConnector& connector) noexcept;
// With a client certificate that is valid and nobody logged in: anonymous_rights and those of
// partners.
[[nodiscard]] PermissionSet partner_rights(const ReceiveConnector& connector) noexcept;

// Among the enabled connectors bound to `local` the one with the smallest range that holds
// `remote`; null when none. A binding to an unspecified address stands for every local address of
// its family.
[[nodiscard]] const ReceiveConnector* select_receive_connector(
    std::span<const ReceiveConnector> connectors,
    const Endpoint& local,
    const IpAddress& remote) noexcept;

}  // namespace mailflow

// Organization-wide limits and clocks (`transport-config`; reference 9.8, 10.2, 13.1; retry ladder
// by our own defaults).
#pragma once

#include "transport/base/ip_range.hpp"
#include "transport/mail/domain_name.hpp"
#include "transport/mail/email_address.hpp"
#include "transport/mail/enhanced_status.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace mailflow {

// The reverse-path of mail that a mailbox of ours forwards to the outside.
enum class ForwardedSender : std::uint8_t {
    srs,      // an address of ours that leads back to the sender (SRS0=…@default domain)
    mailbox,  // the forwarding mailbox
    keep,     // the sender's own
};

// What becomes of a report that cannot be delivered (its sender is `<>`).
enum class DoubleBounce : std::uint8_t { postmaster, drop };

struct TransportSettings {
    std::optional<std::uint64_t> max_send_size = 36ULL * 1024 * 1024;     // octets; none: unlimited
    std::optional<std::uint64_t> max_receive_size = 36ULL * 1024 * 1024;  // octets; none: unlimited
    std::uint32_t max_recipient_envelope_limit = 500;

    // The ladder of a next hop that cannot be reached: glitch, transient, then steady retries.
    std::uint32_t queue_glitch_retry_count = 4;
    std::chrono::milliseconds queue_glitch_retry_interval{std::chrono::minutes(1)};
    std::uint32_t transient_failure_retry_count = 6;
    std::chrono::milliseconds transient_failure_retry_interval{std::chrono::minutes(5)};
    std::chrono::milliseconds outbound_connection_failure_retry_interval{std::chrono::minutes(10)};
    // From this age of the failure on, the long interval rules.
    std::chrono::milliseconds long_retry_after{std::chrono::hours(4)};
    std::chrono::milliseconds long_retry_interval{std::chrono::minutes(30)};
    // A recipient refused with 4xx on a working connection.
    std::chrono::milliseconds message_retry_interval{std::chrono::minutes(15)};

    // Outbound connections at the same time (reference 1.9), in all and to one destination; none:
    // unlimited.
    std::optional<std::uint32_t> max_outbound_connections = 1000;
    std::optional<std::uint32_t> max_per_domain_outbound_connections = 20;

    std::chrono::milliseconds message_expiration_timeout{std::chrono::hours(24 * 5)};
    std::chrono::milliseconds delay_notification_timeout{std::chrono::hours(4)};
    bool delay_dsn_enabled = true;

    std::uint32_t max_hop_count = 30;
    // An original larger than this is not attached to a DSN, its header only.
    std::uint64_t dsn_max_message_attach_size = 10ULL * 1024 * 1024;
    std::uint32_t tracking_retention_days = 30;

    // Recipients of ours are looked up at RCPT; false: unknown ones are reported later (Exchange's
    // default; it makes backscatter).
    bool recipient_validation = true;
    // Gets a copy of every message; none: nobody does.
    std::optional<EmailAddress> always_bcc;
    ForwardedSender forwarded_sender = ForwardedSender::srs;
    bool rewrite_sender_to_primary = true;
    // Recipients of one message after expansion that one copy holds; more make more copies.
    std::uint32_t expansion_size_limit = 1000;

    // ---- reports (reference 10.1, 10.2)
    std::optional<EmailAddress> external_postmaster_address;  // none: postmaster@default domain
    std::optional<DomainName> dsn_reporting_authority;        // Reporting-MTA; none: the node
    std::vector<EnhancedStatus> generate_copy_of_dsn_for;     // copied to the postmaster
    DoubleBounce double_bounce = DoubleBounce::postmaster;
    // Reports to one reverse-path in an hour; the excess goes to the postmaster. None: unlimited.
    std::optional<std::uint32_t> dsn_rate_limit = 100;

    // Failed log-ins, counted over kAuthFailureWindow, after which further tries are refused; none:
    // unlimited.
    std::optional<std::uint32_t> auth_failure_limit_per_source = 20;
    std::optional<std::uint32_t> auth_failure_limit_per_account = 10;
    // Sources that are never refused for failures.
    std::vector<IpRange> auth_failure_exempt_ranges;
};

}  // namespace mailflow

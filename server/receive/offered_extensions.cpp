#include "server/receive/offered_extensions.hpp"

#include <limits>

namespace mailflow {

namespace {

// Above the limit a chunk is still read, so that its client hears 552 and goes on.
constexpr std::uint64_t kChunkTolerance = 1024ULL * 1024;
constexpr auto kBypass = static_cast<PermissionSet>(Permission::bypass_message_size);

std::vector<std::string> mechanisms(const Rights& rights, const SessionSecurity& security) {
    std::vector<std::string> names;
    const auto& connector = *rights.connector;
    // RFC 4954 §4: passwords in clear only inside TLS (attack case 23).
    if (!security.may_log_in || (connector.auth_requires_tls && !security.secure)) {
        return names;
    }
    const auto add = [&](AuthMechanism mechanism, const char* name) {
        if (offers(connector, mechanism)) {
            names.emplace_back(name);
        }
    };
    // RFC 5802 §6: a client that can bind takes the -PLUS variant, so it is only there when we can.
    if (security.can_bind) {
        add(AuthMechanism::scram_sha_256_plus, "SCRAM-SHA-256-PLUS");
    }
    add(AuthMechanism::scram_sha_256, "SCRAM-SHA-256");
    add(AuthMechanism::plain, "PLAIN");
    add(AuthMechanism::login, "LOGIN");
    if (security.is_certified) {
        add(AuthMechanism::external, "EXTERNAL");
    }
    return names;
}

bool answers_verify(const Rights& rights) noexcept {
    switch (rights.connector->verify) {
        case VerifyPolicy::nobody: return false;
        case VerifyPolicy::authenticated: return rights.standing == Standing::authenticated;
        case VerifyPolicy::everybody: break;
    }
    return true;
}

}  // namespace

smtp::ExtensionSet offered_extensions(
    const Rights& rights, const SessionSecurity& security, UtcTime now) {
    const auto& connector = *rights.connector;
    const auto& switches = connector.extensions;
    smtp::ExtensionSet set;
    set.pipelining = switches.pipelining;
    set.announce_size = switches.size != SizeAnnouncement::disabled;
    set.size_value = switches.size == SizeAnnouncement::enabled;
    set.size = rights.max_message_size();
    set.eight_bit_mime = switches.eight_bit_mime;
    set.smtputf8 = switches.smtputf8;
    set.enhanced_status_codes = switches.enhanced_status_codes;
    set.chunking = switches.chunking;
    // Decisions 2.3: nothing can turn binary parts of strangers into text yet.
    set.binary_mime = switches.chunking && switches.binary_mime && rights.is_known();
    set.dsn = switches.delivery_status_notification;
    const bool wants_tls =
        connector.tls == TlsMode::opportunistic || connector.tls == TlsMode::required;
    set.start_tls = wants_tls && security.has_certificate && !security.secure;
    set.auth = mechanisms(rights, security);
    // RFC 8689 §2: inside TLS only.
    set.require_tls = switches.require_tls && security.secure;
    set.limits = switches.limits;
    set.max_mails = connector.max_messages_per_connection;
    set.max_recipients = static_cast<std::uint32_t>(rights.max_recipients());
    set.mt_priority = switches.mt_priority;
    set.future_release = switches.future_release && rights.standing == Standing::authenticated;
    set.max_hold = kMaxHold;
    set.hold_until_limit = now + kMaxHold;
    set.deliver_by = switches.deliver_by;
    set.min_deliver_by = kMinDeliverBy;
    set.verify = answers_verify(rights);
    set.xclient = security.may_xclient;
    return set;
}

std::uint64_t max_chunk(const Rights& rights) noexcept {
    auto widest = rights;
    const auto all = static_cast<PermissionSet>(
        anonymous_rights(*rights.connector) | partner_rights(*rights.connector) |
        authenticated_rights(*rights.connector));
    widest.permissions = static_cast<PermissionSet>(all & kBypass);
    const auto limit = widest.max_message_size();
    return limit ? *limit + kChunkTolerance : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace mailflow

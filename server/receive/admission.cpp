#include "server/receive/admission.hpp"

#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace {

using smtp::make_reply;

Verdict refuse(int code, std::string_view status, std::string_view text, std::string_view reason) {
    return {make_reply(code, status, text), reason};
}

void tighten(
    std::optional<std::uint64_t>& limit, const std::optional<std::uint64_t>& other) noexcept {
    if (other) {
        limit = limit ? std::min(*limit, *other) : *other;
    }
}

Verdict too_large(std::string_view reason) {
    return refuse(552, "5.3.4", "Message size exceeds fixed maximum message size", reason);
}

}  // namespace

// ---- rights

Rights Rights::of(OrganizationPtr organization, const ReceiveConnector& connector) {
    return {std::move(organization), &connector, anonymous_rights(connector)};
}

std::optional<std::uint64_t> Rights::max_message_size() const noexcept {
    const auto& settings = organization->transport();
    auto limit = settings.max_receive_size;
    tighten(limit, settings.max_send_size);
    if (!has(permissions, Permission::bypass_message_size)) {
        tighten(limit, connector->max_message_size);
    }
    return limit;
}

std::size_t Rights::max_recipients() const noexcept {
    return std::min(
        connector->max_recipients_per_message,
        organization->transport().max_recipient_envelope_limit);
}

const std::string& Rights::fqdn() const noexcept {
    return connector->fqdn.empty() ? organization->node().fqdn : connector->fqdn;
}

bool Rights::is_exempt(const IpAddress& client) const noexcept {
    constexpr auto kTrusted = static_cast<std::uint8_t>(PermissionGroup::trusted);
    return client.is_loopback() || (connector->permission_groups & kTrusted) != 0;
}

// ---- connection

Verdict check_connection(
    const ReceiveConnector& connector, const IpAddress& client, const ConnectionCounts& counts) {
    const auto& most = connector.max_inbound_connection;
    if (most && counts.total >= *most) {
        return refuse(
            421,
            "4.3.2",
            "The maximum number of concurrent connections has exceeded a limit, closing "
            "transmission channel",
            "max_inbound_connection");
    }
    constexpr auto kTrusted = static_cast<std::uint8_t>(PermissionGroup::trusted);
    if (client.is_loopback() || (connector.permission_groups & kTrusted) != 0) {
        return Verdict::accept();
    }

    auto allowed = connector.max_inbound_connection_per_source;
    if (most) {
        // A share of what the other sources leave free, and at least one.
        const std::uint64_t others = counts.total - counts.source;
        const auto share =
            (*most - others) * connector.max_inbound_connection_percentage_per_source / 100;
        const auto by_share = static_cast<std::uint32_t>(std::max<std::uint64_t>(share, 1));
        allowed = allowed ? std::min(*allowed, by_share) : by_share;
    }
    if (allowed && counts.source >= *allowed) {
        return refuse(
            421,
            "4.3.2",
            "The maximum number of concurrent server connections has exceeded a per-source limit, "
            "closing "
            "transmission channel",
            "connections of one source");
    }
    return Verdict::accept();
}

smtp::Reply no_service() {
    return make_reply(421, "4.3.2", "Service not available");
}

// ---- sender

Verdict check_sender(const Rights& rights, const smtp::Mail& mail) {
    if (!has(rights.permissions, Permission::submit)) {
        return refuse(530, "5.7.1", "Client was not authenticated", "no right submit");
    }
    const auto limit = rights.max_message_size();
    if (limit && mail.size.value_or(0) > *limit) {
        // RFC 1870 §6.1
        return too_large("declared size");
    }
    if (mail.path.is_null()) {
        return Verdict::accept();
    }

    const auto& domain = mail.path.address().domain();
    const auto* const own = domain ? rights.organization->find_accepted_domain(*domain) : nullptr;
    const bool authoritative = own != nullptr && own->type == AcceptedDomainType::authoritative;
    const bool allowed = authoritative
                             ? has(rights.permissions, Permission::authoritative_domain_sender)
                             : own != nullptr || has(rights.permissions, Permission::any_sender);
    if (!allowed) {
        return refuse(
            550,
            "5.7.1",
            "Client does not have permissions to send as this sender",
            authoritative ? "no right authoritative-domain-sender" : "no right any-sender");
    }
    return Verdict::accept();
}

smtp::Reply rate_exceeded() {
    return make_reply(
        421, "4.4.2", "Message submission rate for this client has exceeded the configured limit");
}

// ---- recipients

Verdict check_recipient_count(const Rights& rights, std::size_t accepted) {
    if (accepted >= rights.max_recipients()) {
        // RFC 5321 §4.5.3.1.10: those accepted so far stay.
        return refuse(452, "4.5.3", "Too many recipients", "max_recipients_per_message");
    }
    return Verdict::accept();
}

Verdict check_recipient(const Rights& rights, const Result<ResolvedRecipient>& resolved) {
    if (!resolved) {
        return {local_failure(resolved.error()), "directory unavailable"};
    }
    switch (resolved->kind) {
        case ResolvedKind::mailbox:
        case ResolvedKind::relay: return Verdict::accept();
        case ResolvedKind::external:
            if (has(rights.permissions, Permission::any_recipient)) {
                return Verdict::accept();
            }
            return refuse(550, "5.7.1", "Unable to relay", "no right any-recipient");
        case ResolvedKind::unknown: break;
    }
    return refuse(550, "5.1.1", "User unknown", "unknown recipient");
}

// ---- message

Verdict check_message(const Rights& rights, const ReceivedFacts& facts) {
    if (facts.too_large) {
        return too_large("message size");
    }
    if (facts.bare_newline) {
        // RFC 5321 §2.3.8: what other servers may take for a line end could hide a second message.
        return refuse(550, "5.6.11", "Message contains bare CR or LF", "bare newline");
    }
    if (facts.long_line) {
        return refuse(550, "5.6.0", "Message contains a line that is too long", "line length");
    }
    if (facts.header_too_large) {
        return refuse(552, "5.3.4", "Header size exceeds fixed maximum size", "header size");
    }
    if (facts.received_count > rights.organization->transport().max_hop_count) {
        return refuse(554, "5.4.6", "Hop count exceeded - possible mail loop", "hop count");
    }
    return Verdict::accept();
}

smtp::Reply local_failure(const ErrorCode& error) {
    if (error == Error::disk_full) {
        return make_reply(452, "4.3.1", "Insufficient system resources");
    }
    return make_reply(451, "4.3.0", "Temporary server error. Please try again later");
}

}  // namespace mailflow

#include "server/receive/admission.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <array>
#include <span>

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

Rights Rights::of(
    OrganizationPtr organization, const ReceiveConnector& connector, Standing standing) {
    PermissionSet permissions = 0;
    switch (standing) {
        case Standing::anonymous: permissions = anonymous_rights(connector); break;
        case Standing::partner: permissions = partner_rights(connector); break;
        case Standing::authenticated: permissions = authenticated_rights(connector); break;
    }
    return {std::move(organization), &connector, standing, permissions};
}

std::optional<std::uint64_t> Rights::max_message_size() const noexcept {
    // Reference 13.2, fact 19: what comes in is held to max_send_size, of who logged in to its own
    // in place of it; each recipient's limits are asked for when the recipients are known.
    auto limit = own_max_send_size ? own_max_send_size : organization->transport().max_send_size;
    if (!has(permissions, Permission::bypass_message_size)) {
        tighten(limit, connector->max_message_size);
    }
    return limit;
}

std::size_t Rights::max_recipients() const noexcept {
    // Fact 9: the organization's limit, and a mailbox's own, are the categorizer's to apply.
    return connector->max_recipients_per_message;
}

const std::string& Rights::fqdn() const noexcept {
    return connector->fqdn.empty() ? organization->node().fqdn : connector->fqdn;
}

const std::string& Rights::default_domain() const {
    return connector->default_domain.empty() ? organization->default_domain().domain.text()
                                             : connector->default_domain;
}

bool Rights::is_exempt(const IpAddress& client) const noexcept {
    return client.is_loopback() || is_trusted();
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
    if (client.is_loopback() || has_group(connector, PermissionGroup::trusted)) {
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

bool is_stressed(const ReceiveConnector& connector, std::uint32_t connections, bool was) noexcept {
    if (!connector.max_inbound_connection) {
        return false;
    }
    const std::uint64_t percent = was ? kStressUntilPercent : kStressFromPercent;
    return std::uint64_t{100} * connections > percent * *connector.max_inbound_connection;
}

smtp::Reply no_service() {
    return make_reply(421, "4.3.2", "Service not available");
}

// ---- sender

Verdict check_submit(const Rights& rights) {
    if (!has(rights.permissions, Permission::submit)) {
        return refuse(530, "5.7.1", "Client was not authenticated", "no right submit");
    }
    return Verdict::accept();
}

Verdict check_declared_size(const Rights& rights, const std::optional<std::uint64_t>& size) {
    const auto limit = rights.max_message_size();
    if (limit && size.value_or(0) > *limit) {
        // RFC 1870 §6.1
        return too_large("declared size");
    }
    return Verdict::accept();
}

Verdict check_sender(const Rights& rights, const ReversePath& path) {
    if (path.is_null()) {
        return Verdict::accept();
    }
    const auto& domain = path.address().domain();
    const auto* const own = domain ? rights.organization->find_accepted_domain(*domain) : nullptr;
    const bool authoritative = own != nullptr && own->type == AcceptedDomainType::authoritative;
    const bool allowed = authoritative
                             ? has(rights.permissions, Permission::authoritative_domain_sender)
                             : own != nullptr || has(rights.permissions, Permission::any_sender);
    if (!allowed) {
        return send_as_refused(
            authoritative ? "no right authoritative-domain-sender" : "no right any-sender");
    }
    return Verdict::accept();
}

bool may_send_as(const MailRecipient* owner, const std::string& account) noexcept {
    if (owner == nullptr) {
        return false;
    }
    const auto is_account = [&account](const std::string& name) {
        return ascii::equal_ignoring_case(name, account);
    };
    return is_account(owner->name) ||
           std::any_of(owner->send_as.begin(), owner->send_as.end(), is_account);
}

Verdict send_as_refused(std::string_view reason) {
    return refuse(550, "5.7.1", "Client does not have permissions to send as this sender", reason);
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

namespace {

constexpr std::string_view kReserved = "Recipient address reserved by RFC 2606";
// RFC 2606 §2
constexpr std::array<std::string_view, 4> kTops = {"test", "example", "invalid", "localhost"};
// RFC 2606 §3
constexpr std::array<std::string_view, 3> kSeconds = {"example.com", "example.net", "example.org"};

}  // namespace

Verdict check_recipient_domain(const Rights& rights, const ForwardPath& path) {
    const auto& connector = *rights.connector;
    if (path.is_bare_postmaster() || !path.address().domain()) {
        return Verdict::accept();
    }
    const std::string_view domain = path.address().domain()->text();
    const auto last_dot = domain.rfind('.');
    const bool is_single = last_dot == std::string_view::npos;
    const auto top = is_single ? domain : domain.substr(last_dot + 1);
    const auto is_one_of = [](std::string_view name, std::span<const std::string_view> list) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    if (connector.reject_reserved_top_level_recipient_domains && is_one_of(top, kTops)) {
        return refuse(550, "5.1.4", kReserved, "reserved top-level domain");
    }
    // Their subdomains too.
    if (connector.reject_reserved_second_level_recipient_domains && !is_single) {
        const auto before = domain.rfind('.', last_dot - 1);
        const auto second = before == std::string_view::npos ? domain : domain.substr(before + 1);
        if (is_one_of(second, kSeconds)) {
            return refuse(550, "5.1.5", kReserved, "reserved second-level domain");
        }
    }
    if (connector.reject_single_label_recipient_domains && is_single) {
        return refuse(
            550,
            "5.1.6",
            "Recipient addresses in single label domains not accepted",
            "single-label domain");
    }
    return Verdict::accept();
}

Verdict recipient_rate_exceeded() {
    return refuse(
        450,
        "4.7.1",
        "Recipient rate for this client has exceeded the configured limit",
        "recipient rate");
}

Verdict check_recipient(const Rights& rights, const Result<ResolvedRecipient>& resolved) {
    if (!resolved) {
        return {local_failure(resolved.error()), "directory unavailable"};
    }
    switch (resolved->kind) {
        case ResolvedKind::mailbox:
        case ResolvedKind::contact:
        case ResolvedKind::group:
        case ResolvedKind::relay: return Verdict::accept();
        case ResolvedKind::external:
            if (has(rights.permissions, Permission::any_recipient)) {
                return Verdict::accept();
            }
            return refuse(550, "5.7.1", "Unable to relay", "no right any-recipient");
        case ResolvedKind::unknown:
            if (!rights.organization->transport().recipient_validation) {
                return Verdict::accept();  // reported later
            }
            break;
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
    // Attack case 31.
    const auto& connector = *rights.connector;
    const auto most =
        std::min(connector.max_hop_count, rights.organization->transport().max_hop_count);
    const auto most_local = connector.max_local_hop_count;
    const bool too_local = most_local > 0 && facts.local_received_count > most_local;
    if (facts.received_count > most || too_local) {
        return refuse(
            554,
            "5.4.6",
            "Hop count exceeded - possible mail loop",
            too_local ? "local hop count" : "hop count");
    }
    return Verdict::accept();
}

Verdict check_chunk(const Rights& rights, std::uint64_t octets, std::uint64_t size) {
    const auto limit = rights.max_message_size();
    if (limit && (size > *limit || octets > *limit - size)) {
        return too_large("message size");
    }
    return Verdict::accept();
}

Verdict header_verdict(const HeaderDecision& decision) {
    if (!decision.refusal) {
        return Verdict::accept();
    }
    const auto& refusal = *decision.refusal;
    return {
        smtp::Reply{refusal.code, refusal.status, std::string(refusal.text)},
        "From is not the account's"};
}

smtp::Reply local_failure(const ErrorCode& error) {
    if (error == Error::disk_full) {
        return make_reply(452, "4.3.1", "Insufficient system resources");
    }
    return make_reply(451, "4.3.0", "Temporary server error. Please try again later");
}

}  // namespace mailflow

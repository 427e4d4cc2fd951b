// Every decision about what is let in: connections, senders, recipients, messages. Pure functions
// from the connector's rights, the Organization and what the client said to a Verdict;
// ReceiveSession only drives. Used on any lane.
#pragma once

#include "server/receive/rate_limiter.hpp"
#include "transport/mail/header_policy.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/org/organization.hpp"
#include "transport/org/receive_connector.hpp"
#include "transport/ports/records/queued_message.hpp"
#include "transport/route/recipient_resolver.hpp"
#include "transport/smtp/command_parser.hpp"
#include "transport/smtp/reply.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

// Accepted, or refused with this reply; `reason` is for the log, a literal.
struct Verdict {
    std::optional<smtp::Reply> refusal;
    std::string_view reason;

    [[nodiscard]] bool is_accepted() const noexcept { return !refusal; }

    [[nodiscard]] static Verdict accept() { return {}; }
};

// What a session has shown of itself. `partner`: a client certificate that is valid.
enum class Standing : std::uint8_t { anonymous, partner, authenticated };

// What one session may do, by the connector that took it and by who it is. The Organization keeps
// the connector alive.
struct Rights {
    OrganizationPtr organization;
    const ReceiveConnector* connector = nullptr;
    Standing standing = Standing::anonymous;
    PermissionSet permissions = 0;
    std::optional<std::uint64_t> own_max_send_size{};  // of who logged in

    [[nodiscard]] static Rights of(
        OrganizationPtr organization,
        const ReceiveConnector& connector,
        Standing standing = Standing::anonymous);
    // The tighter of the sender's (or the organization's) and the connector's message limits; none:
    // unlimited.
    [[nodiscard]] std::optional<std::uint64_t> max_message_size() const noexcept;
    [[nodiscard]] std::size_t max_recipients() const noexcept;
    [[nodiscard]] const std::string& fqdn() const noexcept;
    // Of bare addresses.
    [[nodiscard]] const std::string& default_domain() const;
    // Not slowed down and not counted per source: trusted peers, and this host itself.
    [[nodiscard]] bool is_exempt(const IpAddress& client) const noexcept;

    [[nodiscard]] bool is_trusted() const noexcept {
        return has_group(*connector, PermissionGroup::trusted);
    }

    // Logged in, or trusted by other means: believed in what concerns others (MAIL AUTH=, high
    // priorities), and offered what asks for more of us (BINARYMIME).
    [[nodiscard]] bool is_known() const noexcept {
        return standing == Standing::authenticated || is_trusted();
    }

    // Who has logged in sends as itself, unless the right any-sender says otherwise.
    [[nodiscard]] bool is_bound_to_account() const noexcept {
        return standing == Standing::authenticated && !has(permissions, Permission::any_sender);
    }
};

// `counts` without the connection at hand.
[[nodiscard]] Verdict check_connection(
    const ReceiveConnector& connector, const IpAddress& client, const ConnectionCounts& counts);
// No connector takes this client.
[[nodiscard]] smtp::Reply no_service();

// Attack case 15, stress mode: while a connector's sessions are more than this share of
// max_inbound_connection, its anonymous ones wait kStressedPatience for a command instead of
// connection_inactivity_timeout and may make kStressedErrors protocol errors. It ends below the
// lower share, so that it does not come and go with each connection.
constexpr std::uint32_t kStressFromPercent = 80;
constexpr std::uint32_t kStressUntilPercent = 60;
constexpr Duration kStressedPatience = std::chrono::seconds(10);
constexpr std::uint32_t kStressedErrors = 1;
// `was`: stressed until now.
[[nodiscard]] bool is_stressed(
    const ReceiveConnector& connector, std::uint32_t connections, bool was) noexcept;

// MAIL, in the order of reference 2.11: may submit; then back pressure and rates, which are the
// session's to ask; then the declared size and the sender.
[[nodiscard]] Verdict check_submit(const Rights& rights);
[[nodiscard]] Verdict check_declared_size(
    const Rights& rights, const std::optional<std::uint64_t>& size);
// By its domain. Not for a session that is_bound_to_account.
[[nodiscard]] Verdict check_sender(const Rights& rights, const ReversePath& path);
// An account claims an address: is it one of its own, or granted to it? `owner`: whose address it
// is, null when nobody's here. `account`: the name of the mailbox that logged in.
[[nodiscard]] bool may_send_as(const MailRecipient* owner, const std::string& account) noexcept;
[[nodiscard]] Verdict send_as_refused(std::string_view reason);
[[nodiscard]] smtp::Reply rate_exceeded();

// RCPT. `accepted`: recipients of this transaction so far.
[[nodiscard]] Verdict check_recipient_count(const Rights& rights, std::size_t accepted);
// RFC 2606 and single-label domains, as the connector says.
[[nodiscard]] Verdict check_recipient_domain(const Rights& rights, const ForwardPath& path);
[[nodiscard]] Verdict recipient_rate_exceeded();
[[nodiscard]] Verdict check_recipient(
    const Rights& rights, const Result<ResolvedRecipient>& resolved);

// What was seen of a message that has come in whole.
struct ReceivedFacts {
    bool too_large = false;
    bool bare_newline = false;
    bool long_line = false;
    bool header_too_large = false;
    std::uint32_t received_count = 0;
    std::uint32_t local_received_count = 0;
};

[[nodiscard]] Verdict check_message(const Rights& rights, const ReceivedFacts& facts);
// BDAT. `octets`: of the message so far.
[[nodiscard]] Verdict check_chunk(const Rights& rights, std::uint64_t octets, std::uint64_t size);
[[nodiscard]] Verdict header_verdict(const HeaderDecision& decision);

// A port failed us: never 250. Disk full 452 4.3.1, anything else 451 4.3.0.
[[nodiscard]] smtp::Reply local_failure(const ErrorCode& error);

}  // namespace mailflow

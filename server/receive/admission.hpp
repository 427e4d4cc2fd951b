// Every decision about what is let in: connections, senders, recipients, messages. Pure functions
// from the connector's rights, the Organization and what the client said to a Verdict;
// ReceiveSession only drives. Used on any lane.
#pragma once

#include "server/receive/rate_limiter.hpp"
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

// What one session may do, by the connector that took it. The Organization keeps the connector
// alive.
struct Rights {
    OrganizationPtr organization;
    const ReceiveConnector* connector = nullptr;
    PermissionSet permissions = 0;

    [[nodiscard]] static Rights of(OrganizationPtr organization, const ReceiveConnector& connector);
    // The tightest of the organization's and the connector's message limits; none: unlimited.
    [[nodiscard]] std::optional<std::uint64_t> max_message_size() const noexcept;
    [[nodiscard]] std::size_t max_recipients() const noexcept;
    [[nodiscard]] const std::string& fqdn() const noexcept;
    // Not slowed down and not counted per source: trusted peers, and this host itself.
    [[nodiscard]] bool is_exempt(const IpAddress& client) const noexcept;
};

// `counts` without the connection at hand.
[[nodiscard]] Verdict check_connection(
    const ReceiveConnector& connector, const IpAddress& client, const ConnectionCounts& counts);
// No connector takes this client.
[[nodiscard]] smtp::Reply no_service();
[[nodiscard]] Verdict check_sender(const Rights& rights, const smtp::Mail& mail);
[[nodiscard]] smtp::Reply rate_exceeded();
// `accepted`: recipients of this transaction so far.
[[nodiscard]] Verdict check_recipient_count(const Rights& rights, std::size_t accepted);
[[nodiscard]] Verdict check_recipient(
    const Rights& rights, const Result<ResolvedRecipient>& resolved);

// What was seen of a message that has come in whole.
struct ReceivedFacts {
    bool too_large = false;
    bool bare_newline = false;
    bool long_line = false;
    bool header_too_large = false;
    std::uint32_t received_count = 0;
};

[[nodiscard]] Verdict check_message(const Rights& rights, const ReceivedFacts& facts);

// A port failed us: never 250. Disk full 452 4.3.1, anything else 451 4.3.0.
[[nodiscard]] smtp::Reply local_failure(const ErrorCode& error);

}  // namespace mailflow

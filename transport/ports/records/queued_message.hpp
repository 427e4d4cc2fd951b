// Plain records that cross the store: what enters the queue, what rests in it, and how it moves.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/id.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/mail/content.hpp"
#include "transport/mail/delivery_status.hpp"
#include "transport/mail/dsn_request.hpp"
#include "transport/mail/envelope.hpp"
#include "transport/org/delivery_target.hpp"
#include "transport/org/next_hop.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mailflow {

// Where a resolved recipient goes. Decided once, before the commit; routing to a next hop is
// decided at each attempt.
enum class RecipientTarget : std::uint8_t { mailbox, remote };

// Legal moves: ready → deferred → deferred | delivered | failed; ready → delivered | failed; ready,
// deferred ↔ held; deferred → ready (its time of release has come); failed, delivered → (its DSN
// committed) reported. delivered and failed are final.
enum class RecipientState : std::uint8_t {
    ready,     // never tried, or released: due at once
    deferred,  // waits in the delivery queue of `next_hop` until `due`
    held,      // waits for an administrator
    delivered,
    failed,
};

[[nodiscard]] constexpr bool is_final(RecipientState state) noexcept {
    return state == RecipientState::delivered || state == RecipientState::failed;
}

struct QueuedRecipient {
    std::uint32_t number = 0;  // 0-based, stable within the message
    RecipientTarget target = RecipientTarget::remote;
    EmailAddress address;  // after resolution: where it is delivered
    std::string original;  // the path as RCPT had it, without brackets
    std::string mailbox;   // name of the local recipient when target is mailbox

    RecipientState state = RecipientState::ready;
    // Once final: the DSN that names it is committed, or none is owed (null sender, not asked for).
    bool reported = false;
    bool delay_notified = false;  // a delayed DSN that names it is committed
    std::uint32_t attempts = 0;
    UtcTime due{};                       // meaningful when deferred
    std::string next_hop;                // key of its delivery queue; empty until first deferred
    std::optional<DeliveryStatus> last;  // outcome of the last attempt
    DsnRequest dsn{};                    // what RCPT asked for; never changed after commit
    // Which of the message's variants it gets: 0 the message as it came, n variants[n - 1].
    std::uint16_t variant = 0;
    // Where its mail is put, of a local recipient; never changed after commit.
    DeliveryTarget place{};
};

// The message as some of its recipients get it: another reverse-path (mail that is forwarded,
// groups whose owner gets the reports), another header (mail that leaves under a primary or
// rewritten address). Made once, before the commit.
struct MessageVariant {
    ReversePath reverse_path;       // MAIL FROM
    ReversePath report_to;          // who gets our own reports; null: nobody
    std::vector<HeaderEdit> edits;  // in place of Content::edits
    // In place of Content::prefix; none: as the message has it.
    std::optional<std::string> prefix{};

    friend bool operator==(const MessageVariant&, const MessageVariant&) = default;
};

// How a message came in; kept for tracking, lists and DSNs.
struct Origin {
    std::string connector;  // name of the receive connector; `DSN` for our own reports
    std::string helo;
    IpAddress client;
    std::string protocol;   // RFC 3848 "with" keyword: SMTP, ESMTPSA, UTF8SMTPS …
    std::string account{};  // name of the mailbox that logged in; empty: nobody did
    std::string tls{};      // `TLSv1.3 TLS_AES_256_GCM_SHA384 X25519`; empty: in clear
    bool trusted = false;   // the session had the right accept-organization-headers
};

struct QueuedMessage {
    QueueId id;
    UtcTime accepted{};
    Envelope envelope;  // `recipients` empty: they are in `recipients` below
    Origin origin;
    Content content;
    bool held = false;
    std::vector<QueuedRecipient> recipients;
    std::vector<MessageVariant> variants;

    // The body while it is still in memory (just accepted); the store's copy rules otherwise.
    std::shared_ptr<const std::string> body;

    // The sender as `recipient` sees it, and who is told what became of it.
    [[nodiscard]] const ReversePath& reverse_path_of(const QueuedRecipient& recipient) const {
        return recipient.variant == 0 ? envelope.reverse_path
                                      : variants.at(recipient.variant - 1U).reverse_path;
    }

    [[nodiscard]] const ReversePath& report_to(const QueuedRecipient& recipient) const {
        return recipient.variant == 0 ? envelope.reverse_path
                                      : variants.at(recipient.variant - 1U).report_to;
    }

    [[nodiscard]] const std::vector<HeaderEdit>& edits_of(const QueuedRecipient& recipient) const {
        return recipient.variant == 0 ? content.edits : variants.at(recipient.variant - 1U).edits;
    }

    [[nodiscard]] const std::string& prefix_of(const QueuedRecipient& recipient) const {
        const bool is_own =
            recipient.variant != 0 && variants.at(recipient.variant - 1U).prefix.has_value();
        return is_own ? *variants[recipient.variant - 1U].prefix : content.prefix;
    }

    // When its clocks of expiry, delay and retry start: RFC 4865 §4 knows it as released then.
    [[nodiscard]] UtcTime starts() const noexcept { return std::max(accepted, envelope.release); }

    // RFC 2852 §4: when it is late; none when nobody asked.
    [[nodiscard]] std::optional<UtcTime> deadline() const noexcept {
        if (!envelope.deliver_by) {
            return std::nullopt;
        }
        return accepted + std::chrono::seconds(envelope.deliver_by->seconds);
    }
};

using QueuedMessagePtr = std::shared_ptr<const QueuedMessage>;

// Everything the store needs to make a message durable: the id is already given, recipients are
// resolved. For a small body `message.body` holds the octets and goes into the row; a large one is
// in its synced file already.
struct Submission {
    QueuedMessage message;
    // Of a message for more recipients than one holds: the others, with ids of their own, the same
    // content and the same body; committed with it as one, or not at all. A body in a file: the
    // store gives each of them a file of its own, numbered by its id, which `content.body.file` of
    // the copy says already.
    std::vector<QueuedMessage> copies{};
};

// A message whose recipients these are has been reported on: committed together with the report.
struct ReportMark {
    QueueId message;
    std::vector<std::uint32_t> recipients;
    bool delay = false;  // true: marks delay_notified, false: marks reported
};

// ---- changes, recorded lazily (see QueueStore::record)

// The state of one recipient after an attempt or an administrator's command.
struct RecipientChange {
    QueueId message;
    std::uint32_t recipient = 0;
    RecipientState state = RecipientState::deferred;
    std::uint32_t attempts = 0;
    UtcTime due{};
    std::string next_hop;
    std::optional<DeliveryStatus> last;
    bool reported = false;  // with delivered and failed: no DSN is owed
};

// All recipients are final and reported: the rows go, and after the sync that covers it, the body.
struct RetireMessage {
    QueueId message;
};

struct HoldMessage {
    QueueId message;
    bool held = true;
};

// Retry state of a delivery queue. A connection-level failure updates this one row, not its
// recipients.
struct NextHopState {
    std::string key;
    std::uint32_t attempts = 0;  // failed ones in a row; 0 when the last one worked
    UtcTime first_failure{};
    UtcTime next_retry{};        // 0: now
    std::string last_error;      // verbatim, one line
    std::uint64_t deferred = 0;  // recipients waiting, kept by the store; ignored in changes

    friend bool operator==(const NextHopState&, const NextHopState&) = default;
};

using QueueChange = std::variant<RecipientChange, RetireMessage, HoldMessage, NextHopState>;

}  // namespace mailflow

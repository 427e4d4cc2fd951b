// Step "restrict": may this sender send this much to this recipient (reference 5.2, 13.2)? Pure:
// what it needs of the directory it reads from DirectoryFacts. RCPT answers with the refusal; found
// later (a member of a group, a forwarding) it becomes a failed recipient with the same code.
#pragma once

#include "transport/mail/delivery_status.hpp"
#include "transport/mail/path.hpp"
#include "transport/org/organization.hpp"
#include "transport/route/directory_facts.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mailflow {

// A reply, or the diagnostic of a failed recipient. `text` is a literal.
struct Refusal {
    std::uint16_t code = 550;
    EnhancedStatus status{5, 0, 0};
    std::string_view text;

    [[nodiscard]] DeliveryStatus failure() const;
};

// Who sends, as far as the session believes it.
struct SenderFacts {
    ReversePath path{};
    bool is_authenticated = false;  // logged in, or a client of a trusted connector
    bool is_own_report = false;     // DSNs of ours: exempt from every restriction and size limit
    RecipientPtr account{};         // who logged in; null: nobody did
};

// The recipient of ours the sender is; a null RecipientPtr: none. None: `facts` wants something.
[[nodiscard]] std::optional<RecipientPtr> find_sender(
    const SenderFacts& sender, DirectoryFacts& facts);

enum class RestrictStep : std::uint8_t { wanted, passed, refused };

struct Restriction {
    RestrictStep step = RestrictStep::passed;
    Refusal refusal{};  // when refused
};

// `size`: octets of the message, or as declared at MAIL; 0: not known yet.
[[nodiscard]] Restriction check_restrictions(
    const SenderFacts& sender,
    const MailRecipient& recipient,
    std::uint64_t size,
    const Organization& organization,
    DirectoryFacts& facts);

// Reference 13.2: of who logged in, its own limit in place of the organization's; none: unlimited.
[[nodiscard]] std::optional<std::uint64_t> max_send_size(
    const SenderFacts& sender, const Organization& organization);

// A recipient that mail leaves to.
[[nodiscard]] std::optional<Refusal> check_outbound_size(
    const SenderFacts& sender, std::uint64_t size, const Organization& organization);

[[nodiscard]] Refusal unknown_recipient();
[[nodiscard]] Refusal too_many_recipients();
[[nodiscard]] Refusal mail_loop();
[[nodiscard]] Refusal message_too_large();
[[nodiscard]] Refusal recipient_too_large();
[[nodiscard]] Refusal group_too_deep();

}  // namespace mailflow

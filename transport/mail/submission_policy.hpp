// The duties of a submission server on a header (RFC 6409 §8), for connectors with `submission`:
// Date, Message-ID and From added where they lack, bare addresses completed, Bcc taken out, Sender
// put right by the connector's policy. Nothing else is touched, byte for byte. Pure; called by
// decide_header, and by the session for the addresses it must ask the directory about.
#pragma once

#include "transport/mail/header_policy.hpp"

#include <cstddef>
#include <vector>

namespace mailflow {

// Mailboxes of From that are looked up; more are not granted.
inline constexpr std::size_t kMaxClaimedSenders = 20;
// Bare addresses of one message that are completed; what is beyond stays bare.
inline constexpr std::size_t kMaxCompletedAddresses = 1'000;

// Whom a message says it is from.
struct ClaimedSenders {
    std::vector<EmailAddress> addresses;  // each once, bare ones completed
    // No mailbox of From is missing above: all could be read, and they are not too many. False
    // means that nobody can say who this is from. An absent From is whole: it will be the
    // reverse-path, which MAIL checked.
    bool is_whole = true;
};

[[nodiscard]] ClaimedSenders claimed_senders(
    const ScannedHeader& header, const SubmissionContext& context);

// Adds to `decision` what submission asks for.
void apply_submission_policy(
    const ScannedHeader& header, const SubmissionContext& context, HeaderDecision& decision);

}  // namespace mailflow

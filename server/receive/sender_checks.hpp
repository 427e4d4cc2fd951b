// What is asked about a sender, at MAIL and at the end of data, where the directory has a say:
// which addresses an account may send as. ReceiveSession answers with the verdicts; `explain` shows
// them. On the directory's lane; whatever is referred to outlives the call.
#pragma once

#include "server/receive/admission.hpp"
#include "transport/mail/header_policy.hpp"
#include "transport/mail/submission_policy.hpp"
#include "transport/ports/directory.hpp"

namespace mailflow {

// May who has logged in as `account` send as `address`?
[[nodiscard]] Task<Verdict> check_account(
    Directory& directory, const MailRecipient& account, EmailAddress address);

// MAIL FROM: by its domain, and when that does not do, or the session is_bound_to_account, by the
// account's addresses. `account`: who has logged in; null: nobody.
[[nodiscard]] Task<Verdict> check_reverse_path(
    Directory& directory, const Rights& rights, const MailRecipient* account, ReversePath path);

// ---- end of data

// Whether the header's From is looked at.
[[nodiscard]] bool must_judge_from(const Rights& rights) noexcept;

// What the header policy knows of a session. The views live as long as `rights` and `message_id`.
[[nodiscard]] HeaderContext header_context(
    const Rights& rights,
    const MailRecipient* account,
    const ReversePath& reverse_path,
    std::string_view message_id,
    UtcTime time);

// The header's fields that are kept for header policy and From check.
[[nodiscard]] HeaderWishes header_wishes(
    const Rights& rights, const MailRecipient* account, const ReversePath& reverse_path);

// Reference 2.6: From is checked like MAIL. Who logged in says its own addresses there, or what the
// connector's sender policy makes of others (context.submission->from_is_granted is set then); who
// may not claim our domains may not claim them here. When must_judge_from.
[[nodiscard]] Task<Verdict> check_from(
    Directory& directory,
    const Rights& rights,
    const MailRecipient* account,
    const ScannedHeader& header,
    HeaderContext& context);

}  // namespace mailflow

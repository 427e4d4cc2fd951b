// What the categorizer is told about a message by the session that takes it: who sends, which
// fields of its header matter, who it is for. Pure; `explain` tells it the same way.
#pragma once

#include "server/receive/admission.hpp"
#include "transport/mail/header_policy.hpp"
#include "transport/mail/header_scanner.hpp"
#include "transport/queue/categorize.hpp"

#include <vector>

namespace mailflow {

using NamedRecipients = std::vector<CategorizeRequest::Recipient>;

// `account`: who logged in, null when nobody did.
[[nodiscard]] SenderFacts sender_facts(
    const Rights& rights, const RecipientPtr& account, const ReversePath& path);

// Adds the fields whose texts categorizing needs: addresses that are rewritten, and what tells
// programs from people. Nothing in the plain case.
void add_categorizer_wishes(
    const SenderFacts& sender,
    const Organization& organization,
    const NamedRecipients& recipients,
    HeaderWishes& wishes);

// Who wrote it, by the fields wished for; a person when they were not.
[[nodiscard]] AutoSubmitted auto_submitted_of(
    const ScannedHeader& header, const ReversePath& sender);

// What RCPT found: as the type of its domain says, then its restrictions.
[[nodiscard]] Verdict check_admitted(
    const Rights& rights, const Result<AdmittedRecipient>& admitted);

// RFC 5321 §4.4, fact 19: the smaller of what came and what is kept counts; the Received field that
// we add does not.
[[nodiscard]] std::uint64_t size_for_limits(
    std::uint64_t size, const HeaderDecision& decision) noexcept;

// Fact 9: who is known is reported to, strangers are told at once, so that no report goes to whom
// they only claim to be. For the size everybody is told at once.
[[nodiscard]] bool must_refuse(const Rights& rights, const Categorized& categorized) noexcept;

[[nodiscard]] Verdict refusal_of(const Refusal& refusal, std::string_view reason);

}  // namespace mailflow

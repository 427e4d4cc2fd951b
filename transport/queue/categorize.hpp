// Drives the categorizer against the Directory: asks what the pure steps of transport/route want to
// know. The receive session uses it at RCPT and at the end of data, the DSN generator for its
// reports, `explain` for the same answers with notes about every step. Runs on the directory's
// lane.
#pragma once

#include "transport/base/id.hpp"
#include "transport/ports/directory.hpp"
#include "transport/ports/tracking_sink.hpp"
#include "transport/route/categorization.hpp"

#include <vector>

namespace mailflow {

// ---- RCPT

struct AdmitRequest {
    ForwardPath path;
    SenderFacts sender;
    std::uint64_t size = 0;               // as declared; 0: not
    const AddressTools* tools = nullptr;  // may be null; outlives the call
    UtcTime now{};
};

struct AdmittedRecipient {
    ResolvedRecipient resolved;
    std::optional<Refusal> refusal;  // by a restriction; what `resolved.kind` means is the caller's
};

// Error::unavailable when the directory cannot answer now.
Task<Result<AdmittedRecipient>> admit_recipient(
    Directory& directory, OrganizationPtr organization, AdmitRequest request);

// ---- the message

// Of who fails, `reported` says whether a report is owed (report_rules).
// Error::unavailable as above: nothing is decided. What the request points to outlives the call.
Task<Result<Categorized>> categorize(
    Directory& directory, OrganizationPtr organization, CategorizeRequest request);

// `message` with recipients, variants, edits and prefix as categorized; more than `limit`
// recipients make copies with ids of their own.
[[nodiscard]] Submission submission_of(
    QueuedMessage message, Categorized categorized, std::uint32_t limit, QueueIdSource& ids);

// RESOLVE, EXPAND, REDIRECT, REWRITE, FAIL and REMOVE as noted, TRANSFER for the copies.
void track_notes(
    TrackingSink& tracking,
    const Submission& submission,
    const std::vector<CategorizerNote>& notes);

}  // namespace mailflow

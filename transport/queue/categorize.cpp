#include "transport/queue/categorize.hpp"

#include "transport/queue/recipient_lookup.hpp"
#include "transport/queue/report_rules.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// None: `facts` wants something.
std::optional<AdmittedRecipient> admit(
    const AdmitRequest& request, const Organization& organization, DirectoryFacts& facts) {
    auto resolved =
        resolve_recipient(request.path, organization, request.tools, request.now, facts);
    if (!resolved) {
        return std::nullopt;
    }
    AdmittedRecipient admitted{std::move(*resolved), std::nullopt};
    const auto& found = admitted.resolved;
    if (found.recipient == nullptr || found.is_role) {
        return admitted;
    }
    const auto restriction =
        check_restrictions(request.sender, *found.recipient, request.size, organization, facts);
    if (restriction.step == RestrictStep::wanted) {
        return std::nullopt;
    }
    if (restriction.step == RestrictStep::refused) {
        admitted.refusal = restriction.refusal;
    }
    return admitted;
}

// What fails here is reported by the rules of all failures.
void decide_reports(
    Categorized& categorized, const ReversePath& sender, const Organization& organization) {
    auto& rows = categorized.recipients;
    const auto is_failed = [](const auto& row) {
        return row.state == RecipientState::failed;
    };
    if (std::none_of(rows.begin(), rows.end(), is_failed)) {
        return;
    }
    QueuedMessage message;
    message.envelope.reverse_path = sender;
    message.variants = std::move(categorized.variants);
    for (auto& row : rows) {
        if (is_failed(row)) {
            row.reported = !owes_failure(message, row, row.last->status, organization);
        }
    }
    categorized.variants = std::move(message.variants);
}

std::string sender_text(const QueuedMessage& message) {
    const auto& path = message.envelope.reverse_path;
    return path.is_null() ? "<>" : path.text();
}

TrackingEvent event_of(const QueuedMessage& message, TrackingEventId id) {
    TrackingEvent event;
    event.time = message.accepted;
    event.event = id;
    event.queue_id = message.id;
    event.message_id = message.content.facts.message_id;
    event.sender = sender_text(message);
    return event;
}

std::string detail_of(const CategorizerNote& note) {
    switch (note.event.value()) {
        case TrackingEventId::resolve:
        case TrackingEventId::expand:
        case TrackingEventId::redirect: return note.before + ": " + note.reason;
        case TrackingEventId::rewrite:
            return note.reason + ": " + (note.before.empty() ? "<>" : note.before) + " -> " +
                   note.after.front();
        default: return note.reason;
    }
}

}  // namespace

Task<Result<AdmittedRecipient>> admit_recipient(
    Directory& directory, OrganizationPtr organization, AdmitRequest request) {
    DirectoryFacts facts;
    auto admitted = admit(request, *organization, facts);
    while (!admitted) {
        const auto error = co_await answer_wanted(directory, facts);
        if (error) {
            co_return error;
        }
        admitted = admit(request, *organization, facts);
    }
    co_return *std::move(admitted);
}

Task<Result<Categorized>> categorize(
    Directory& directory, OrganizationPtr organization, CategorizeRequest request) {
    const auto sender = request.sender.path;
    Categorization categorization(*organization, std::move(request));
    while (!categorization.advance()) {
        const auto error = co_await answer_wanted(directory, categorization.facts());
        if (error) {
            co_return error;
        }
    }
    auto categorized = categorization.take();
    decide_reports(categorized, sender, *organization);
    co_return categorized;
}

Submission submission_of(
    QueuedMessage message, Categorized categorized, std::uint32_t limit, QueueIdSource& ids) {
    message.recipients = std::move(categorized.recipients);
    message.variants = std::move(categorized.variants);
    message.content.edits = std::move(categorized.edits);
    message.content.prefix = std::move(categorized.prefix);
    Submission submission;
    const std::size_t most = std::max(limit, 1U);
    if (message.recipients.size() > most) {
        auto all = std::exchange(message.recipients, {});
        for (std::size_t begin = most; begin < all.size(); begin += most) {
            auto& copy = submission.copies.emplace_back(message);
            copy.id = ids.next();
            if (copy.content.body.file != 0) {
                copy.content.body.file = copy.id.value;  // see Submission::copies
            }
            const auto end = std::min(all.size(), begin + most);
            for (auto i = begin; i < end; ++i) {
                copy.recipients.push_back(std::move(all[i]));
                copy.recipients.back().number = static_cast<std::uint32_t>(i - begin);
            }
        }
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(most), all.end());
        message.recipients = std::move(all);
    }
    submission.message = std::move(message);
    return submission;
}

void track_notes(
    TrackingSink& tracking,
    const Submission& submission,
    const std::vector<CategorizerNote>& notes) {
    for (const auto& note : notes) {
        if (!note.event) {
            continue;
        }
        auto event = event_of(submission.message, *note.event);
        event.recipients = note.after;
        if (event.recipients.empty() || note.event == TrackingEventId::rewrite) {
            event.recipients = {note.before};
        }
        event.status = note.status;
        event.detail = detail_of(note);
        tracking.append(std::move(event));
    }
    for (const auto& copy : submission.copies) {
        auto event = event_of(submission.message, TrackingEventId::transfer);
        for (const auto& recipient : copy.recipients) {
            event.recipients.push_back(recipient.address.text());
        }
        event.detail = copy.id.text();
        tracking.append(std::move(event));
    }
}

}  // namespace mailflow

// Reports to the sender of a message (RFC 3464; reference 10): composes one DSN, streams the
// original into it and commits it together with the mark that says so. One report is of one kind. A
// report never answers a report: the caller never orders one for a null reverse-path. Owned by
// QueueManager, used on the queue lane.
#pragma once

#include "transport/base/log.hpp"
#include "transport/base/random.hpp"
#include "transport/mail/dsn_report.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/directory.hpp"
#include "transport/ports/queue_store.hpp"
#include "transport/ports/tracking_sink.hpp"
#include "transport/route/recipient_resolver.hpp"

#include <vector>

namespace mailflow {

struct DsnOrder {
    DsnKind kind = DsnKind::failed;
    QueuedMessagePtr original;
    OrganizationPtr organization;

    struct Recipient {
        std::uint32_t number = 0;
        DeliveryStatus status;
    };

    std::vector<Recipient> recipients;
    UtcTime retry_until{};  // delayed only
};

enum class DsnOutcome : std::uint8_t {
    committed,
    undeliverable,  // the sender is an unknown recipient of ours: nobody to report to
    failed,         // not now (store, disk, directory): the report is still owed
};

struct DsnResult {
    DsnOutcome outcome = DsnOutcome::failed;
    QueuedMessagePtr report;  // when committed
    ErrorCode error;          // when failed
};

class DsnGenerator {
  public:
    struct Parts {
        QueueStore& store;
        BodyStore& bodies;
        Directory& directory;
        QueueIdSource& ids;
        const Clock& clock;
        Random& random;
        TrackingSink& tracking;
        Log log;
    };

    explicit DsnGenerator(Parts parts) noexcept
        : parts_(parts) {}

    Task<DsnResult> report(DsnOrder order);

  private:
    [[nodiscard]] DsnInput describe(const DsnOrder& order, QueueId id);
    [[nodiscard]] Submission make_submission(
        const DsnOrder& order,
        QueueId id,
        const DsnText& text,
        const StoredBody& body,
        const ResolvedRecipient& to) const;
    // The report's text and the original's, into a body of its own.
    Task<Result<StoredBody>> write(
        QueueId id, const DsnText& text, const QueuedMessage& original, bool whole);
    Task<Result<>> copy_original(
        BodyWriter& writer, const QueuedMessage& original, std::uint64_t octets);
    void track(const DsnOrder& order, const QueuedMessage* report, std::string_view detail);

    Parts parts_;
};

}  // namespace mailflow

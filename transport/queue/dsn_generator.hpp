// Reports on messages (RFC 3464; reference 10): composes one DSN, streams the original into it and
// commits it together with the mark that says so. One report is of one kind and goes to one reader:
// whom QueuedMessage::report_to names, or the postmaster in his place, who may get a copy too
// (report_rules.hpp). A report that cannot be delivered makes one notice to the postmaster at most,
// and nothing makes a report on that. Owned by QueueManager, used on the queue lane.
#pragma once

#include "transport/base/log.hpp"
#include "transport/base/random.hpp"
#include "transport/mail/dsn_report.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/directory.hpp"
#include "transport/ports/queue_store.hpp"
#include "transport/ports/tracking_sink.hpp"
#include "transport/queue/categorize.hpp"
#include "transport/queue/dsn_limiter.hpp"

#include <memory>
#include <string>
#include <string_view>
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

    std::vector<Recipient> recipients;  // never empty; with one report_to
    UtcTime retry_until{};              // delayed only
};

enum class DsnOutcome : std::uint8_t {
    committed,
    undeliverable,  // nobody to report to, or one with too many reports: not owed any more
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
    // The notice of reports that were not made (dsn_rate_limit), when it is time for it, or at
    // once. Outcome `undeliverable`: there is none to send.
    Task<DsnResult> report_withheld(OrganizationPtr organization, bool at_once);

  private:
    // Whom a report is made for, and as whom he reads it.
    struct Addressees {
        std::vector<QueuedRecipient> recipients;  // none: nobody
        std::vector<MessageVariant> variants;
        DsnReader reader = DsnReader::sender;
        bool counts = false;       // against the rate limit of the sender
        std::string_view dropped;  // when there is nobody: why
    };

    Task<Result<Addressees>> addressees_of(const DsnOrder& order);
    // Adds the address when mail to it goes to somebody.
    Task<Result<>> add_path(
        CategorizeRequest& request,
        OrganizationPtr organization,
        EmailAddress address,
        std::uint8_t notify);
    Task<Result<>> resolve(
        Addressees& addressees, OrganizationPtr organization, CategorizeRequest request);
    [[nodiscard]] bool is_over_limit(const DsnOrder& order) const;
    void withhold(const DsnOrder& order);
    void drop(const DsnOrder& order, std::string_view why);
    [[nodiscard]] DsnInput describe(
        const DsnOrder& order, DsnReader reader, QueueId id, const Content& original);
    [[nodiscard]] QueuedMessage make_message(
        QueueId id, std::string_view head, const StoredBody& body, Addressees addressees) const;
    Task<Result<QueuedMessagePtr>> commit_text(
        QueueId id, const std::string& text, Addressees addressees);
    [[nodiscard]] std::string new_message_id(const Organization& organization, QueueId id);
    void track(const DsnOrder& order, const QueuedMessage* report, std::string_view detail);

    Parts parts_;
    DsnLimiter limiter_;
};

}  // namespace mailflow

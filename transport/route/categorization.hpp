// Steps "resolve", "restrict", "expand" and "rewrite" of one message (reference 8.1;
// decisions 1.8): the recipients of RCPT become those the message is queued for, each with the
// variant of the message it gets. A pure state machine: `advance` works until it is finished or
// `facts` wants a look-up. Step "route" is route_message (categorizer.hpp), at every attempt.
// Driven by transport/queue/categorize. Belongs to one message.
#pragma once

#include "transport/mail/header_scanner.hpp"
#include "transport/ports/records/queued_message.hpp"
#include "transport/ports/records/tracking_event.hpp"
#include "transport/route/recipient_resolver.hpp"
#include "transport/route/restrictions.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Recipients one message may come to have; what is beyond fails (5.5.3).
constexpr std::size_t kMaxExpandedRecipients = 100'000;
// Forwardings that follow each other (reference 10.4: loops are cut after 20).
constexpr std::size_t kMaxForwardings = 20;

// RFC 3834 §5: whether a program wrote it.
enum class AutoSubmitted : std::uint8_t {
    no,
    generated,  // reports and the like
    replied,    // an answer nobody asked for: out of office
};

// By the Auto-Submitted field (its value, unfolded; empty: absent) and the sender.
[[nodiscard]] AutoSubmitted auto_submitted(
    std::string_view field, std::string_view content_type, const ReversePath& sender) noexcept;

struct CategorizeRequest {
    SenderFacts sender;

    struct Recipient {
        ForwardPath path;
        DsnRequest dsn{};
        // What RCPT found; then it has passed the restrictions too. None: looked up here.
        std::optional<ResolvedRecipient> resolved{};
    };

    std::vector<Recipient> recipients;
    std::uint64_t size = 0;  // octets
    AutoSubmitted auto_submitted = AutoSubmitted::no;
    // With the texts of rewritable_fields, and what the header policy edits; null: the header is
    // left as it is. Outlives the request.
    const ScannedHeader* header = nullptr;
    std::vector<HeaderEdit> edits{};
    // Of the message: trace and what the header policy adds. Addresses in it are rewritten too.
    std::string prefix{};
    const AddressTools* tools = nullptr;  // may be null: no address-rewrite, no SRS
    UtcTime now{};
    bool copies_to_always_bcc = true;  // not for what we wrote ourselves
    bool explain = false;              // notes about everything, not only about what is tracked
};

enum class CategorizerStage : std::uint8_t { resolve, restrict, expand, rewrite };

// One step that was taken: `explain` shows them, tracking has those with an event.
struct CategorizerNote {
    CategorizerStage stage = CategorizerStage::resolve;
    std::string before;              // an address, as it was
    std::vector<std::string> after;  // what became of it
    std::string reason;              // in words; of a failure its diagnostic
    std::optional<TrackingEventId> event{};
    std::string status{};  // enhanced code of a failure
};

[[nodiscard]] const char* to_text(CategorizerStage stage) noexcept;

struct Categorized {
    // Numbered from 0. Failed ones have state failed and their status in `last`, and whether a
    // report is owed is for the driver to say (`reported`); a group whose success is to be reported
    // has state delivered and action expanded.
    std::vector<QueuedRecipient> recipients;
    std::vector<MessageVariant> variants;
    // Of the message itself: what Content has of these names.
    std::vector<HeaderEdit> edits;
    std::string prefix;
    std::vector<CategorizerNote> notes;
    // Nobody gets it, for its size or their number: who is still there is told so instead of being
    // reported to.
    std::optional<Refusal> refusal;

    // Nobody is to get it and nobody is to be told: there is nothing to store.
    [[nodiscard]] bool is_over() const noexcept;
};

class Categorization {
  public:
    // The organization and what the request points to outlive it.
    Categorization(const Organization& organization, CategorizeRequest request);
    ~Categorization();
    Categorization(const Categorization&) = delete;
    Categorization& operator=(const Categorization&) = delete;

    // True: finished. False: facts().wanted() is to be answered first.
    [[nodiscard]] bool advance();

    [[nodiscard]] DirectoryFacts& facts() noexcept;

    // Once, when finished.
    [[nodiscard]] Categorized take();

  private:
    class Work;
    std::unique_ptr<Work> work_;
};

}  // namespace mailflow

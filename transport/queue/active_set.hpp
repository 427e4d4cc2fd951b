// The messages in memory: those with a recipient waiting or running, and those a decision is being
// made about. What is here is the truth about them; the store follows. Bounded by rows; everything
// else rests on disk. Owned by QueueManager, used on the queue lane.
#pragma once

#include "transport/ports/records/queued_message.hpp"
#include "transport/queue/queue_limits.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

namespace mailflow {

// Where a recipient is in memory: not in work, in a delivery queue, in an attempt.
enum class Work : std::uint8_t { idle, queued, running };

// What changes of a QueuedRecipient, as of now.
struct ActiveRecipient {
    RecipientState state = RecipientState::ready;
    bool reported = false;
    bool delay_notified = false;
    std::uint32_t attempts = 0;
    UtcTime due{};
    std::string next_hop;
    std::optional<DeliveryStatus> last;
    Work work = Work::idle;
    std::string works_at;  // key of the hop it is queued or running for
};

struct ActiveMessage {
    QueuedMessagePtr message;                 // as loaded: envelope, content, addresses
    std::vector<ActiveRecipient> recipients;  // same positions as message->recipients
    std::size_t in_work = 0;                  // recipients queued or running
    bool tried = false;                       // loaded from a delivery queue, not as a new message
    bool held = false;
    bool is_reporting = false;          // a DSN about it is being composed or committed
    bool report_failed = false;         // its DSN could not be committed: again in a minute
    std::optional<UtcTime> owed_since;  // when the first outcome not yet reported stood
    std::optional<bool> removal;  // an administrator removed it while it ran; true: with a report

    [[nodiscard]] QueueId id() const noexcept { return message->id; }

    // Position of recipient `number`.
    [[nodiscard]] std::size_t position(std::uint32_t number) const;

    [[nodiscard]] ActiveRecipient& at(std::uint32_t number) { return recipients[position(number)]; }

    [[nodiscard]] const QueuedRecipient& stored(std::uint32_t number) const {
        return message->recipients[position(number)];
    }
};

// Notes which messages changed while a read of the store was under way: what the read says about
// those is old.
class ReadWatch {
  public:
    void touch(QueueId id) { touched_.insert(id); }

    [[nodiscard]] bool was_touched(QueueId id) const { return touched_.contains(id); }

  private:
    std::set<QueueId> touched_;
};

class ActiveSet {
  public:
    explicit ActiveSet(const QueueLimits& limits);

    [[nodiscard]] ActiveMessage* find(QueueId id) noexcept;
    [[nodiscard]] const ActiveMessage* find(QueueId id) const noexcept;
    // Its body is kept only as far as the budget goes.
    ActiveMessage& add(QueuedMessagePtr message, bool tried);
    void remove(QueueId id);

    [[nodiscard]] std::size_t size() const noexcept { return messages_.size(); }

    [[nodiscard]] std::map<QueueId, ActiveMessage>& messages() noexcept { return messages_; }

    // ---- bounds

    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }

    // The highest number of rows ever in memory, pages included.
    [[nodiscard]] std::size_t highest_rows() const noexcept { return highest_rows_; }

    // A page of so many rows is in memory now.
    void note_page(const std::vector<QueuedMessage>& page) noexcept;
    // Whether a message of `rows` may come in: new mail up to four fifths, and the last fifth for
    // next hops that have nothing active; deferred mail has a fifth of its own.
    [[nodiscard]] bool takes(std::size_t rows, bool tried, bool hop_is_idle) const noexcept;
    // Rows that `takes` surely allows.
    [[nodiscard]] std::size_t room(bool tried, bool hop_is_idle) const noexcept;

    // The set may grow into what is reserved for pages only while a decision is made, not by giving
    // work.
    [[nodiscard]] bool is_within_bounds() const noexcept {
        return rows_ <= usable_ || messages_.size() == 1;
    }

    [[nodiscard]] bool is_half_empty() const noexcept { return rows_ <= usable_ / 2; }

    // Pages of the sweeps, and of the reads that fill the set, in messages.
    [[nodiscard]] std::size_t sweep_page() const noexcept { return sweep_page_; }

    [[nodiscard]] std::size_t longest_read() const noexcept { return reserve_ - sweep_page_; }

    // ---- what reads and announcements may say too late

    // The watch works as long as it is held.
    [[nodiscard]] std::shared_ptr<ReadWatch> watch_read();
    void touch(QueueId id);
    // An announcement of a message that a read found first would deliver it a second time.
    void remember_read(QueueId id);

    [[nodiscard]] bool was_read(QueueId id) const { return read_.contains(id); }

  private:
    std::size_t reserve_;  // rows for pages
    std::size_t usable_;   // rows for messages
    std::size_t sweep_page_;
    std::uint64_t body_budget_;

    std::map<QueueId, ActiveMessage> messages_;
    std::size_t rows_ = 0;
    std::size_t tried_rows_ = 0;
    std::size_t highest_rows_ = 0;
    std::uint64_t body_bytes_ = 0;

    std::vector<std::weak_ptr<ReadWatch>> watches_;
    std::deque<QueueId> read_order_;
    std::unordered_set<QueueId> read_;
};

}  // namespace mailflow

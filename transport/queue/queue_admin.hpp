// What administrators see of the queue and do to it, as plain values: queues by next hop, messages
// with where each recipient stands, and the verbs on them. Memory rules where a message is in it,
// the store elsewhere. Lives on the queue lane, called there (`call_on`); outlived by the manager.
#pragma once

#include "transport/ports/body_store.hpp"
#include "transport/queue/queue_manager.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Reference 9.4.
enum class QueueStatus : std::uint8_t { active, connecting, ready, retry };
enum class RecipientStatus : std::uint8_t {
    ready,
    active,
    retry,
    unreachable,
    scheduled,  // to be released later (RFC 4865)
    suspended,
    delivered,
    failed
};

[[nodiscard]] const char* to_text(QueueStatus status) noexcept;  // Active, Connecting, Ready, Retry
[[nodiscard]] const char* to_text(RecipientStatus status) noexcept;  // Ready, Active, Retry, …

struct QueueInfo {
    std::string key;
    NextHop hop;
    QueueStatus status = QueueStatus::ready;
    std::uint64_t message_count = 0;  // recipients that wait here or are in an attempt
    std::size_t running = 0;          // attempts
    std::uint32_t window = 0;         // how many may run
    std::uint32_t retry_count = 0;    // failed attempts in a row
    std::optional<UtcTime> first_failure;
    std::optional<UtcTime> next_retry;
    std::string last_error;
    std::string destination;  // the host set it leads to; empty while that is not known
    std::size_t running_at_destination = 0;  // attempts, those of other queues among them
    std::string policy;                      // the destination policy that rules; empty: none
    std::string waits_for;                   // why nothing, or no more, of it runs now
};

struct RecipientInfo {
    std::uint32_t number = 0;
    std::string address;
    std::string original;
    std::string reverse_path;   // MAIL FROM as it gets it; `<>` when null
    std::uint16_t variant = 0;  // of the message; 0: as it came
    RecipientStatus status = RecipientStatus::ready;
    std::string next_hop;  // key; empty until routed
    std::uint32_t attempts = 0;
    std::optional<UtcTime>
        next_attempt;  // the later of its own time and its hop's; none when final or suspended
    std::optional<DeliveryStatus> last;
    std::string last_error;  // the remote's last words, or the hop's, or ours
};

struct MessageInfo {
    QueueId id;
    UtcTime accepted{};
    std::optional<UtcTime> release;  // when it is not to be sent before then
    UtcTime expires{};
    std::string sender;  // `<>` when null
    std::string message_id;
    std::string subject;
    std::uint64_t size = 0;
    Origin origin;
    bool held = false;
    std::vector<RecipientInfo> recipients;
};

struct MessageFilter {
    std::optional<std::string> next_hop;  // key of a queue with deferred recipients
    std::string sender;                   // whole address without case, `<>` for null; empty: any
    std::string recipient;                // whole address without case; empty: any
    QueueId after;                        // page by id
    std::size_t limit = 1000;
};

// The whole RFC 5322 text, as it would leave for one recipient.
struct MessageExport {
    std::unique_ptr<BodyReader> content;
    std::uint64_t size = 0;
    std::string message_id;
};

class QueueAdmin {
  public:
    QueueAdmin(QueueManager& manager, QueueStore& store, BodyStore& bodies) noexcept
        : manager_(manager)
        , store_(store)
        , bodies_(bodies) {}

    // By key.
    Task<Result<std::vector<QueueInfo>>> list_queues();

    // Reads at most a bounded number of rows: fewer than `limit` may come back although more
    // follow; `after` of the next page is the `next` given. None: the end.
    struct MessagePage {
        std::vector<MessageInfo> messages;
        std::optional<QueueId> next;
    };

    Task<Result<MessagePage>> list_messages(MessageFilter filter);
    // Error::not_found.
    Task<Result<MessageInfo>> find_message(QueueId id);

    Task<Result<QueueTotals>> totals() { return store_.totals(); }

    // ---- verbs

    // Recipients made due. Empty key: all queues.
    Task<Result<std::uint64_t>> retry_queue(std::string key) {
        return manager_.retry_now(std::move(key));
    }

    Task<Result<>> retry_message(QueueId id) { return manager_.retry_message(id); }

    Task<Result<>> hold_message(QueueId id, bool held) { return manager_.hold(id, held); }

    Task<Result<>> remove_message(QueueId id, bool with_report) {
        return manager_.remove(id, with_report);
    }

    // As `recipient` gets it (its address, or what RCPT named, without case); empty: variant 0, the
    // message as it came. Error::not_found: no such message, or no such recipient of it.
    Task<Result<MessageExport>> export_message(QueueId id, std::string recipient = {});

  private:
    // Of the messages that are to be released later.
    Task<Result<std::optional<UtcTime>>> first_release();
    [[nodiscard]] QueueInfo describe(const NextHop& hop, const NextHopState& stored) const;
    [[nodiscard]] bool matches(const MessageInfo& message, const MessageFilter& filter) const;
    [[nodiscard]] MessageInfo describe(const QueuedMessage& message) const;
    [[nodiscard]] RecipientInfo describe(
        const QueuedMessage& message,
        const QueuedRecipient& stored,
        const ActiveRecipient* active,
        bool held) const;

    QueueManager& manager_;
    QueueStore& store_;
    BodyStore& bodies_;
};

}  // namespace mailflow

// A QueueStore in memory with the semantics of the port: reads see what was recorded; `crash`
// forgets what was recorded and not synced by a later commit or flush. Commits can be held to look
// at what happens meanwhile. One thread. `FaultyStore` wraps any store and fails calls.
#pragma once

#include "tests/support/memory_bodies.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/ports/queue_store.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace mailflow {

class MemoryStore final : public QueueStore {
  public:
    // `bodies`: where a retired message's body is released; may be null.
    explicit MemoryStore(MemoryBodies* bodies = nullptr) noexcept
        : bodies_(bodies) {}

    Task<Result<>> commit(Submission submission) override;
    Task<Result<>> commit_report(Submission report, ReportMark mark) override;
    void record(std::vector<QueueChange> changes) override;
    Task<Result<>> flush() override;
    Task<Result<std::vector<QueuedMessage>>> ready_after(QueueId after, std::size_t limit) override;
    Task<Result<std::vector<NextHopState>>> next_hops(
        std::string after, std::size_t limit) override;
    Task<Result<std::vector<NextHopState>>> due_hops(UtcTime now, std::size_t limit) override;
    Task<Result<std::optional<UtcTime>>> next_due() override;
    Task<Result<std::vector<QueuedMessage>>> due_messages(
        std::string hop, UtcTime now, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> unreported_after(
        QueueId after, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> messages_after(
        QueueId after, QueueId before, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> messages_of_hop(
        std::string hop, QueueId after, std::size_t limit) override;
    Task<Result<std::optional<QueuedMessage>>> find(QueueId id) override;
    Task<Result<QueueTotals>> totals() override;
    Task<Result<std::uint64_t>> make_due(std::string hop, UtcTime now) override;

    // ---- for tests

    [[nodiscard]] const std::map<QueueId, QueuedMessage>& messages() const noexcept {
        return messages_;
    }

    [[nodiscard]] std::size_t commits() const noexcept { return commits_; }

    // Everything recorded since the last sync is as if it had not been.
    void crash();
    // While held, commits wait (and store nothing); releasing lets the waiting ones through in
    // order.
    void hold_commits(bool held);

  private:
    struct Hop {
        NextHopState state;
        std::set<std::tuple<UtcTime, QueueId, std::uint32_t>>
            waiting;  // deferred recipients by due time
    };

    Task<void> gate();
    void put(QueuedMessage message);
    void erase(QueueId id);
    void apply(const RecipientChange& change);
    void apply(const RetireMessage& change);
    void apply(const HoldMessage& change);
    void apply(const NextHopState& change);
    void set_state(QueuedMessage& message, QueuedRecipient& recipient, RecipientState state);
    void remember(QueueId id);
    void remember(const std::string& hop);

    void synced() noexcept { undo_.clear(); }

    [[nodiscard]] static NextHopState shown(const Hop& hop);
    [[nodiscard]] static UtcTime due(const Hop& hop);
    [[nodiscard]] static QueuedMessage without_body(const QueuedMessage& message);
    [[nodiscard]] std::vector<QueuedMessage> page(
        QueueId after,
        std::size_t limit,
        const std::function<bool(const QueuedMessage&)>& wanted) const;

    MemoryBodies* bodies_;
    std::map<QueueId, QueuedMessage> messages_;
    std::map<std::string, Hop> hops_;
    std::vector<std::function<void()>> undo_;
    std::vector<OneShot<bool>*> waiting_;
    bool held_ = false;
    std::size_t commits_ = 0;
};

// Fails the n-th awaited call (1 is the next one) with an error; store_failed latches, as the port
// says.
class FaultyStore final : public QueueStore {
  public:
    explicit FaultyStore(QueueStore& store) noexcept
        : store_(store) {}

    void fail_call(std::size_t number, ErrorCode error) noexcept {
        countdown_ = number;
        error_ = error;
    }

    [[nodiscard]] bool is_latched() const noexcept { return latched_; }

    Task<Result<>> commit(Submission submission) override;
    Task<Result<>> commit_report(Submission report, ReportMark mark) override;
    void record(std::vector<QueueChange> changes) override;
    Task<Result<>> flush() override;
    Task<Result<std::vector<QueuedMessage>>> ready_after(QueueId after, std::size_t limit) override;
    Task<Result<std::vector<NextHopState>>> next_hops(
        std::string after, std::size_t limit) override;
    Task<Result<std::vector<NextHopState>>> due_hops(UtcTime now, std::size_t limit) override;
    Task<Result<std::optional<UtcTime>>> next_due() override;
    Task<Result<std::vector<QueuedMessage>>> due_messages(
        std::string hop, UtcTime now, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> unreported_after(
        QueueId after, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> messages_after(
        QueueId after, QueueId before, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> messages_of_hop(
        std::string hop, QueueId after, std::size_t limit) override;
    Task<Result<std::optional<QueuedMessage>>> find(QueueId id) override;
    Task<Result<QueueTotals>> totals() override;
    Task<Result<std::uint64_t>> make_due(std::string hop, UtcTime now) override;

  private:
    // The error of this call, if it is to fail.
    [[nodiscard]] ErrorCode next_call() noexcept;

    QueueStore& store_;
    std::size_t countdown_ = 0;
    ErrorCode error_;
    bool latched_ = false;
};

}  // namespace mailflow

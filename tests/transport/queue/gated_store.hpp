// A QueueStore whose reads can be held after they looked: what they return is then old, as the
// answers of a reader thread may be. Its pages of due messages can be clipped, as a store may that
// bounds what one read loads.
#pragma once

#include "transport/base/error.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/ports/queue_store.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailflow {

class GatedStore final : public QueueStore {
  public:
    explicit GatedStore(QueueStore& store) noexcept
        : store_(store) {}

    // `only`: the name of the read to hold; all when empty.
    void hold_reads(bool held, std::string_view only = {}) {
        held_ = held;
        only_ = only;
        while (!held_ && !waiting_.empty()) {
            release_read();
        }
    }

    // The read that waits longest returns; those after it are held still.
    void release_read() {
        waiting_.front()->complete(true);
        waiting_.erase(waiting_.begin());
    }

    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

    [[nodiscard]] std::size_t recorded() const noexcept { return recorded_; }

    // The process that used it is dead: nothing it does reaches the store any more.
    void cut() {
        is_cut_ = true;
        report_error = Error::store_failed;
    }

    // commit_report fails with this, as long as it is set.
    ErrorCode report_error;
    // Most messages in a page of due ones, whatever was asked for.
    std::size_t due_page = SIZE_MAX;

    Task<Result<>> commit(Submission submission) override {
        return store_.commit(std::move(submission));
    }

    Task<Result<>> commit_report(Submission report, ReportMark mark) override {
        if (report_error) {
            co_return report_error;
        }
        const auto marked = mark;
        auto result = co_await store_.commit_report(std::move(report), std::move(mark));
        if (result) {
            report_marks_.push_back(marked);
        }
        co_return result;
    }

    // What the reports that are committed are about.
    [[nodiscard]] const std::vector<ReportMark>& report_marks() const noexcept {
        return report_marks_;
    }

    void record(std::vector<QueueChange> changes) override {
        if (is_cut_) {
            return;
        }
        recorded_ += changes.size();
        store_.record(std::move(changes));
    }

    Task<Result<>> flush() override { return store_.flush(); }

    Task<Result<std::vector<QueuedMessage>>> ready_after(
        QueueId after, std::size_t limit) override {
        if (is_cut_) {
            co_return Error::store_failed;
        }
        auto result = co_await store_.ready_after(after, limit);
        co_await gate("ready_after");
        co_return result;
    }

    Task<Result<std::vector<NextHopState>>> next_hops(
        std::string after, std::size_t limit) override {
        return store_.next_hops(std::move(after), limit);
    }

    Task<Result<std::vector<NextHopState>>> due_hops(UtcTime now, std::size_t limit) override {
        if (is_cut_) {
            co_return Error::store_failed;
        }
        auto result = co_await store_.due_hops(now, limit);
        co_return result;
    }

    Task<Result<std::optional<UtcTime>>> next_due() override { return store_.next_due(); }

    Task<Result<std::vector<QueuedMessage>>> due_messages(
        std::string hop, UtcTime now, std::size_t limit) override {
        auto result = co_await store_.due_messages(std::move(hop), now, std::min(limit, due_page));
        co_await gate("due_messages");
        co_return result;
    }

    Task<Result<std::vector<QueuedMessage>>> unreported_after(
        QueueId after, std::size_t limit) override {
        auto result = co_await store_.unreported_after(after, limit);
        co_await gate("unreported_after");
        co_return result;
    }

    Task<Result<std::vector<QueuedMessage>>> messages_after(
        QueueId after, QueueId before, std::size_t limit) override {
        auto result = co_await store_.messages_after(after, before, limit);
        co_await gate("messages_after");
        co_return result;
    }

    Task<Result<std::vector<QueuedMessage>>> messages_of_hop(
        std::string hop, QueueId after, std::size_t limit) override {
        return store_.messages_of_hop(std::move(hop), after, limit);
    }

    Task<Result<std::optional<QueuedMessage>>> find(QueueId id) override { return store_.find(id); }

    Task<Result<QueueTotals>> totals() override { return store_.totals(); }

    Task<Result<std::uint64_t>> make_due(std::string hop, UtcTime now) override {
        return store_.make_due(std::move(hop), now);
    }

  private:
    Task<void> gate(std::string_view read) {
        if (held_ && (only_.empty() || only_ == read)) {
            OneShot<bool> opened;
            waiting_.push_back(&opened);
            co_await opened.wait();
        }
    }

    QueueStore& store_;
    bool held_ = false;
    std::string_view only_;
    bool is_cut_ = false;
    std::vector<OneShot<bool>*> waiting_;
    std::size_t recorded_ = 0;
    std::vector<ReportMark> report_marks_;
};

}  // namespace mailflow

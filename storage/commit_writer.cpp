#include "storage/commit_writer.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// About what an item brings into the log, for the limit of a group.
std::size_t weight_of(const CommitItem& item) noexcept {
    constexpr std::size_t kRow = 512;
    const auto of_message = [](const QueuedMessage& message) {
        return (message.recipients.size() + 1) * kRow + (message.body ? message.body->size() : 0);
    };
    const auto of_submission = [&of_message](const Submission& submission) {
        auto weight = of_message(submission.message);
        for (const auto& copy : submission.copies) {
            weight += of_message(copy);
        }
        return weight;
    };
    if (const auto* fresh = std::get_if<NewMessage>(&item.work)) {
        return of_submission(fresh->submission);
    }
    if (const auto* report = std::get_if<NewReport>(&item.work)) {
        return of_submission(report->report);
    }
    if (const auto* lazy = std::get_if<LazyChanges>(&item.work)) {
        return lazy->changes.size() * kRow;
    }
    return kRow;
}

// A failure that may be over by itself: the disk was full, or someone's tool holds the database.
bool is_passing(const ErrorCode& error) noexcept {
    return error == Error::disk_full || error == Error::locked;
}

// A failure of one item that leaves the transaction as it was.
bool concerns_one_item(const ErrorCode& error) noexcept {
    return error == Error::already_exists || error == Error::conflict;
}

}  // namespace

struct CommitWriter::Group {
    std::vector<CommitItem> items;
    std::vector<CommitOutcome> outcomes;
    bool writes = false;  // something else than barriers
    bool woken = false;
};

CommitWriter::CommitWriter(Parts parts)
    : parts_(std::move(parts))
    , rows_(parts_.connection)
    , timer_(parts_.lane, parts_.runner)
    , page_size_(static_cast<std::uint64_t>(parts_.connection.number("PRAGMA page_size"))) {
    ::sqlite3_wal_hook(parts_.connection.database().getHandle(), &CommitWriter::on_commit, this);
#ifdef MAILFLOW_MUTANTS
    if (parts_.mutants.sync_left_out) {
        parts_.connection.execute("PRAGMA synchronous=NORMAL");
    }
#endif
}

// ---- what comes in

CommitItem::CommitItem(CommitItem&& other) noexcept = default;
CommitItem& CommitItem::operator=(CommitItem&& other) noexcept = default;
CommitItem::~CommitItem() = default;

void CommitWriter::submit(CommitItem item) {
    ++submitted_;
    parts_.runner.post([this, item = std::move(item)]() mutable { take(std::move(item)); });
}

void CommitWriter::take(CommitItem item) {
    if (failed_ || finished_) {
        std::vector<CommitItem> refused;
        refused.push_back(std::move(item));
        ++settled_;
        wake(refused, {CommitOutcome{failed_ ? Error::store_failed : Error::cancelled, {}}});
        return;
    }
    pending_bytes_ += weight_of(item);
    waiting_ += item.waiter != nullptr ? 1 : 0;
    pending_.push_back(std::move(item));
    if (waiting_ > 0 || pending_.size() >= kGroupItemLimit || pending_bytes_ >= kGroupByteLimit) {
        schedule();
    } else {
        arm_lazy(kLazyDelay);
    }
}

// Behind what the runner has queued by now, so that all of it joins the group.
void CommitWriter::schedule() {
    if (!scheduled_) {
        scheduled_ = true;
        parts_.runner.post([this] { run_group(); });
    }
}

void CommitWriter::arm_lazy(Duration delay) {
    if (!lazy_armed_) {
        lazy_armed_ = true;
        timer_.after(delay, [this] {
            lazy_armed_ = false;
            if (!pending_.empty() && !finished_) {
                schedule();
            }
        });
    }
}

// ---- one group

void CommitWriter::run_group() {
    scheduled_ = false;
    if (pending_.empty() || failed_) {
        return;
    }
    Group group = next_group();
    const ErrorCode error = group.writes ? commit(group) : ErrorCode();
    end_group(std::move(group), error);
    if (failed_ || pending_.empty()) {
        return;
    }
    if (waiting_ > 0 || pending_.size() >= kGroupItemLimit || pending_bytes_ >= kGroupByteLimit) {
        schedule();
    } else {
        arm_lazy(kLazyDelay);
    }
}

CommitWriter::Group CommitWriter::next_group() {
    Group group;
    std::size_t bytes = 0;
    while (!pending_.empty() && group.items.size() < kGroupItemLimit && bytes < kGroupByteLimit) {
        auto item = std::move(pending_.front());
        pending_.pop_front();
        const std::size_t weight = weight_of(item);
        bytes += weight;
        pending_bytes_ -= weight;
        waiting_ -= item.waiter != nullptr ? 1 : 0;
        group.writes = group.writes || !std::holds_alternative<Barrier>(item.work);
        group.items.push_back(std::move(item));
    }
    group.outcomes.resize(group.items.size());
    return group;
}

ErrorCode CommitWriter::commit(Group& group) {
    try {
        SqliteTransaction transaction(parts_.connection);
        rows_.begin_group();
        for (const auto& item : group.items) {
            const auto* lazy = std::get_if<LazyChanges>(&item.work);
            for (std::size_t i = 0; lazy != nullptr && i < lazy->changes.size(); ++i) {
                if (const auto* retired = std::get_if<RetireMessage>(&lazy->changes[i])) {
                    rows_.will_retire(retired->message);
                }
            }
        }
        for (std::size_t i = 0; i < group.items.size(); ++i) {
            if (std::holds_alternative<MakeDue>(group.items[i].work)) {
                rows_.write_hop_counts();
            }
            group.outcomes[i] = apply(group.items[i]);
        }
        rows_.finish_group();
#ifdef MAILFLOW_MUTANTS
        if (parts_.mutants.reply_before_commit) {
            wake(group.items, group.outcomes);
            group.woken = true;
        }
#endif
        transaction.commit();
    } catch (const SQLite::Exception& exception) {
        const ErrorCode error = error_of(exception);
        if (!is_passing(error) && !parts_.vfs.has_failed()) {
            fail(exception.what());
        }
        return error;
    }
    return {};
}

// One item inside its savepoint: a bad row does not fail the group.
CommitOutcome CommitWriter::apply(const CommitItem& item) {
    try {
        SqliteSavepoint savepoint(parts_.connection);
        rows_.begin_item();
        const CommitOutcome outcome = write(item);
        savepoint.release();
        rows_.keep_item();
        return outcome;
    } catch (const SQLite::Exception& exception) {
        const ErrorCode error = error_of(exception);
        const bool others_go_on = item.waiter != nullptr && concerns_one_item(error) &&
                                  parts_.connection.in_transaction();
        if (!others_go_on) {
            throw;
        }
        return {error, {}};
    }
}

CommitOutcome CommitWriter::write(const CommitItem& item) {
    constexpr std::size_t kDueSlice = 1000;
    if (const auto* fresh = std::get_if<NewMessage>(&item.work)) {
        rows_.insert(fresh->submission.message);
        for (const auto& copy : fresh->submission.copies) {
            rows_.insert(copy);
        }
    } else if (const auto* report = std::get_if<NewReport>(&item.work)) {
        rows_.insert(report->report.message);
        rows_.mark(report->mark);
    } else if (const auto* lazy = std::get_if<LazyChanges>(&item.work)) {
        for (const auto& change : lazy->changes) {
            rows_.apply(change);
        }
    } else if (const auto* due = std::get_if<MakeDue>(&item.work)) {
        return {{}, rows_.make_due(due->hop, due->from, due->now, kDueSlice)};
    }
    return {};
}

void CommitWriter::end_group(Group group, ErrorCode error) {
    if (error && is_passing(error) && !parts_.vfs.has_failed()) {
        for (auto& outcome : group.outcomes) {
            outcome = {error, {}};
        }
        keep_changes(group);
        return;
    }
    check_latch();
    if (failed_) {
        for (auto& outcome : group.outcomes) {
            outcome = {Error::store_failed, {}};
        }
    } else if (group.writes) {
        ++groups_;
        items_ += group.items.size();
    }
    settled_ += group.items.size();
    if (!group.woken) {
        wake(group.items, group.outcomes);
    }
    if (failed_ || !group.writes) {
        return;
    }
    auto files = rows_.take_retired_files();
    if (!files.empty()) {
        parts_.release_files(std::move(files));
    }
    if (wal_bytes_ >= kForcedCheckpointBytes) {
        checkpoint("PRAGMA wal_checkpoint(RESTART)");
    } else if (wal_bytes_ >= kIdleCheckpointBytes) {
        arm_idle();
    }
}

// The disk is full: whoever waits is told, recorded changes are tried again.
void CommitWriter::keep_changes(Group& group) {
    for (auto& item : pending_) {
        group.items.push_back(std::move(item));
        group.outcomes.push_back({group.outcomes.front().error, {}});
    }
    pending_.clear();
    pending_bytes_ = 0;
    waiting_ = 0;

    std::size_t kept = 0;
    std::vector<CommitItem> told;
    std::vector<CommitOutcome> outcomes;
    for (std::size_t i = 0; i < group.items.size(); ++i) {
        auto& item = group.items[i];
        if (item.waiter != nullptr) {
            told.push_back(std::move(item));
            outcomes.push_back(group.outcomes[i]);
            continue;
        }
        const auto* lazy = std::get_if<LazyChanges>(&item.work);
        kept += lazy != nullptr ? lazy->changes.size() : 0;
        pending_bytes_ += weight_of(item);
        pending_.push_back(std::move(item));
    }
    settled_ += told.size();
    if (!group.woken) {
        wake(told, outcomes);
    }
    if (kept > kKeptChangesLimit) {
        fail("the disk has been full for so long that recorded changes no longer fit into memory");
        return;
    }
    // May give the log room again; a full disk stops this as well, and then nothing has changed.
    checkpoint("PRAGMA wal_checkpoint(PASSIVE)");
    if (!pending_.empty() && !failed_) {
        arm_lazy(kFullDiskDelay);
    }
}

// One posted handler for each lane.
void CommitWriter::wake(
    std::vector<CommitItem>& items, const std::vector<CommitOutcome>& outcomes) {
    using Woken = std::vector<std::pair<CommitWaiter*, CommitOutcome>>;
    std::vector<std::pair<Executor, Woken>> lanes;
    for (std::size_t i = 0; i < items.size(); ++i) {
        auto* waiter = std::exchange(items[i].waiter, nullptr);
        if (waiter == nullptr) {
            continue;
        }
        auto lane = std::find_if(
            lanes.begin(), lanes.end(), [&](const auto& one) { return one.first == waiter->home; });
        if (lane == lanes.end()) {
            lane = lanes.insert(lanes.end(), {waiter->home, {}});
        }
        lane->second.emplace_back(waiter, outcomes[i]);
    }
    for (auto& [home, woken] : lanes) {
        asio::post(home, [woken = std::move(woken)]() mutable {
            for (auto& [waiter, outcome] : woken) {
                waiter->done.complete(outcome);
            }
        });
    }
}

// ---- the log and the file, between groups

int CommitWriter::on_commit(void* self, sqlite3* /*database*/, const char* /*name*/, int pages) {
    auto& writer = *static_cast<CommitWriter*>(self);
    writer.wal_bytes_ = static_cast<std::uint64_t>(pages) * writer.page_size_;
    return SQLITE_OK;
}

void CommitWriter::checkpoint(const char* pragma) {
    try {
        auto row = parts_.connection.query(pragma);
        const bool told = row.step();
        // All of the log is in the file: the next group starts it over, unless a reader still uses
        // it.
        if (told && row.integer(1) == row.integer(2)) {
            wal_bytes_ = 0;
        }
        ++checkpoints_;
    } catch (const SQLite::Exception& exception) {
        if (!is_passing(error_of(exception)) && !parts_.vfs.has_failed()) {
            fail(exception.what());
        }
    }
    check_latch();
}

void CommitWriter::arm_idle() {
    if (!idle_armed_) {
        idle_armed_ = true;
        timer_.after(kIdleDelay, [this, groups = groups_.load()] { on_idle(groups); });
    }
}

void CommitWriter::on_idle(std::uint64_t groups_then) {
    idle_armed_ = false;
    if (failed_ || finished_) {
        return;
    }
    if (groups_ != groups_then || !pending_.empty()) {
        arm_idle();
        return;
    }
    if (wal_bytes_ >= kIdleCheckpointBytes) {
        checkpoint("PRAGMA wal_checkpoint(PASSIVE)");
    }
    if (failed_) {
        return;
    }
    const std::int64_t free_pages = parts_.connection.number("PRAGMA freelist_count");
    const std::int64_t all_pages = parts_.connection.number("PRAGMA page_count");
    if (free_pages > kKeptFreePages && free_pages > all_pages / 2) {
        const bool freed = vacuum_slice();
        vacuumed_ = vacuumed_ || freed;
        if (freed) {
            arm_idle();
            return;
        }
    }
    if (vacuumed_ && !failed_) {
        vacuumed_ = false;
        checkpoint("PRAGMA wal_checkpoint(PASSIVE)");
    }
}

// Gives free pages back to the disk for some milliseconds; each step frees one.
bool CommitWriter::vacuum_slice() {
    constexpr int kPagesAtOnce = 1024;
    const auto& clock = parts_.lane.clock();
    const MonotonicTime end = clock.monotonic() + kVacuumSlice;
    int pages = 0;
    try {
        SqliteTransaction transaction(parts_.connection);
        {
            auto freed = parts_.connection.query("PRAGMA incremental_vacuum");
            while (pages < kPagesAtOnce && clock.monotonic() < end && freed.step()) {
                ++pages;
            }
        }
        transaction.commit();
    } catch (const SQLite::Exception& exception) {
        pages = 0;
        if (!is_passing(error_of(exception)) && !parts_.vfs.has_failed()) {
            fail(exception.what());
        }
    }
    check_latch();
    return pages > 0 && !failed_;
}

// ---- the end

void CommitWriter::check_latch() {
    if (parts_.vfs.has_failed() && !failed_) {
        fail(parts_.vfs.failure());
    }
}

void CommitWriter::fail(const std::string& reason) {
    failed_ = true;
    std::vector<CommitItem> left;
    left.reserve(pending_.size());
    for (auto& item : pending_) {
        left.push_back(std::move(item));
    }
    pending_.clear();
    pending_bytes_ = 0;
    waiting_ = 0;
    settled_ += left.size();
    wake(left, std::vector<CommitOutcome>(left.size(), CommitOutcome{Error::store_failed, {}}));
    parts_.on_failed(reason);
}

void CommitWriter::finish() {
    finished_ = true;
    if (!failed_) {
        checkpoint("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

CommitWriter::Stats CommitWriter::stats() const noexcept {
    return {groups_, items_, checkpoints_, wal_bytes_};
}

}  // namespace mailflow

#include "tests/simulation/sim_crashes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow::sim {

namespace {

constexpr auto kLatest = std::chrono::hours(2);
constexpr auto kAgain = std::chrono::minutes(5);
// Marks are written this soon; later, the lack of a sync means that there is nothing to mark.
constexpr auto kMarkDelay = std::chrono::milliseconds(200);

// One in so many syncs of a body or a mailbox file fails.
constexpr std::uint64_t kFailingSync = 60;

bool is_body(const std::string& path) {
    return path.find("/spool/") != std::string::npos;
}

bool is_mailbox(const std::string& path) {
    return path.find("/mail/") != std::string::npos;
}

bool is_log(const std::string& path) {
    return path.ends_with("/queue.db-wal");
}

const char* to_text(Instant instant) {
    switch (instant) {
        case Instant::at_once: return "at some time";
        case Instant::body_synced: return "after the sync of a body";
        case Instant::log_sync: return "before the sync of the log";
        case Instant::log_synced: return "after the sync of the log";
        case Instant::log_sync_fails: return "as the sync of the log failed";
        case Instant::remote_accepted: return "after a remote host's 250";
        case Instant::acknowledged: return "after our 250";
        case Instant::mailbox_synced: return "after the sync of a mailbox file";
        case Instant::some_sync: return "after some sync";
    }
    return "";
}

}  // namespace

void CrashPlan::arm(Instant instant) {
    armed_ = instant;
    const auto this_one = ++arming_;
    if (instant == Instant::some_sync) {
        syncs_left_ = 1 + parts_.random.below(30);
    }
    if (instant == Instant::at_once) {
        fire();
        return;
    }
    parts_.loop.events().after(kLatest, [this, this_one] {
        if (armed_ && arming_ == this_one) {
            armed_ = Instant::at_once;
            fire();
        }
    });
}

void CrashPlan::fire() {
    if (!armed_) {
        return;
    }
    const auto instant = *armed_;
    const auto ending = parts_.random.below(4) == 0 ? Ending::kill : Ending::power_loss;
    fired_ = instant;
    armed_.reset();
    if (!server_->cut_power(ending)) {
        fired_.reset();
        armed_ = Instant::at_once;
        parts_.loop.events().after(kAgain, [this] { fire(); });
        return;
    }
    parts_.trace.note(fmt::format("server crashes: {} {}", sim::to_text(ending), to_text(instant)));
}

bool CrashPlan::on_sync(const std::string& path) {
    if (faults_ && (is_body(path) || is_mailbox(path)) && parts_.random.below(kFailingSync) == 0) {
        ++counts_.failed_syncs;
        return false;
    }
    if (!is_log(path) || parts_.waiting().empty()) {
        return true;
    }
    if (is_due(Instant::log_sync)) {
        fire();
    } else if (is_due(Instant::log_sync_fails)) {
        armed_.reset();
        ++counts_.failed_syncs;
        parts_.trace.note("the sync of the log fails");
        return false;
    }
    return true;
}

void CrashPlan::on_synced(const std::string& path) {
    log_syncs_ += is_log(path) ? 1 : 0;
    const bool is_it = (is_due(Instant::body_synced) && is_body(path)) ||
                       (is_due(Instant::log_synced) && is_log(path) && !parts_.waiting().empty()) ||
                       (is_due(Instant::mailbox_synced) && is_mailbox(path)) ||
                       (is_due(Instant::some_sync) && --syncs_left_ == 0);
    if (is_it) {
        fire();
    }
}

void CrashPlan::remote_accepted() {
    log_syncs_at_accept_ = log_syncs_;
    accepted_at_ = parts_.loop.now();
    if (is_due(Instant::remote_accepted)) {
        parts_.loop.events().after(
            std::chrono::milliseconds(parts_.random.below(80)), [this, this_one = arming_] {
                if (is_due(Instant::remote_accepted) && arming_ == this_one) {
                    fire();
                }
            });
    }
}

void CrashPlan::acknowledged() {
    if (is_due(Instant::acknowledged)) {
        fire();
    }
}

void CrashPlan::ended() {
    ++counts_.crashes;
    waiting_then_ = parts_.waiting();
    if (log_syncs_at_accept_ == log_syncs_ && parts_.loop.now() - accepted_at_ < kMarkDelay) {
        ++counts_.between_remote_and_mark;
    }
    log_syncs_at_accept_.reset();
    if (faults_ && !armed_ && parts_.random.below(4) == 0) {
        arm(Instant::some_sync);
        syncs_left_ = 1 + parts_.random.below(8);  // soon: inside the next start, mostly
    }
}

void CrashPlan::reopened(const std::set<std::size_t>& stored) {
    bool any_stored = false;
    bool any_missing = false;
    for (const auto attempt : waiting_then_) {
        (stored.contains(attempt) ? any_stored : any_missing) = true;
    }
    counts_.between_commit_and_announce += any_stored ? 1 : 0;
    counts_.between_body_and_commit += fired_ == Instant::body_synced && any_missing ? 1 : 0;
    fired_.reset();
    waiting_then_.clear();
}

}  // namespace mailflow::sim

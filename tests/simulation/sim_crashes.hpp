// Chooses the instants at which the server loses its power: by the clock, and between the very
// steps that a crash must not come between (the sync of a body and the commit, the commit and the
// announcement, the remote's 250 and our mark). Counts which of them it hit. One thread.
#pragma once

#include "tests/simulation/sim_server.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace mailflow::sim {

enum class Instant : std::uint8_t {
    at_once,
    body_synced,      // a spool file is on the platter, its row is not
    log_sync,         // the write-ahead log is written, not synced
    log_synced,       // it is synced, nobody knows yet
    log_sync_fails,   // EIO: the store gives up, the daemon stops by itself
    remote_accepted,  // a remote host has said 250 to the final dot
    acknowledged,     // a client has read its 250
    mailbox_synced,   // a file in a Maildir's tmp/ is on the platter
    some_sync,        // one of the next syncs, whatever it is of; also while the server starts
};

struct CrashCounts {
    std::uint64_t crashes = 0;
    std::uint64_t between_body_and_commit = 0;
    std::uint64_t between_commit_and_announce = 0;
    std::uint64_t between_remote_and_mark = 0;
    std::uint64_t failed_syncs = 0;
};

class CrashPlan final : public SyncWatcher {
  public:
    struct Parts {
        SimLoop& loop;
        Random& random;
        Trace& trace;
        // Attempts whose final dot a client has sent and that are not answered.
        std::function<std::set<std::size_t>()> waiting;
    };

    explicit CrashPlan(Parts parts)
        : parts_(std::move(parts)) {}

    void attach(SimServer& server) noexcept { server_ = &server; }

    // No file fails to sync any more; crashes still armed come.
    void stop_faults() noexcept { faults_ = false; }

    // Crashes at the next such instant, in any case within two hours.
    void arm(Instant instant);

    [[nodiscard]] bool is_armed() const noexcept { return armed_.has_value(); }

    // ---- what happens
    bool on_sync(const std::string& path) override;
    void on_synced(const std::string& path) override;
    void remote_accepted();
    void acknowledged();
    void ended();
    // The next life has opened: these attempts are in its store.
    void reopened(const std::set<std::size_t>& stored);

    [[nodiscard]] const CrashCounts& counts() const noexcept { return counts_; }

  private:
    void fire();

    [[nodiscard]] bool is_due(Instant instant) const noexcept { return armed_ == instant; }

    Parts parts_;
    SimServer* server_ = nullptr;
    bool faults_ = true;
    std::optional<Instant> armed_;
    std::uint64_t arming_ = 0;  // which one
    std::uint64_t syncs_left_ = 0;
    std::optional<Instant> fired_;
    std::set<std::size_t> waiting_then_;
    std::uint64_t log_syncs_ = 0;
    std::optional<std::uint64_t> log_syncs_at_accept_;
    MonotonicTime accepted_at_{};
    CrashCounts counts_;
};

}  // namespace mailflow::sim

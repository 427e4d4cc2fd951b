// The machine our server runs on: disk, network and one life of the process after the other. A life
// is the daemon's own composition (MailFlow) with every lane and every runner folded onto the
// simulation's thread. It can lose its power at any instant, be killed, fail its disk, and starts
// again by itself. One thread; `tick` is called from the top of the loop, when nothing is ready.
#pragma once

#include "server/daemon/mail_flow.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/sim_loop.hpp"
#include "tests/simulation/sim_network.hpp"
#include "tests/simulation/sim_trace.hpp"
#include "tests/simulation/sim_vfs.hpp"
#include "tests/support/fake_resolver.hpp"
#include "tests/support/seeded_random.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow::sim {

enum class Ending : std::uint8_t {
    power_loss,   // what was not synced is lost, kept or torn
    kill,         // the process ends, the machine stays
    disk_failed,  // the store gave up and the daemon stopped in good order; then the power went
    stopped,      // in good order
};

[[nodiscard]] const char* to_text(Ending ending) noexcept;

// A change of the configuration or a command. The words of what was refused, or nothing. It is
// repeated until it got through, so "is taken" and "not found" are fine.
struct AdminOperation {
    std::string name;
    MonotonicTime due{};
    std::function<Task<ChangeOutcome>(MailFlow&)> run;
    std::function<void()> done;  // may be empty
};

class SimServer {
  public:
    struct Settings {
        MailFlowSettings flow;
        unsigned lanes = 1;
        std::uint64_t seed = 0;
    };

    struct Hooks {
        std::function<void(const std::string& words)> violation;
        // A new life has opened its stores; nothing runs yet.
        std::function<void()> opened;
        // The power is off: what was, was.
        std::function<void(Ending ending)> ended;
        SimLog::Watch log;
    };

    struct Parts {
        SimLoop& loop;
        SimNetwork& network;
        SimDisk& disk;
        FakeResolver& zone;
        Trace& trace;
    };

    SimServer(Parts parts, Settings settings, Hooks hooks);
    SimServer(const SimServer&) = delete;
    SimServer& operator=(const SimServer&) = delete;

    void start();
    // From any handler, in the middle of anything: not an octet reaches disk or network any more.
    // False: there was no life to end.
    bool cut_power(Ending ending);
    // Ends the life in good order; no further one begins.
    void stop();
    // Moves from life to life. True: something changed and the loop shall run again.
    bool tick();

    [[nodiscard]] bool is_up() const noexcept { return state_ == State::up && !ending_; }

    [[nodiscard]] bool is_off() const noexcept { return state_ == State::off; }

    void administer(AdminOperation operation) { operations_.push_back(std::move(operation)); }

    [[nodiscard]] bool has_operations() const noexcept { return !operations_.empty(); }

    // `smtpctl queue retry` for all queues, when the server is up.
    void retry_queues();

    // Asks the queue when the server is up; `messages` is as of the last answer, none before.
    void ask_totals();

    [[nodiscard]] std::optional<std::uint64_t> messages() const noexcept { return messages_; }

    void forget_totals() noexcept { messages_.reset(); }

    // What tracking says; the answer comes later.
    void track(TrackingQuery query, std::function<void(std::vector<TrackingEvent>)> answer);

    [[nodiscard]] const SimVfs& vfs() const noexcept { return vfs_; }

    [[nodiscard]] std::uint64_t lives() const noexcept { return lives_; }

  private:
    enum class State : std::uint8_t { off, starting, up, stopping };

    void open();
    void begin_stop();
    void finish();
    void wake_at(MonotonicTime when);
    void run_operations();

    static Task<void> run_start(SimServer* self);
    static Task<void> run_stop(SimServer* self, Duration limit);
    static Task<void> run_operation(SimServer* self, AdminOperation operation);
    static Task<void> run_retry(SimServer* self);
    static Task<void> run_totals(SimServer* self);
    static Task<void> run_track(
        SimServer* self,
        TrackingQuery query,
        std::function<void(std::vector<TrackingEvent>)> answer);

    Parts parts_;
    Settings settings_;
    Hooks hooks_;
    SeededRandom random_;
    SeededRandom disk_random_;
    SimVfs vfs_;
    SimHost host_;
    FoldedRunner runner_;
    SimLog log_;

    State state_ = State::off;
    MonotonicTime restart_at_{};
    std::optional<Ending> ending_;
    bool is_last_ = false;
    bool started_ = false;
    bool stopped_ = false;
    std::size_t asking_ = 0;  // operations and questions under way
    bool operating_ = false;
    std::uint64_t lives_ = 0;
    std::optional<std::uint64_t> messages_;
    std::deque<AdminOperation> operations_;

    std::vector<std::unique_ptr<SeededRandom>> lane_randoms_;
    std::vector<std::unique_ptr<Lane>> lanes_;  // the last is the console
    std::unique_ptr<MailFlow> flow_;
};

}  // namespace mailflow::sim

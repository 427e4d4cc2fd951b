#include "tests/simulation/sim_server.hpp"

#include "tests/simulation/sim_resolver.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace mailflow::sim {

namespace {

constexpr unsigned kConsole = 63;
// As long as the daemon waits for what is under way; after a crash nothing is worth waiting for.
constexpr auto kStopLimit = std::chrono::seconds(20);
constexpr auto kCrashStopLimit = std::chrono::seconds(1);

bool got_through_before(const ChangeOutcome& outcome) {
    if (outcome.status == ChangeOutcome::Status::not_found) {
        return true;
    }
    return outcome.status == ChangeOutcome::Status::refused && !outcome.problems.empty() &&
           outcome.problems.front().message.find("taken") != std::string::npos;
}

}  // namespace

const char* to_text(Ending ending) noexcept {
    switch (ending) {
        case Ending::power_loss: return "power loss";
        case Ending::kill: return "kill";
        case Ending::disk_failed: return "disk failure";
        case Ending::stopped: return "stop";
    }
    return "";
}

SimServer::SimServer(Parts parts, Settings settings, Hooks hooks)
    : parts_(parts)
    , settings_(std::move(settings))
    , hooks_(std::move(hooks))
    , random_(settings_.seed)
    , disk_random_(settings_.seed + 1)
    , vfs_("simulated", parts.disk, parts.loop.clock(), disk_random_)
    , host_(parts.network, settings_.flow.own_addresses.front())
    , runner_(parts.loop.context())
    , log_(parts.trace, hooks_.log) {}

void SimServer::start() {
    open();
}

void SimServer::wake_at(MonotonicTime when) {
    parts_.loop.events().at(when, [] {});
}

// ---- one life

void SimServer::open() {
    ++lives_;
    started_ = false;
    stopped_ = false;
    operating_ = false;
    ending_.reset();
    for (unsigned i = 0; i <= settings_.lanes; ++i) {
        lane_randoms_.push_back(std::make_unique<SeededRandom>(random_.next()));
        lanes_.push_back(std::make_unique<Lane>(Lane::Parts{
            parts_.loop.context(),
            parts_.loop.clock(),
            *lane_randoms_.back(),
            Log(log_),
            i == settings_.lanes ? kConsole : i,
            false}));
        parts_.loop.add(*lanes_.back());
    }
    std::vector<Lane*> lanes;
    for (unsigned i = 0; i < settings_.lanes; ++i) {
        lanes.push_back(lanes_[i].get());
    }
    const auto make_resolver = [this](Lane& lane) -> Result<MailFlowWorld::LaneResolver> {
        return MailFlowWorld::LaneResolver{std::make_unique<SimResolver>(lane, parts_.zone), [] {
                                           }};
    };
    auto opened = MailFlow::open(
        settings_.flow,
        {parts_.loop.clock(),
         host_,
         parts_.disk,
         vfs_.name(),
         std::move(lanes),
         *lanes_.back(),
         runner_,
         runner_,
         runner_,
         runner_,
         make_resolver,
         Log(log_)},
        [this](const std::string& /*reason*/) {
            if (!ending_) {
                ending_ = Ending::disk_failed;
            }
        });
    state_ = State::starting;
    if (!opened) {
        if (parts_.disk.is_on()) {
            hooks_.violation("the server does not start: " + opened.error().text);
            ending_ = Ending::stopped;
            is_last_ = true;
        }
        started_ = true;
        return;
    }
    flow_ = std::move(*opened);
    if (parts_.disk.is_on()) {
        hooks_.opened();
    }
    lanes_.back()->spawn("start", run_start(this));
}

Task<void> SimServer::run_start(SimServer* self) {
    const auto problems = co_await self->flow_->start();
    self->started_ = true;
    if (self->ending_) {
        co_return;
    }
    if (!problems) {
        self->hooks_.violation("the flow does not start: " + problems.error().message());
        self->ending_ = Ending::stopped;
    } else if (!problems->empty()) {
        self->hooks_.violation("the configuration is wrong: " + problems->front());
    }
}

bool SimServer::cut_power(Ending ending) {
    if (!parts_.disk.is_on() || lanes_.empty()) {
        return false;
    }
    parts_.disk.power_off();
    host_.die();
    ending_ = ending;
    hooks_.ended(ending);
    return true;
}

void SimServer::stop() {
    is_last_ = true;
    if (!ending_) {
        ending_ = Ending::stopped;
    }
}

bool SimServer::tick() {
    if (state_ == State::off) {
        if (is_last_ || parts_.loop.now() < restart_at_) {
            return false;
        }
        open();
        return true;
    }
    if (state_ == State::stopping) {
        if (stopped_) {
            finish();
        }
        return stopped_;
    }
    if (!started_) {
        return false;
    }
    if (!ending_) {
        const bool is_new = state_ != State::up;
        state_ = State::up;
        const bool is_operating = operating_;
        run_operations();
        return is_new || operating_ != is_operating;
    }
    if (asking_ > 0) {
        return false;
    }
    begin_stop();
    return true;
}

void SimServer::begin_stop() {
    state_ = State::stopping;
    if (!flow_) {
        stopped_ = true;
        return;
    }
    const bool is_crash = *ending_ == Ending::power_loss || *ending_ == Ending::kill;
    lanes_.back()->spawn("stop", run_stop(this, is_crash ? kCrashStopLimit : kStopLimit));
}

Task<void> SimServer::run_stop(SimServer* self, Duration limit) {
    co_await self->flow_->stop(limit);
    self->stopped_ = true;
}

// The end of the process, as the daemon ends it: lanes stop, what still runs on them ends, all
// goes.
void SimServer::finish() {
    for (auto& lane : lanes_) {
        lane->stop();
    }
    parts_.loop.settle();
    for (auto& lane : lanes_) {
        if (lane->tasks().live() > 0) {
            // They use what would go now.
            throw std::runtime_error(fmt::format(
                "{} tasks of lane {} did not end after a {}: {}",
                lane->tasks().live(),
                lane->number(),
                to_text(*ending_),
                lane->tasks().live_names()));
        }
        if (lane->tasks().failed() > 0) {
            hooks_.violation(fmt::format("{} tasks threw", lane->tasks().failed()));
        }
    }
    flow_.reset();
    for (auto& lane : lanes_) {
        parts_.loop.remove(*lane);
    }
    lanes_.clear();
    lane_randoms_.clear();

    const auto ending = *ending_;
    if (ending == Ending::disk_failed) {
        hooks_.ended(ending);
    }
    host_.die();
    if (ending == Ending::power_loss || ending == Ending::disk_failed) {
        parts_.disk.crash(disk_random_);
    }
    parts_.disk.power_on();
    host_.revive();
    parts_.trace.note(fmt::format(
        "server down after {}; {} syncs", to_text(ending), parts_.disk.counters().syncs));
    state_ = State::off;
    messages_.reset();
    restart_at_ = parts_.loop.now() + std::chrono::milliseconds(500 + random_.below(120'000));
    wake_at(restart_at_);
}

// ---- administration

// One after the other, each until it got through.
void SimServer::run_operations() {
    if (operating_ || operations_.empty()) {
        return;
    }
    if (operations_.front().due > parts_.loop.now()) {
        return;
    }
    operating_ = true;
    ++asking_;
    lanes_.back()->spawn("administrator", run_operation(this, operations_.front()));
}

Task<void> SimServer::run_operation(SimServer* self, AdminOperation operation) {
    auto task = operation.run(*self->flow_);
    const auto outcome = co_await std::move(task);
    self->operating_ = false;
    --self->asking_;
    if (outcome.ok() || got_through_before(outcome)) {
        self->parts_.trace.note("administrator: " + operation.name);
        if (operation.done) {
            operation.done();
        }
        self->operations_.pop_front();
        if (!self->operations_.empty()) {
            self->wake_at(self->operations_.front().due);
        }
    } else if (outcome.status == ChangeOutcome::Status::refused) {
        self->hooks_.violation(operation.name + " was refused: " + outcome.problems.front().text());
        self->operations_.pop_front();
    } else if (!self->ending_) {
        self->hooks_.violation(operation.name + " failed: " + outcome.error.message());
        self->operations_.pop_front();
    }
}

void SimServer::retry_queues() {
    if (is_up()) {
        ++asking_;
        lanes_.front()->spawn("retry", run_retry(this));
    }
}

Task<void> SimServer::run_retry(SimServer* self) {
    const auto retried = co_await self->flow_->queue().retry_queue({});
    if (retried) {
        self->parts_.trace.note(fmt::format("administrator: {} recipients tried now", *retried));
    }
    --self->asking_;
}

// ---- questions

void SimServer::ask_totals() {
    if (is_up()) {
        ++asking_;
        lanes_.front()->spawn("totals", run_totals(this));
    }
}

Task<void> SimServer::run_totals(SimServer* self) {
    const auto totals = co_await self->flow_->queue_totals();
    if (totals) {
        self->messages_ = totals->messages;
    }
    --self->asking_;
}

void SimServer::track(TrackingQuery query, std::function<void(std::vector<TrackingEvent>)> answer) {
    ++asking_;
    lanes_.front()->spawn("track", run_track(this, std::move(query), std::move(answer)));
}

Task<void> SimServer::run_track(
    SimServer* self, TrackingQuery query, std::function<void(std::vector<TrackingEvent>)> answer) {
    auto events = co_await self->flow_->tracking().find(std::move(query));
    if (events) {
        answer(std::move(*events));
    } else if (!self->ending_) {
        self->hooks_.violation("tracking cannot be read: " + events.error().message());
    }
    --self->asking_;
}

}  // namespace mailflow::sim

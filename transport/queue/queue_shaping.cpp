// QueueManager, part seven: what starts when, at which destination. A hop whose next job is held
// up stands in the line of what holds it: its destination's window or rates, its connector's
// connections, all connections, those for failing hosts. Lines are served when something of theirs
// ends, and those of rates and pauses in time too; each hop has one attempt a turn.
#include "transport/queue/queue_manager.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// A dead destination is found out by one of its hops; the others find out for themselves now and
// then, for their hosts may be others by now.
constexpr std::uint32_t kSparedInARow = 2;
// Pauses and the retries of spared hops are longer by up to a tenth.
constexpr std::uint64_t kJitterPercent = 11;
constexpr auto kSayDryInterval = std::chrono::minutes(1);

bool is_outbound(const NextHop& hop) noexcept {
    return hop.type == DeliveryType::dns || hop.type == DeliveryType::smart_host;
}

Duration with_jitter(Duration pause, Random& random) {
    return pause + pause * static_cast<std::int64_t>(random.below(kJitterPercent)) / 100;
}

bool was_reached(const DeliveryReport& report) noexcept {
    return report.hosts.empty() ||
           std::any_of(report.hosts.begin(), report.hosts.end(), [](const auto& host) {
               return host.connected || !host.failed;
           });
}

}  // namespace

// ---- starting

void QueueManager::pump(DeliveryQueue& queue) {
    if (queue.held_by != HeldBy::nothing) {
        return;  // its turn comes
    }
    while (step(queue) == Step::started) {
    }
    if (queue.can_start(now())) {
        if (const auto held = held_by(queue); held != HeldBy::nothing) {
            stand_in_line(queue, held, false);
        }
    }
}

QueueManager::Step QueueManager::step(DeliveryQueue& queue) {
    if (!can_work() || !queue.can_start(now())) {
        return Step::idle;
    }
    if (held_by(queue) != HeldBy::nothing) {
        return Step::held;
    }
    start_attempt(queue, next_job(queue));
    return Step::started;
}

// RFC 5321 §4.5.3.1.10 lets a client split the recipients of a message; here for hosts that take
// fewer at a time.
WaitingJob QueueManager::next_job(DeliveryQueue& queue) {
    auto& destination = queue.destination();
    if (const auto held = destination.held_dry(parts_.lane.clock().monotonic());
        held != HeldBy::nothing) {
        const auto& rules = *destination.dry_rules();
        if (held == HeldBy::window) {
            say_dry(queue, "connections", rules.max_connections);
        } else {
            say_dry(
                queue,
                "attempts in a minute",
                rules.message_rate_per_minute.value_or(
                    rules.connection_rate_per_minute.value_or(0)));
        }
    }
    auto job = *queue.pop();
    const auto most = destination.rules().max_recipients_per_message;
    if (most && job.recipients.size() > *most) {
        auto rest = job;
        rest.recipients.erase(
            rest.recipients.begin(), rest.recipients.begin() + static_cast<std::ptrdiff_t>(*most));
        job.recipients.resize(*most);
        queue.push_front(std::move(rest));
    }
    return job;
}

HeldBy QueueManager::held_by(const DeliveryQueue& queue) const {
    const auto held = queue.destination().held_by(parts_.lane.clock().monotonic());
    if (held != HeldBy::nothing) {
        return held;
    }
    const auto most = parts_.organization->transport().max_outbound_connections;
    if (is_outbound(queue.hop())) {
        const auto share = connectors_.find(queue.hop().connector);
        if (share != connectors_.end() && share->second.running >= queue.connector_connections) {
            return HeldBy::connector;
        }
        if (most && running_outbound_ >= *most) {
            return HeldBy::everything;
        }
    }
    if (running_ >= parts_.limits.running) {
        return HeldBy::everything;
    }
    return queue.is_failing() && running_at_failing_ >= most_at_failing() ? HeldBy::failing
                                                                          : HeldBy::nothing;
}

std::size_t QueueManager::most_at_failing() const noexcept {
    const auto most = parts_.organization->transport().max_outbound_connections;
    const std::size_t half = std::max(1U, most.value_or(kUnlimitedConnections) / 2);
    return std::min(parts_.limits.running_at_failing, half);
}

HeldBy QueueManager::why_waits(const DeliveryQueue& queue) const {
    if (!queue.has_waiting() || queue.in_retry(now())) {
        return HeldBy::nothing;
    }
    return queue.running() >= queue.window() ? HeldBy::window : held_by(queue);
}

void QueueManager::count_started(const DeliveryQueue& queue, Attempt& attempt) {
    attempt.is_at_failing = queue.is_failing();
    attempt.is_outbound = is_outbound(queue.hop());
    attempt.narrowings = queue.destination().narrowings();
    ++running_;
    ++running_on_[attempt.lane];
    running_at_failing_ += attempt.is_at_failing ? 1 : 0;
    if (attempt.is_outbound) {
        ++running_outbound_;
        ++connectors_[queue.hop().connector].running;
    }
}

void QueueManager::count_ended(const Attempt& attempt) {
    --running_;
    --running_on_[attempt.lane];
    running_at_failing_ -= attempt.is_at_failing ? 1 : 0;
    if (attempt.is_outbound) {
        --running_outbound_;
        --connectors_[hops_.at(attempt.hop).hop().connector].running;
    }
}

// ---- lines

std::deque<std::string>& QueueManager::line_of(DeliveryQueue& queue, HeldBy held) {
    switch (held) {
        case HeldBy::connector: return connectors_[queue.hop().connector].line;
        case HeldBy::everything: return everything_line_;
        case HeldBy::failing: return failing_line_;
        default: return queue.destination().line;
    }
}

void QueueManager::stand_in_line(DeliveryQueue& queue, HeldBy held, bool first) {
    auto& line = line_of(queue, held);
    queue.held_by = held;
    if (first) {
        line.push_front(queue.key());
    } else {
        line.push_back(queue.key());
    }
    look_later(queue);
}

void QueueManager::serve(std::deque<std::string>& line) {
    while (!line.empty()) {
        const auto found = hops_.find(line.front());
        line.pop_front();
        if (found == hops_.end()) {
            continue;
        }
        auto& queue = found->second;
        const auto was_held_by = std::exchange(queue.held_by, HeldBy::nothing);
        if (queue.running() == 0 && spare(queue)) {
            continue;
        }
        const auto result = step(queue);
        if (result == Step::started && queue.has_waiting()) {
            queue.held_by = was_held_by;
            line.push_back(queue.key());
        } else if (result == Step::held) {
            const auto held = held_by(queue);
            const bool is_same = &line_of(queue, held) == &line;
            stand_in_line(queue, held, is_same);
            if (is_same) {
                return;
            }
        }
    }
}

// Something of the hop has ended: others may have waited for that.
void QueueManager::serve_after(DeliveryQueue& queue) {
    if (queue.has_waiting() && queue.held_by == HeldBy::nothing) {
        stand_in_line(queue, HeldBy::window, false);
    }
    serve(queue.destination().line);
    if (is_outbound(queue.hop())) {
        serve(connectors_[queue.hop().connector].line);
    }
    serve(everything_line_);
    serve(failing_line_);
}

// Limits may be wider than they were.
void QueueManager::serve_all() {
    for (auto& [key, destination] : destinations_) {
        serve(destination.line);
    }
    for (auto& [key, queue] : hops_) {
        serve(queue.destination().line);
        pump(queue);
    }
    for (auto& [name, share] : connectors_) {
        serve(share.line);
    }
    serve(everything_line_);
    serve(failing_line_);
}

// ---- rates and pauses

// Where nothing has to end for the destination to be free again, but time to pass.
void QueueManager::look_later(DeliveryQueue& queue) {
    auto& destination = queue.destination();
    const auto when = destination.free_at(parts_.lane.clock().monotonic());
    if (!when || (destination.wake && *destination.wake <= *when)) {
        return;
    }
    destination.wake = *when;
    looks_.insert({*when, queue.key(), queue.destination_key()});
    arm_looks();
}

void QueueManager::arm_looks() {
    if (looks_.empty() || !can_work()) {
        return;
    }
    const auto when = looks_.begin()->when;
    if (armed_look_ && *armed_look_ <= when) {
        return;
    }
    armed_look_ = when;
    parts_.lane.spawn("queue look", sleep_then_look(&parts_.lane, when, pulse_));
}

void QueueManager::look() {
    const auto at = parts_.lane.clock().monotonic();
    while (!looks_.empty() && looks_.begin()->when <= at) {
        const auto due = looks_.extract(looks_.begin()).value();
        Destination* destination = nullptr;
        if (const auto shared = destinations_.find(due.destination);
            shared != destinations_.end()) {
            destination = &shared->second;
        } else if (const auto hop = hops_.find(due.hop); hop != hops_.end()) {
            destination = &hop->second.destination();
        }
        if (destination != nullptr) {
            destination->wake.reset();
            serve(destination->line);
        }
    }
    commit_changes();
    arm_looks();
}

// ---- which destination

// The hop's destination by its hosts, and the rules of that, as the configuration is now.
void QueueManager::apply_rules(DeliveryQueue& queue, const std::string& hosts) {
    const auto rules = rules_of(queue.hop(), hosts, *parts_.organization);
    const auto at = parts_.lane.clock().monotonic();
    queue.connector_connections = rules.connector_connections;
    if (hosts.empty()) {
        queue.destination().set_rules(rules, at);
        return;
    }
    const auto dry = rules.dry_run ? rules.dry_run->policy : std::string();
    auto key = queue.hop().connector + '\n' + rules.rules.policy + '\n' + dry + '\n' + hosts;
    if (key == queue.destination_key()) {
        queue.destination().set_rules(rules, at);
        return;
    }
    auto [found, is_new] = destinations_.try_emplace(
        key, hosts, rules, parts_.limits.first_window, parts_.limits.widest_window, at);
    auto& before = queue.destination();
    found->second.take_over(before, is_new);
    std::erase(before.line, queue.key());
    const bool stood_there = queue.held_by == HeldBy::window || queue.held_by == HeldBy::rate ||
                             queue.held_by == HeldBy::back_off;
    if (stood_there) {
        queue.held_by = HeldBy::nothing;
    }
    queue.join(&found->second, std::move(key));
    if (stood_there) {
        stand_in_line(queue, HeldBy::window, false);
    }
}

void QueueManager::learn(DeliveryQueue& queue, const DeliveryReport& report) {
    queue.asks_first = false;
    if (!report.destination.empty() && is_outbound(queue.hop())) {
        apply_rules(queue, report.destination);
    }
    auto& destination = queue.destination();
    std::uint64_t opened = 0;
    std::uint64_t encrypted = 0;
    for (const auto& host : report.hosts) {
        const bool is_new = host.connected && !host.reused;
        opened += is_new ? 1U : 0U;
        encrypted += is_new && !host.tls.empty() ? 1U : 0U;
    }
    if (report.hosts.empty() && !report.reused_connection && !report.hop_failure) {
        opened = 1;
    }
    if (opened == 0) {
        destination.on_no_connection();
    }
    auto& counts = destination.counts;
    counts.connections += opened;
    counts.encrypted += encrypted;
    counts.reused += report.reused_connection ? 1U : 0U;
    for (const auto& one : report.recipients) {
        switch (one.status.action) {
            case DeliveryAction::failed: ++counts.failed; break;
            case DeliveryAction::delayed: ++counts.deferred; break;
            default: ++counts.delivered; break;
        }
    }
}

// ---- feedback

bool QueueManager::hear(
    DeliveryQueue& queue, const Attempt& attempt, const DeliveryReport& report) {
    auto& destination = queue.destination();
    const auto asks = [&report](const std::vector<std::string>& replies) {
        return (report.hop_failure && asks_to_slow_down(*report.hop_failure, replies)) ||
               std::any_of(
                   report.recipients.begin(), report.recipients.end(), [&](const auto& one) {
                       return asks_to_slow_down(one.status, replies);
                   });
    };
    const auto& rules = destination.rules();
    const bool is_slow =
        asks(rules.slow_replies) ||
        std::any_of(report.hosts.begin(), report.hosts.end(), [](const auto& host) {
            return host.slow_down;
        });
    if (!is_slow) {
        if (const auto* const dry = destination.dry_rules();
            dry != nullptr && !dry->slow_replies.empty() && asks(dry->slow_replies)) {
            say_dry(queue, "connections", std::max(1U, destination.window() / 2));
        }
        return false;
    }
    // A hop that failed narrows the window by that.
    const bool is_new = report.hop_failure || destination.on_slow_down(attempt.narrowings);
    const auto at = parts_.lane.clock().monotonic();
    if (is_new && rules.back_off && destination.paused_until() <= at) {
        destination.pause_until(at + with_jitter(*rules.back_off, parts_.lane.random()));
    }
    parts_.lane.log().info(
        "destination asks for less",
        {{"next-hop", queue.key()},
         {"destination", destination.name()},
         {"policy", rules.policy},
         {"window", destination.window()}});
    return true;
}

// A policy that only looks.
void QueueManager::say_dry(DeliveryQueue& queue, std::string_view what, std::uint64_t number) {
    auto& destination = queue.destination();
    ++destination.counts.would_slow;
    const auto at = parts_.lane.clock().monotonic();
    if (destination.said_dry != MonotonicTime{} && at < destination.said_dry + kSayDryInterval) {
        return;
    }
    destination.said_dry = at;
    parts_.lane.log().info(
        "would have slowed to " + std::to_string(number) + ' ' + std::string(what),
        {{"next-hop", queue.key()},
         {"destination", destination.name()},
         {"policy", destination.dry_rules()->policy}});
}

// True: the hop is in retry now, without an attempt of its own.
bool QueueManager::spare(DeliveryQueue& queue) {
    auto& destination = queue.destination();
    if (!destination.is_dead(now()) || queue.in_retry(now()) || queue.spared >= kSparedInARow) {
        return false;
    }
    ++queue.spared;
    const auto& state = queue.state();
    const auto first = state.attempts == 0 ? now() : state.first_failure;
    const auto pause = with_jitter(destination.dead_until() - now(), parts_.lane.random());
    queue.move(destination.death(), first, now() + pause);
    changes_.emplace_back(queue.state());
    arm(now() + pause);
    wait_in_retry(queue);
    return true;
}

// Nobody could be connected to, of hosts that other hops may lead to as well.
void QueueManager::may_be_dead(DeliveryQueue& queue, const DeliveryReport& report) {
    queue.spared = 0;
    auto& destination = queue.destination();
    if (report.destination.empty() || was_reached(report) || !queue.in_retry(now())) {
        return;
    }
    destination.die(*report.hop_failure, queue.state().next_retry);
}

// ---- forgetting

// Those no hop leads to any more, unless there is something to remember of them.
void QueueManager::forget_destinations() {
    std::set<std::string> used;
    for (const auto& [key, queue] : hops_) {
        used.insert(queue.destination_key());
    }
    const auto at = parts_.lane.clock().monotonic();
    std::erase_if(destinations_, [&](const auto& entry) {
        const auto& destination = entry.second;
        return !used.contains(entry.first) && destination.paused_until() <= at &&
               !destination.is_dead(now());
    });
    std::erase_if(connectors_, [](const auto& entry) {
        return entry.second.running == 0 && entry.second.line.empty();
    });
}

}  // namespace mailflow

#include "transport/queue/queue_manager.hpp"

#include "transport/base/error.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>

namespace mailflow {

// Sleepers hold it weakly: a manager that is gone is not woken.
struct QueueManager::Pulse {
    QueueManager* manager;
};

struct QueueManager::StopWait {
    OneShot<bool> done;
};

namespace {

// What routing and reaching a next hop depend on; other changes of the configuration leave queued
// mail where it is.
std::string fingerprint(const SendConnector& connector) {
    std::string text = connector.name + '\n';
    for (const bool flag :
         {connector.enabled,
          connector.scoped,
          connector.force_helo,
          connector.require_tls,
          connector.ignore_starttls,
          connector.dane,
          connector.mta_sts,
          connector.error_policies.downgrade_dns_failures}) {
        text += flag ? '1' : '0';
    }
    const int level = connector.tls_auth_level ? static_cast<int>(*connector.tls_auth_level) : -1;
    for (const auto number :
         {std::int64_t{static_cast<int>(connector.routing)},
          std::int64_t{connector.port},
          static_cast<std::int64_t>(connector.max_message_size.value_or(0)),
          std::int64_t{static_cast<int>(connector.auth)},
          std::int64_t{level}}) {
        text += ' ' + std::to_string(number);
    }
    for (const auto& word :
         {connector.fqdn,
          connector.source_address ? connector.source_address->text() : std::string(),
          connector.tls_domain,
          connector.certificate,
          connector.username,
          connector.password,
          connector.oauth2.token_url,
          connector.oauth2.client_id,
          connector.oauth2.scope,
          connector.oauth2.client_secret,
          connector.oauth2.refresh_token}) {
        text += '\n' + word;
    }
    text += '\n';
    for (const auto* const replies :
         {&connector.error_policies.downgrade_replies, &connector.error_policies.upgrade_replies}) {
        for (const auto& reply : *replies) {
            text += reply + ' ';
        }
        text += '\n';
    }
    for (const auto& space : connector.address_spaces) {
        text += space.text() + ' ';
    }
    for (const auto& server : connector.source_servers) {
        text += server + ' ';
    }
    for (const auto& host : connector.smart_hosts) {
        text += to_text(host) + ' ';
    }
    return text;
}

std::map<std::string, std::string> fingerprints(const Organization& organization) {
    std::map<std::string, std::string> all;
    for (const auto& connector : organization.send_connectors()) {
        all.emplace(connector.name, fingerprint(connector));
    }
    // Under a name no connector has: where nodes stand says which connectors are in scope.
    auto& sites = all["\n"];
    for (const auto& node : organization.nodes()) {
        sites += node.fqdn + '\n' + node.site + '\n';
    }
    return all;
}

bool has_other_ages(const TransportSettings& a, const TransportSettings& b) noexcept {
    return a.message_expiration_timeout != b.message_expiration_timeout ||
           a.delay_notification_timeout != b.delay_notification_timeout;
}

}  // namespace

QueueManager::QueueManager(Parts parts)
    : parts_(std::move(parts))
    , schedule_(parts_.organization->transport())
    , journal_(parts_.tracking, parts_.lane.log())
    , dsn_(DsnGenerator::Parts{
          parts_.store,
          parts_.bodies,
          parts_.directory,
          parts_.ids,
          parts_.lane.clock(),
          parts_.lane.random(),
          parts_.tracking,
          parts_.lane.log()})
    , active_(parts_.limits)
    , agenda_(parts_.limits.appointments)
    , running_on_(parts_.lanes.size(), 0)
    , pulse_(std::make_shared<Pulse>(Pulse{this})) {}

QueueManager::~QueueManager() = default;

// ---- life

void QueueManager::start() {
    started_ = true;
    next_maintenance_ = parts_.lane.clock().monotonic() + parts_.limits.maintenance_interval;
    arm_at(next_maintenance_);
    agenda_.ask_scan(now());
    maintaining_ = true;
    run("queue start", maintain(true));
}

Task<void> QueueManager::stop(Duration limit) {
    stopping_ = true;
    if (tasks_ > 0) {
        const auto wait = std::make_shared<StopWait>();
        stop_wait_ = wait;
        const auto give_up_at = parts_.lane.clock().monotonic() + limit;
        parts_.lane.spawn("queue stop limit", sleep_then_give_up(&parts_.lane, give_up_at, wait));
        const auto ended = co_await wait->done.wait();
        if (!ended) {
            parts_.lane.log().warning(
                "queue stopped with attempts under way", {{"attempts", running_}});
        }
    }
    if (!store_failed_) {
        // In memory only: the next start finds the message.
        co_await report_withheld(true);
    }
    const auto flushed = co_await parts_.store.flush();
    if (!flushed) {
        on_store_error(flushed.error());
    }
}

Task<void> QueueManager::sleep_then_give_up(
    Lane* lane, MonotonicTime when, std::shared_ptr<StopWait> wait) {
    co_await lane->sleep_until(when);
    if (!wait->done.is_complete()) {
        wait->done.complete(false);
    }
}

// ---- tasks and timers

void QueueManager::run(std::string_view name, Task<void> task) {
    ++tasks_;
    parts_.lane.spawn(name, tracked(std::move(task)));
}

Task<void> QueueManager::tracked(Task<void> task) {
    // Never inside the step that ordered it: that step has changes to record first.
    auto later = asio::post(parts_.lane.executor(), use_result);
    co_await std::move(later);
    std::exception_ptr error;
    try {
        co_await std::move(task);
    } catch (...) {
        error = std::current_exception();
    }
    --tasks_;
    if (tasks_ == 0 && stop_wait_ && !stop_wait_->done.is_complete()) {
        stop_wait_->done.complete(true);
    }
    if (error) {
        std::rethrow_exception(error);
    }
}

void QueueManager::arm(UtcTime when) {
    const auto& clock = parts_.lane.clock();
    arm_at(clock.monotonic() + std::max(Duration::zero(), when - clock.now()));
}

void QueueManager::arm_at(MonotonicTime when) {
    if (!can_work() || (armed_ && *armed_ <= when)) {
        return;
    }
    armed_ = when;
    parts_.lane.spawn("queue timer", sleep_then_wake(&parts_.lane, when, pulse_));
}

Task<void> QueueManager::sleep_then_wake(
    Lane* lane, MonotonicTime when, std::weak_ptr<Pulse> pulse) {
    const auto cancelled = co_await lane->sleep_until(when);
    const auto alive = pulse.lock();
    if (alive && !cancelled) {
        alive->manager->on_wake(when);
    }
}

void QueueManager::on_wake(MonotonicTime armed) {
    if (armed_ == armed) {
        armed_.reset();
    }
    if (!can_work()) {
        return;
    }
    if (parts_.lane.clock().monotonic() >= next_maintenance_) {
        next_maintenance_ = parts_.lane.clock().monotonic() + parts_.limits.maintenance_interval;
        if (!maintaining_) {
            maintaining_ = true;
            run("queue maintenance", maintain(false));
        }
    }
    if (const auto next = agenda_.earliest(); next && *next <= now() && !maintaining_) {
        maintaining_ = true;
        run("queue appointments", appointments());
    }
    arm_at(next_maintenance_);
    request_refill(false, true);
}

Task<void> QueueManager::sleep_then_look(
    Lane* lane, MonotonicTime when, std::weak_ptr<Pulse> pulse) {
    const auto cancelled = co_await lane->sleep_until(when);
    const auto alive = pulse.lock();
    if (!alive || cancelled) {
        co_return;
    }
    auto& manager = *alive->manager;
    if (manager.armed_look_ == when) {
        manager.armed_look_.reset();
    }
    if (manager.can_work()) {
        manager.look();
    }
}

void QueueManager::on_store_error(ErrorCode error) {
    if (error == Error::store_failed && !store_failed_) {
        store_failed_ = true;
        parts_.lane.log().error("queue stops dispatching: the store takes nothing more");
        return;
    }
    parts_.lane.log().warning("queue could not use the store", {{"reason", error.message()}});
}

// ---- changes

void QueueManager::change(const ActiveMessage& active, std::uint32_t number) {
    const auto& recipient = active.recipients[active.position(number)];
    RecipientChange change;
    change.message = active.id();
    change.recipient = number;
    change.state = recipient.state;
    change.attempts = recipient.attempts;
    change.due = recipient.due;
    change.next_hop = recipient.next_hop;
    change.last = recipient.last;
    change.reported = recipient.reported;
    changes_.emplace_back(std::move(change));
    active_.touch(active.id());
}

void QueueManager::commit_changes() {
    journal_.flush();
    if (!changes_.empty()) {
        parts_.store.record(std::exchange(changes_, {}));
    }
}

// ---- configuration

void QueueManager::set_organization(OrganizationPtr organization) {
    const auto before = fingerprints(*parts_.organization);
    if (has_other_ages(organization->transport(), parts_.organization->transport())) {
        agenda_.ask_scan(now());
    }
    parts_.organization = std::move(organization);
    schedule_ = RetrySchedule(parts_.organization->transport());
    for (auto& [key, queue] : hops_) {
        apply_rules(queue, queue.destination().name());
    }
    const auto after = fingerprints(*parts_.organization);
    if (before == after) {
        serve_all();
        return;
    }

    std::vector<WaitingJob> jobs;
    for (auto& [key, queue] : hops_) {
        auto waiting = queue.drain();
        std::move(waiting.begin(), waiting.end(), std::back_inserter(jobs));
        const auto old = before.find(queue.hop().connector);
        const auto now_is = after.find(queue.hop().connector);
        const bool is_changed =
            old != before.end() && (now_is == after.end() || now_is->second != old->second);
        if (is_changed && queue.in_retry(now())) {
            queue.destination().revive();
            queue.set_next_retry({});
            changes_.emplace_back(queue.state());
        }
    }
    requeue(std::move(jobs));
    serve_all();
    commit_changes();
    reroute_unreachable();
    request_refill(false, true);
}

// ---- administration

Task<Result<std::uint64_t>> QueueManager::retry_now(std::string key) {
    for (auto& [name, queue] : hops_) {
        if ((key.empty() || name == key) && queue.state().attempts > 0) {
            queue.destination().revive();
            queue.set_next_retry({});
            changes_.emplace_back(queue.state());
        }
    }
    commit_changes();
    const auto due = now();
    for (auto& [id, active] : active_.messages()) {
        for (auto& recipient : active.recipients) {
            const bool waits =
                recipient.state == RecipientState::deferred && recipient.work == Work::idle;
            if (waits && (key.empty() || recipient.next_hop == key)) {
                recipient.due = std::min(recipient.due, due);
            }
        }
    }
    auto made_due = co_await parts_.store.make_due(std::move(key), due);
    if (!made_due) {
        on_store_error(made_due.error());
        co_return made_due.error();
    }
    come_back_to(QueueId{});
    request_refill(true, true);
    co_return *made_due;
}

Task<Result<>> QueueManager::retry_message(QueueId id) {
    auto loaded = co_await load(id);
    if (!loaded) {
        co_return loaded.error();
    }
    auto& active = *active_.find(id);
    std::vector<std::uint32_t> numbers;
    for (std::size_t i = 0; i < active.recipients.size(); ++i) {
        auto& recipient = active.recipients[i];
        const bool waits =
            recipient.state == RecipientState::deferred || recipient.state == RecipientState::ready;
        if (!waits || recipient.work != Work::idle) {
            continue;
        }
        recipient.due = std::min(recipient.due, now());
        numbers.push_back(active.message->recipients[i].number);
        const auto queue = hops_.find(recipient.next_hop);
        if (queue != hops_.end() && queue->second.in_retry(now())) {
            queue->second.destination().revive();
            queue->second.set_next_retry({});
            changes_.emplace_back(queue->second.state());
        }
    }
    if (!active.held) {
        admit(
            active, route_message(*active.message, numbers, *parts_.organization), WhenFull::park);
    }
    settle(id);
    commit_changes();
    request_refill(false, true);
    co_return Result<>();
}

Task<Result<>> QueueManager::hold(QueueId id, bool held) {
    auto loaded = co_await load(id);
    if (!loaded) {
        co_return loaded.error();
    }
    auto& active = *active_.find(id);
    if (active.held == held) {
        settle(id);
        commit_changes();
        co_return Result<>();
    }
    if (held) {
        take_out_of_queues(active);
    }
    active.held = held;
    for (auto& recipient : active.recipients) {
        if (!is_final(recipient.state)) {
            recipient.state = held ? RecipientState::held : RecipientState::ready;
        }
    }
    changes_.emplace_back(HoldMessage{id, held});
    active_.touch(id);
    if (!held) {
        std::vector<std::uint32_t> numbers;
        for (std::size_t i = 0; i < active.recipients.size(); ++i) {
            const auto& recipient = active.recipients[i];
            if (recipient.state == RecipientState::ready && recipient.work == Work::idle) {
                numbers.push_back(active.message->recipients[i].number);
            }
        }
        admit(
            active, route_message(*active.message, numbers, *parts_.organization), WhenFull::park);
    }
    settle(id);
    commit_changes();
    co_return Result<>();
}

Task<Result<>> QueueManager::remove(QueueId id, bool with_report) {
    auto loaded = co_await load(id);
    if (!loaded) {
        co_return loaded.error();
    }
    auto& active = *active_.find(id);
    take_out_of_queues(active);
    TrackingEvent event;
    event.time = now();
    event.event = TrackingEventId::remove;
    event.queue_id = id;
    event.message_id = active.message->content.facts.message_id;
    event.sender = sender_text(*active.message);
    event.detail =
        with_report ? "removed by an administrator, with a report" : "removed by an administrator";
    active.removal = with_report;
    for (std::size_t i = 0; i < active.recipients.size(); ++i) {
        const auto& recipient = active.recipients[i];
        if (!is_final(recipient.state)) {
            event.recipients.push_back(active.message->recipients[i].address.text());
            if (recipient.work == Work::idle) {
                fail_removed(active, active.message->recipients[i].number);
            }
        } else if (
            !with_report && recipient.state == RecipientState::failed && !recipient.reported) {
            active.recipients[i].reported = true;
            change(active, active.message->recipients[i].number);
        }
    }
    parts_.tracking.append(std::move(event));
    parts_.lane.log().info(
        "message removed", {{"queue-id", id}, {"report", with_report ? "yes" : "no"}});
    settle(id);
    commit_changes();
    co_return Result<>();
}

QueueStatistics QueueManager::statistics() const noexcept {
    QueueStatistics statistics;
    statistics.messages = active_.size();
    statistics.rows = active_.rows();
    statistics.highest_rows = active_.highest_rows();
    statistics.running = running_;
    statistics.hops = hops_.size();
    statistics.stuck = stuck_in_memory_ + std::max(stuck_in_lap_, stuck_in_last_lap_);
    return statistics;
}

}  // namespace mailflow

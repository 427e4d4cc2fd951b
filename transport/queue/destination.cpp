#include "transport/queue/destination.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

std::optional<TokenBucket> bucket_of(
    std::optional<std::uint32_t> rate,
    const std::optional<TokenBucket>& before,
    MonotonicTime now) {
    if (!rate) {
        return std::nullopt;
    }
    const bool is_same = before && before->per_minute() == std::max(1U, *rate);
    return is_same ? before : TokenBucket(*rate, now);
}

}  // namespace

const char* to_text(HeldBy reason) noexcept {
    switch (reason) {
        case HeldBy::nothing: return "";
        case HeldBy::window: return "window full";
        case HeldBy::rate: return "rate";
        case HeldBy::back_off: return "back-off";
        case HeldBy::connector: return "connector limit";
        case HeldBy::everything: return "global limit";
        case HeldBy::failing: return "limit for failing hosts";
    }
    return "";
}

// ---- gate

DestinationGate::DestinationGate(DestinationRules rules, MonotonicTime now) {
    set_rules(std::move(rules), now);
}

void DestinationGate::set_rules(DestinationRules rules, MonotonicTime now) {
    connections_ = bucket_of(rules.connection_rate_per_minute, connections_, now);
    messages_ = bucket_of(rules.message_rate_per_minute, messages_, now);
    rules_ = std::move(rules);
}

HeldBy DestinationGate::held_by(MonotonicTime now) const noexcept {
    const bool is_free = (!connections_ || connections_->has_token(now)) &&
                         (!messages_ || messages_->has_token(now));
    return is_free ? HeldBy::nothing : HeldBy::rate;
}

MonotonicTime DestinationGate::free_at(MonotonicTime now) const noexcept {
    auto when = now;
    for (const auto* const bucket : {&connections_, &messages_}) {
        if (*bucket) {
            when = std::max(when, (*bucket)->next_token(now));
        }
    }
    return when;
}

void DestinationGate::on_started(MonotonicTime now) noexcept {
    if (connections_) {
        connections_->take(now);
    }
    if (messages_) {
        messages_->take(now);
    }
}

void DestinationGate::on_no_connection() noexcept {
    if (connections_) {
        connections_->give_back();
    }
}

// ---- destination

Destination::Destination(
    std::string name, HopRules rules, std::uint32_t first, std::uint32_t widest, MonotonicTime now)
    : name_(std::move(name))
    , gate_(std::move(rules.rules), now)
    , widest_(std::max(1U, widest))
    , window_(std::clamp(first, 1U, widest_)) {
    if (rules.dry_run) {
        dry_.emplace(std::move(*rules.dry_run), now);
    }
}

void Destination::set_rules(const HopRules& rules, MonotonicTime now) {
    gate_.set_rules(rules.rules, now);
    if (!rules.dry_run) {
        dry_.reset();
    } else if (dry_) {
        dry_->set_rules(*rules.dry_run, now);
    } else {
        dry_.emplace(*rules.dry_run, now);
    }
}

std::uint32_t Destination::window() const noexcept {
    const auto most = std::max(1U, std::min(widest_, gate_.rules().max_connections));
    return std::min(static_cast<std::uint32_t>(window_), most);
}

HeldBy Destination::held_by(MonotonicTime now) const noexcept {
    if (paused_until_ > now) {
        return HeldBy::back_off;
    }
    return running_ >= window() ? HeldBy::window : gate_.held_by(now);
}

std::optional<MonotonicTime> Destination::free_at(MonotonicTime now) const noexcept {
    switch (held_by(now)) {
        case HeldBy::back_off: return paused_until_;
        case HeldBy::rate: return gate_.free_at(now);
        default: return std::nullopt;
    }
}

HeldBy Destination::held_dry(MonotonicTime now) const noexcept {
    if (!dry_) {
        return HeldBy::nothing;
    }
    return running_ >= std::max(1U, dry_->rules().max_connections) ? HeldBy::window
                                                                   : dry_->held_by(now);
}

void Destination::on_started(MonotonicTime now) noexcept {
    ++running_;
    ++counts.attempts;
    // What would not have started now would have taken no token now either.
    if (held_dry(now) == HeldBy::nothing && dry_) {
        dry_->on_started(now);
    }
    gate_.on_started(now);
}

void Destination::on_no_connection() noexcept {
    gate_.on_no_connection();
    if (dry_) {
        dry_->on_no_connection();
    }
}

void Destination::on_success() noexcept {
    const double most = std::max(1U, std::min(widest_, gate_.rules().max_connections));
    window_ = std::min(most, window_ + (was_narrowed_ ? 1.0 / window_ : 1.0));
    dead_until_ = {};
}

void Destination::on_failure() noexcept {
    window_ = std::max(1.0, window_ / 2);
    was_narrowed_ = true;
    ++narrowings_;
}

bool Destination::on_slow_down(std::uint64_t begun_under) noexcept {
    ++counts.slowed;
    if (begun_under != narrowings_) {
        return false;
    }
    on_failure();
    return true;
}

void Destination::die(DeliveryStatus failure, UtcTime until) {
    death_ = std::move(failure);
    dead_until_ = until;
}

void Destination::take_over(Destination& other, bool is_new) noexcept {
    if (is_new) {
        window_ = other.window_;
        was_narrowed_ = other.was_narrowed_;
        narrowings_ = other.narrowings_;
        paused_until_ = other.paused_until_;
    }
    counts += std::exchange(other.counts, {});
}

DestinationCounts& DestinationCounts::operator+=(const DestinationCounts& other) noexcept {
    attempts += other.attempts;
    delivered += other.delivered;
    deferred += other.deferred;
    failed += other.failed;
    connections += other.connections;
    reused += other.reused;
    encrypted += other.encrypted;
    slowed += other.slowed;
    would_slow += other.would_slow;
    return *this;
}

}  // namespace mailflow

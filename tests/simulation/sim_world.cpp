#include "tests/simulation/sim_world.hpp"

#include <fmt/format.h>

namespace mailflow::sim {

namespace {

std::string host_of(std::string_view domain) {
    return "mx." + std::string(domain);
}

}  // namespace

SimWorld::SimWorld(SimSink::Parts parts, SimLoop& loop, FakeResolver& zone)
    : parts_(std::move(parts))
    , loop_(loop)
    , zone_(zone) {
    const SinkFaults seldom{
        .recipient_later = 20, .drop_in_data = 10, .close_after_dot = 20, .slow = 10};
    const SinkFaults often{
        .busy = 60,
        .mail_refused = 50,
        .recipient_later = 100,
        .data_refused = 50,
        .drop_in_data = 80,
        .message_later = 80,
        .message_never = 80,
        .close_after_dot = 120,
        .slow = 60};
    unsigned octet = 10;
    for (const auto domain : {kHomeDomain, kFineDomain, kDnsDomain, kIslandDomain}) {
        add(host_of(domain), octet++, seldom);
        zone_.add_mx(domain, 10, host_of(domain));
    }
    add(host_of(kFlakyDomain), octet++, often);
    zone_.add_mx(kFlakyDomain, 10, host_of(kFlakyDomain));
    dead_ = &add(host_of(kDeadDomain), octet++, seldom);
    zone_.add_mx(kDeadDomain, 10, host_of(kDeadDomain));
    first_ = &add("mx1.pair.remote.test", octet++, often);
    second_ = &add("mx2.pair.remote.test", octet++, seldom);
    zone_.add_mx(kPairDomain, 10, first_->name());
    zone_.add_mx(kPairDomain, 20, second_->name());
    add(std::string(kPlainDomain), octet++, seldom);
    zone_.add_null_mx(kNoMailDomain);
}

SimSink& SimWorld::add(std::string name, unsigned last_octet, SinkFaults faults) {
    const auto text = fmt::format("198.51.100.{}", last_octet);
    zone_.add_address(name, text);
    sinks_.push_back(
        std::make_unique<SimSink>(parts_, std::move(name), IpAddress::parse(text).value(), faults));
    return *sinks_.back();
}

std::chrono::minutes SimWorld::minutes(std::uint64_t least, std::uint64_t most) {
    return std::chrono::minutes(least + parts_.random.below(most - least + 1));
}

void SimWorld::start(MonotonicTime end) {
    for (auto& sink : sinks_) {
        sink->open();
    }
    const auto begin = loop_.now();
    const auto day = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::minutes>(end - begin).count());
    outage(*dead_, begin + minutes(60, 300), minutes(500, 600));
    for (int i = 0; i < 4; ++i) {
        outage(*first_, begin + minutes(0, day), minutes(60, 240));
    }
    for (int i = 0; i < 3; ++i) {
        auto& sink = *sinks_[parts_.random.below(sinks_.size())];
        if (&sink != dead_) {
            outage(sink, begin + minutes(0, day), minutes(5, 60));
        }
    }
    for (int i = 0; i < 2; ++i) {
        dns_outage(begin + minutes(0, day), minutes(30, 200));
    }
}

// Refuses connections, or never answers.
void SimWorld::outage(SimSink& sink, MonotonicTime from, std::chrono::minutes length) {
    const bool is_silent = parts_.random.below(2) == 0;
    auto* const down = &sink;
    loop_.events().at(from, [this, down, is_silent] {
        if (healed_) {
            return;
        }
        parts_.trace.note(down->name() + (is_silent ? " falls silent" : " goes down"));
        if (is_silent) {
            parts_.network.set_black_hole(down->address(), true);
        } else {
            down->close();
        }
    });
    loop_.events().at(from + length, [this, down] {
        parts_.trace.note(down->name() + " is back");
        parts_.network.set_black_hole(down->address(), false);
        down->open();
    });
}

void SimWorld::dns_outage(MonotonicTime from, std::chrono::minutes length) {
    loop_.events().at(from, [this] {
        if (!healed_) {
            zone_.set_status(kDnsDomain, DnsStatus::temporary);
        }
    });
    loop_.events().at(from + length, [this] { zone_.set_status(kDnsDomain, DnsStatus::found); });
}

void SimWorld::heal() {
    healed_ = true;
    zone_.set_status(kDnsDomain, DnsStatus::found);
    for (auto& sink : sinks_) {
        sink->heal();
    }
}

void SimWorld::shut_down() {
    for (auto& sink : sinks_) {
        sink->shut_down();
    }
}

}  // namespace mailflow::sim

#include "tests/simulation/sim_traffic.hpp"

#include "storage/body_spooling.hpp"
#include "tests/simulation/sim_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mailflow::sim {

namespace {

constexpr unsigned kClients = 4;
constexpr unsigned kMostResends = 4;
constexpr std::array kMailboxes{"alice", "bob", "carol"};
// Some more often than others.
constexpr std::array kOutside{
    kFineDomain,
    kFineDomain,
    kPairDomain,
    kPairDomain,
    kFlakyDomain,
    kFlakyDomain,
    kFlakyDomain,
    kDeadDomain,
    kDeadDomain,
    kDnsDomain,
    kPlainDomain,
    kIslandDomain,
    kIslandDomain,
    kNoMailDomain,
    kVoidDomain};

}  // namespace

SimTraffic::SimTraffic(SimClient::Parts parts, SimLoop& loop, Settings settings)
    : parts_(std::move(parts))
    , loop_(loop)
    , settings_(settings) {
    parts_.hooks.unfinished = [this](std::size_t attempt) {
        send_again(attempt);
    };
    for (unsigned i = 0; i < kClients; ++i) {
        const auto address = IpAddress::parse(fmt::format("203.0.113.{}", 10 + i)).value();
        clients_.push_back(std::make_unique<SimClient>(parts_, address));
    }
}

void SimTraffic::start(MonotonicTime begin, MonotonicTime end) {
    const auto length = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(end - begin).count());
    for (std::size_t left = settings_.messages; left > 0;) {
        const auto now = std::min<std::size_t>(left, 1 + parts_.random.below(3));
        left -= now;
        ++planned_;
        const auto when = begin + std::chrono::milliseconds(parts_.random.below(length));
        loop_.events().at(when, [this, now] {
            --planned_;
            start_session(now);
        });
    }
}

bool SimTraffic::is_over() const noexcept {
    return planned_ == 0 && std::all_of(clients_.begin(), clients_.end(), [](const auto& client) {
               return client->live() == 0;
           });
}

std::set<std::size_t> SimTraffic::waiting() const {
    std::set<std::size_t> all;
    for (const auto& client : clients_) {
        all.insert(client->waiting().begin(), client->waiting().end());
    }
    return all;
}

void SimTraffic::shut_down() {
    for (auto& client : clients_) {
        client->shut_down();
    }
}

// ---- sessions

void SimTraffic::start_session(std::size_t messages) {
    const bool to_applications = parts_.random.below(4) > 0;
    std::vector<std::size_t> attempts;
    for (std::size_t i = 0; i < messages; ++i) {
        attempts.push_back(compose(to_applications));
    }
    start_session(std::move(attempts), to_applications);
}

void SimTraffic::start_session(std::vector<std::size_t> attempts, bool to_applications) {
    SessionPlan plan;
    plan.server = to_applications ? settings_.applications : settings_.frontend;
    plan.attempts = std::move(attempts);
    plan.pipelines = parts_.random.below(2) == 0;
    plan.is_slow = parts_.random.below(8) == 0;
    plan.is_cut_after_dot = cuts_ && parts_.random.below(20) == 0;
    clients_[parts_.random.below(clients_.size())]->start(std::move(plan));
}

void SimTraffic::send_again(std::size_t attempt) {
    if (parts_.ledger.at(attempt).resends >= kMostResends) {
        return;
    }
    ++planned_;
    const auto pause = std::chrono::milliseconds(60'000 + parts_.random.below(1'800'000));
    loop_.events().after(pause, [this, attempt] {
        --planned_;
        start_session({parts_.ledger.reopen(attempt).number}, true);
    });
}

// ---- messages

std::size_t SimTraffic::compose(bool to_applications) {
    const auto number = parts_.ledger.attempts().size();
    std::vector<std::string> recipients;
    const auto count = 1 + parts_.random.below(4) * parts_.random.below(2);
    for (std::size_t i = 0; i < count; ++i) {
        auto recipient = choose_recipient(number, i, to_applications);
        if (std::find(recipients.begin(), recipients.end(), recipient) == recipients.end()) {
            recipients.push_back(std::move(recipient));
        }
    }
    auto sender = choose_sender(to_applications);
    const auto size = choose_size();
    const bool eight_bit = parts_.random.below(8) == 0;
    return parts_.ledger
        .open(std::move(sender), std::move(recipients), size, eight_bit, parts_.random)
        .number;
}

std::string SimTraffic::choose_sender(bool to_applications) {
    const auto kind = parts_.random.below(10);
    if (kind < 2) {
        return {};
    }
    if (kind < 6 && to_applications) {
        return fmt::format("{}@{}", kMailboxes[parts_.random.below(kMailboxes.size())], kOurDomain);
    }
    return fmt::format("writer{}@{}", parts_.random.below(5), kHomeDomain);
}

// Addresses outside are used once, so that a copy tells whose it is.
std::string SimTraffic::choose_recipient(std::size_t number, std::size_t index, bool outside) {
    const auto kind = parts_.random.below(10);
    if (kind == 0) {
        return fmt::format("nobody{}@{}", index, kOurDomain);
    }
    if (!outside || kind < 4) {
        return fmt::format("{}@{}", kMailboxes[parts_.random.below(kMailboxes.size())], kOurDomain);
    }
    return fmt::format(
        "{}{}.m{}@{}",
        parts_.random.below(12) == 0 ? "gone" : "reader",
        index,
        number,
        kOutside[parts_.random.below(kOutside.size())]);
}

// One in ten goes to the spool, some do not fit into one read.
std::size_t SimTraffic::choose_size() {
    const auto kind = parts_.random.below(20);
    if (kind < 2) {
        return static_cast<std::size_t>(kRowBodyLimit) + 1'000 + parts_.random.below(12'000);
    }
    return kind < 5 ? 3'000 + parts_.random.below(20'000) : 300 + parts_.random.below(2'700);
}

}  // namespace mailflow::sim

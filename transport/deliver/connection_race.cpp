#include "transport/deliver/connection_race.hpp"

#include "transport/base/error.hpp"
#include "transport/base/one_shot.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace mailflow {

namespace {

// Shared by the runners and, until it is decided, by who waits.
struct Race {
    Lane& lane;
    Network& network;
    std::array<Endpoint, 2> endpoints;
    std::optional<IpAddress> source;
    Duration patience;
    OneShot<bool>* decided;  // null: nobody waits any more
    RaceResult result{};
    bool rival_started = false;
    std::size_t failed = 0;

    void decide() {
        if (auto* const one = std::exchange(decided, nullptr)) one->complete(true);
    }
};

using RacePtr = std::shared_ptr<Race>;

Task<void> run(RacePtr race, std::size_t number) {
    const auto deadline = race->lane.clock().monotonic() + race->patience;
    auto connecting =
        race->network.connect(race->lane, race->endpoints.at(number), race->source, deadline);
    auto stream = co_await std::move(connecting);
    if (race->decided == nullptr) {
        if (stream.has_value()) (*stream)->close();
        co_return;
    }
    if (stream.has_value()) {
        race->result.stream = *std::move(stream);
        race->result.rival_won = number == 1;
        race->decide();
        co_return;
    }
    if (number == 0) race->result.error = stream.error();
    if (++race->failed == 2) race->decide();
}

void start_rival(const RacePtr& race) {
    if (race->decided == nullptr || std::exchange(race->rival_started, true)) return;
    race->lane.spawn("smtp connect", run(race, 1));
}

Task<void> run_first(RacePtr race) {
    co_await run(race, 0);
    start_rival(race);
}

Task<void> start_rival_later(RacePtr race) {
    const auto when = race->lane.clock().monotonic() + kRivalDelay;
    co_await race->lane.sleep_until(when);
    start_rival(race);
}

}  // namespace

Task<RaceResult> connect_either(
    Lane& lane,
    Network& network,
    Endpoint first,
    Endpoint rival,
    std::optional<IpAddress> source,
    Duration patience) {
    OneShot<bool> decided;
    const std::array<Endpoint, 2> endpoints{first, rival};
    const auto race =
        std::make_shared<Race>(Race{lane, network, endpoints, source, patience, &decided});
    lane.spawn("smtp connect", run_first(race));
    lane.spawn("smtp connect later", start_rival_later(race));
    co_await decided.wait();
    auto result = std::move(race->result);
    co_return result;
}

}  // namespace mailflow

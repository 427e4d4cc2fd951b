#include "server/receive/pressure.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

constexpr PressureSender kAnonymous{};
constexpr PressureSender kAuthenticated{true, false, false};
constexpr PressureSender kTrusted{false, true, false};
constexpr PressureSender kNull{false, false, true};

Duration seconds(int count) {
    return std::chrono::seconds(count);
}

}  // namespace

TEST_CASE("Without pressure nobody waits and nobody is refused", "[receive][pressure]") {
    for (const auto& sender : {kAnonymous, kAuthenticated, kTrusted, kNull}) {
        const auto found = check_pressure({}, sender);
        CHECK(found.verdict.is_accepted());
        CHECK(found.delay == seconds(0));
    }
}

TEST_CASE("Medium pressure refuses strangers only", "[receive][pressure]") {
    const Pressure pressure{PressureLevel::medium, Resource::disk_space, 0};

    const auto stranger = check_pressure(pressure, kAnonymous);
    REQUIRE(!stranger.verdict.is_accepted());
    CHECK(stranger.verdict.refusal->one_line() == "452 4.3.1 Insufficient system resources");
    CHECK(stranger.verdict.reason == "back pressure: disk-space");
    CHECK(check_pressure(pressure, kAuthenticated).verdict.is_accepted());
    CHECK(check_pressure(pressure, kTrusted).verdict.is_accepted());
    CHECK(check_pressure(pressure, kNull).verdict.is_accepted());
}

TEST_CASE("High pressure refuses everybody, whatever the resource", "[receive][pressure]") {
    for (const auto resource :
         {Resource::disk_space, Resource::process_memory, Resource::queue_length}) {
        for (const auto& sender : {kAnonymous, kAuthenticated, kTrusted, kNull}) {
            const auto found = check_pressure({PressureLevel::high, resource, 0}, sender);
            REQUIRE(!found.verdict.is_accepted());
            CHECK(found.verdict.refusal->code == 452);
        }
    }
}

TEST_CASE("A long queue slows strangers down, then refuses them", "[receive][pressure]") {
    const auto after = [](std::uint32_t polls, const PressureSender& sender) {
        return check_pressure({PressureLevel::medium, Resource::queue_length, polls}, sender);
    };

    CHECK(after(0, kAnonymous).delay == seconds(10));
    CHECK(after(1, kAnonymous).delay == seconds(15));
    CHECK(after(9, kAnonymous).delay == seconds(55));
    CHECK(after(10, kAnonymous).delay == seconds(55));
    CHECK(after(299, kAnonymous).verdict.is_accepted());
    CHECK(!after(300, kAnonymous).verdict.is_accepted());
    CHECK(after(5, kAuthenticated).delay == seconds(0));
    CHECK(after(5, kNull).delay == seconds(0));
    CHECK(after(300, kAuthenticated).verdict.is_accepted());
}

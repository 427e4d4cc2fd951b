#include "dns/answer_cache.hpp"

#include <catch2/catch.hpp>

namespace mailflow::dns {

namespace {

constexpr MonotonicTime kNow = MonotonicTime(std::chrono::hours(1));
constexpr MonotonicTime kLater = kNow + std::chrono::minutes(5);

std::shared_ptr<const Outcome> outcome(std::string text = "x") {
    return std::make_shared<const Outcome>(
        Outcome{DnsStatus::found, {std::move(text)}, std::chrono::seconds(300), {}});
}

}  // namespace

TEST_CASE("An answer is known until its time is over", "[dns][cache]") {
    AnswerCache cache;
    cache.keep("a 1", outcome(), kLater);

    CHECK(cache.find("a 1", kLater - std::chrono::milliseconds(1)) != nullptr);
    CHECK(cache.find("a 28", kNow) == nullptr);
    CHECK(cache.find("a 1", kLater) == nullptr);
    CHECK(cache.entries() == 0);
    CHECK(cache.octets() == 0);
}

TEST_CASE("A full cache forgets what was used longest ago", "[dns][cache]") {
    AnswerCache cache({3, kMaxCacheOctets});
    for (const auto* const key : {"a", "b", "c"})
        cache.keep(key, outcome(), kLater);
    static_cast<void>(cache.find("a", kNow));

    cache.keep("d", outcome(), kLater);

    CHECK(cache.entries() == 3);
    CHECK(cache.find("b", kNow) == nullptr);
    CHECK(cache.find("a", kNow) != nullptr);
    CHECK(cache.find("d", kNow) != nullptr);
}

TEST_CASE("The cache stays within its octets, whatever an answer holds", "[dns][cache]") {
    AnswerCache cache({1000, 10'000});

    for (int i = 0; i < 100; ++i)
        cache.keep(std::to_string(i), outcome(std::string(1000, 't')), kLater);
    cache.keep("huge", outcome(std::string(20'000, 't')), kLater);

    CHECK(cache.octets() <= 10'000);
    CHECK(cache.entries() >= 5);
    CHECK(cache.find("huge", kNow) == nullptr);
    CHECK(cache.find("99", kNow) != nullptr);
}

TEST_CASE("A newer answer takes the place of the older one", "[dns][cache]") {
    AnswerCache cache;
    cache.keep("a", outcome("old"), kLater);
    const auto octets = cache.octets();

    cache.keep("a", outcome("new"), kLater);

    CHECK(cache.entries() == 1);
    CHECK(cache.octets() == octets);
    CHECK(std::get<std::string>(cache.find("a", kNow)->records.at(0)) == "new");
}

}  // namespace mailflow::dns

#include "transport/queue/dsn_limiter.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

using std::chrono::minutes;

EmailAddress sender(const std::string& local) {
    return EmailAddress::parse(local + "@example.com").value();
}

constexpr MonotonicTime kStart{};

}  // namespace

TEST_CASE("a sender gets so many reports in an hour", "[queue][dsn]") {
    DsnLimiter limiter;
    limiter.count(sender("a"), kStart);
    limiter.count(sender("A"), kStart + minutes(30));

    CHECK_FALSE(limiter.allows(sender("a"), 2, kStart + minutes(59)));
    CHECK(limiter.allows(sender("a"), 3, kStart + minutes(59)));
    CHECK(limiter.allows(sender("a"), std::nullopt, kStart + minutes(59)));
    CHECK(limiter.allows(sender("b"), 2, kStart + minutes(59)));
    CHECK(limiter.allows(sender("a"), 2, kStart + minutes(60)));
    CHECK_FALSE(limiter.allows(sender("b"), 0, kStart));
}

TEST_CASE("the memory of the limiter is bounded", "[queue][dsn]") {
    DsnLimiter limiter;
    for (std::size_t i = 0; i < DsnLimiter::kMaxSenders + 10; ++i) {
        limiter.count(sender("u" + std::to_string(i)), kStart + Duration(i));
    }
    for (std::size_t i = 0; i < DsnLimiter::kMaxListed + 10; ++i) {
        limiter.collect({}, kStart);
    }

    CHECK(limiter.senders() == DsnLimiter::kMaxSenders);
    CHECK(limiter.allows(sender("u0"), 1, kStart + minutes(1)));
    CHECK_FALSE(limiter.allows(sender("u10"), 1, kStart + minutes(1)));
    const auto collected = limiter.take();
    CHECK(collected.listed.size() == DsnLimiter::kMaxListed);
    CHECK(collected.total == DsnLimiter::kMaxListed + 10);
}

TEST_CASE("a notice is due an hour after the first report it is about", "[queue][dsn]") {
    DsnLimiter limiter;
    CHECK_FALSE(limiter.is_due(kStart, true));
    limiter.collect({}, kStart + minutes(1));
    limiter.collect({}, kStart + minutes(50));

    CHECK_FALSE(limiter.is_due(kStart + minutes(60), false));
    CHECK(limiter.is_due(kStart + minutes(60), true));
    CHECK(limiter.is_due(kStart + minutes(61), false));
    auto taken = limiter.take();
    CHECK_FALSE(limiter.is_due(kStart + minutes(61), true));
    limiter.put_back(std::move(taken), kStart + minutes(61));
    CHECK(limiter.take().total == 2);
}

}  // namespace mailflow

#include "transport/queue/delivery_queue.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace mailflow {

namespace {

const UtcTime kNow{Duration(1'700'000'000'000)};

DeliveryQueue make_queue(const QueueLimits& limits = {}) {
    const NextHop hop{DeliveryType::dns, "example.org", "Internet"};
    NextHopState state;
    state.key = hop.key();
    return DeliveryQueue(hop, state, limits);
}

WaitingJob job(std::uint64_t id, std::string sender, bool tried = false) {
    return {QueueId{id}, {0}, std::move(sender), tried};
}

std::string popped(DeliveryQueue& queue, int count) {
    std::string order;
    for (int i = 0; i < count; ++i) {
        const auto next = queue.pop();
        order += next ? std::to_string(next->message.value) + " " : "- ";
    }
    return order;
}

DeliveryStatus failure(std::string words) {
    DeliveryStatus status;
    status.diagnostic = std::move(words);
    return status;
}

TEST_CASE("senders take turns inside a hop", "[queue][hop]") {
    auto queue = make_queue();
    for (const auto& [id, sender] :
         {std::pair(1, "bulk"), {2, "bulk"}, {3, "bulk"}, {4, "ann"}, {5, "bob"}}) {
        queue.push(job(static_cast<std::uint64_t>(id), sender));
    }

    CHECK(popped(queue, 6) == "1 4 5 2 3 - ");
}

TEST_CASE("new mail and deferred mail share a hop 4 to 1", "[queue][hop]") {
    auto queue = make_queue();
    for (std::uint64_t id = 1; id <= 10; ++id) {
        queue.push(job(id, "new"));
        queue.push(job(100 + id, "old", true));
    }

    CHECK(popped(queue, 11) == "1 2 3 4 101 5 6 7 8 102 9 ");
}

WaitingJob job_of(std::uint64_t id, int priority) {
    auto made = job(id, "ann");
    made.priority = static_cast<std::int8_t>(priority);
    return made;
}

TEST_CASE("RFC 6710: positive priority goes before none 4 to 1", "[queue][hop]") {
    auto queue = make_queue();
    for (std::uint64_t id = 1; id <= 10; ++id) {
        queue.push(job_of(id, 0));
        queue.push(job_of(100 + id, id % 2 == 0 ? 9 : 1));
    }

    CHECK(popped(queue, 12) == "101 102 103 104 1 105 106 107 108 2 109 110 ");
}

TEST_CASE("RFC 6710: negative priority goes last and is never starved", "[queue][hop]") {
    auto queue = make_queue();
    for (std::uint64_t id = 1; id <= 30; ++id) {
        queue.push(job_of(id, 0));
    }
    queue.push(job_of(200, -3));
    queue.push(job_of(201, -9));

    CHECK(popped(queue, 10) == "1 2 3 4 5 6 7 8 200 9 ");

    // However much urgent mail keeps coming.
    std::string order;
    for (std::uint64_t id = 100; id < 112; ++id) {
        queue.push(job_of(id, 4));
        order += popped(queue, 1);
    }
    CHECK(order.find("201 ") != std::string::npos);
    CHECK(order.find("10 ") != std::string::npos);
}

TEST_CASE("RFC 6710: a hop that is full has half a window for urgent mail", "[queue][hop]") {
    QueueLimits limits;
    limits.first_window = 1;
    limits.messages_per_connection = 2;
    auto queue = make_queue(limits);
    for (std::uint64_t id = 1; queue.takes(1); ++id) {
        queue.push(job(id, "ann"));
    }
    REQUIRE(queue.active() == 4);

    CHECK_FALSE(queue.takes(1, 0));
    CHECK(queue.takes(1, 1));
    queue.push(job_of(50, 1));
    CHECK_FALSE(queue.takes(1, 1));
    CHECK(popped(queue, 2) == "50 1 ");
}

TEST_CASE("the window opens with successes up to its maximum and closes by half", "[queue][hop]") {
    auto queue = make_queue();
    REQUIRE(queue.window() == 5);

    for (int i = 0; i < 100; ++i) {
        CHECK_FALSE(queue.on_success());
    }
    CHECK(queue.window() == 20);

    CHECK(queue.on_failure(queue.generation()));
    CHECK(queue.window() == 10);
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(queue.on_success());
    }
    CHECK(queue.window() == 10);
    CHECK_FALSE(queue.on_success());
    CHECK(queue.window() == 11);
    for (int i = 0; i < 10; ++i) {
        CHECK(queue.on_failure(queue.generation()));
    }
    CHECK(queue.window() == 1);
}

TEST_CASE("a hop in retry starts nothing before its time and one attempt then", "[queue][hop]") {
    auto queue = make_queue();
    queue.push(job(1, "a"));
    queue.push(job(2, "a"));
    queue.move(failure("no route"), kNow, kNow + Duration(1000));

    CHECK_FALSE(queue.can_start(kNow + Duration(999)));
    REQUIRE(queue.can_start(kNow + Duration(1000)));
    const auto first = *queue.pop();
    queue.on_started(first, {});
    CHECK_FALSE(queue.can_start(kNow + Duration(1000)));
    queue.on_ended(first, {});

    CHECK(queue.on_success());
    CHECK(queue.state().attempts == 0);
    CHECK(queue.state().last_error.empty());
    CHECK(queue.can_start(kNow));
}

TEST_CASE("attempts that were under way when the hop failed do not fail it again", "[queue][hop]") {
    auto queue = make_queue();
    const auto begun_under = queue.generation();

    REQUIRE(queue.on_failure(begun_under));
    queue.move(failure("refused"), kNow, kNow + Duration(1000));

    CHECK_FALSE(queue.on_failure(begun_under));
    CHECK(queue.on_failure(queue.generation()));
    CHECK(queue.last_failure().diagnostic == "refused");
}

TEST_CASE("a hop takes twice its window of connections and no more", "[queue][hop]") {
    QueueLimits limits;
    limits.first_window = 2;
    limits.messages_per_connection = 3;
    auto queue = make_queue(limits);
    for (std::uint64_t id = 1; id <= 11; ++id) {
        REQUIRE(queue.takes(1));
        queue.push(job(id, "a"));
    }

    CHECK(queue.room() == 1);
    CHECK_FALSE(queue.takes(2));
    CHECK_FALSE(queue.is_half_empty());
    popped(queue, 5);
    CHECK(queue.is_half_empty());
}

TEST_CASE("jobs of one message are taken out alone, all others together", "[queue][hop]") {
    auto queue = make_queue();
    queue.push(job(1, "a"));
    queue.push(job(2, "a"));
    queue.push(job(1, "b", true));

    CHECK(queue.take_out(QueueId{1}).size() == 2);
    CHECK(queue.active() == 1);
    CHECK(queue.drain().size() == 1);
    CHECK(queue.active() == 0);
    CHECK(queue.active_untried() == 0);
    CHECK_FALSE(queue.pop());
}

}  // namespace

}  // namespace mailflow

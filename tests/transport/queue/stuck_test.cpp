#include "tests/transport/queue/queue_fixture.hpp"
#include "transport/queue/stuck_check.hpp"

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;

const UtcTime kNow{Duration(1'700'000'000'000)};
const std::string kHop = "dns|example.org|Internet";

struct Case {
    std::string what;
    RecipientState state;
    std::string hop;
    Duration due_in;
    Flow expected;
};

FlowFacts facts() {
    FlowFacts known;
    known.now = kNow;
    known.accepted = kNow - hours(1);
    known.expires = kNow + hours(100);
    known.has_room = true;
    return known;
}

Flow flow_of_case(const Case& one, const FlowFacts& known) {
    QueuedRecipient recipient{
        .address = EmailAddress::parse("carol@example.org").value(),
        .original = "carol@example.org",
        .mailbox = {},
        .next_hop = one.hop,
        .last = std::nullopt};
    recipient.state = one.state;
    recipient.due = kNow + one.due_in;
    return flow_of(recipient, known);
}

TEST_CASE("what moves is told from what is stuck", "[queue][stuck]") {
    const auto room = NextHop::unreachable().key();
    const auto later = NextHop::future_release().key();
    const std::vector<Case> cases = {
        {"due soon", RecipientState::deferred, kHop, minutes(15), Flow::moves},
        {"due for a moment", RecipientState::deferred, kHop, -minutes(9), Flow::moves},
        {"due for long", RecipientState::deferred, kHop, -minutes(11), Flow::forgotten},
        {"due by a wrong clock", RecipientState::deferred, kHop, hours(200), Flow::lost_due},
        {"no such hop", RecipientState::deferred, "nonsense", minutes(1), Flow::lost_hop},
        {"unreachable", RecipientState::deferred, room, hours(100), Flow::moves},
        {"released later", RecipientState::deferred, later, hours(9000), Flow::moves},
        {"held by nobody", RecipientState::held, "", minutes(0), Flow::lost_hold},
        {"new for an hour", RecipientState::ready, "", minutes(0), Flow::forgotten},
        {"delivered", RecipientState::delivered, kHop, -hours(1), Flow::moves},
    };
    for (const auto& one : cases) {
        INFO(one.what);
        CHECK(to_text(flow_of_case(one, facts())) == std::string(to_text(one.expected)));

        auto held = facts();
        held.held = true;
        CHECK(flow_of_case(one, held) == Flow::moves);
    }
}

TEST_CASE("what waits for room or for its hop is not stuck", "[queue][stuck]") {
    const Case due{"", RecipientState::deferred, kHop, -hours(1), Flow::moves};
    auto full = facts();
    full.has_room = false;
    auto busy = facts();
    busy.is_busy = true;

    CHECK(flow_of_case(due, full) == Flow::moves);
    CHECK(flow_of_case(due, busy) == Flow::moves);
}

TEST_CASE("the watchdog finds stuck recipients, says so and delivers them", "[queue][stuck]") {
    QueueFixture f;
    auto lost_due = f.make_message("bob@example.net", {"carol@example.org"});
    lost_due.recipients[0].state = RecipientState::deferred;
    lost_due.recipients[0].next_hop = kHop;
    lost_due.recipients[0].due = f.lane.clock.now() + hours(24 * 400);
    auto lost_hold = f.make_message("bob@example.net", {"dan@example.org"});
    lost_hold.recipients[0].state = RecipientState::held;
    const auto due_id = lost_due.id;
    const auto hold_id = lost_hold.id;
    f.put(std::move(lost_due));
    f.put(std::move(lost_hold));
    f.start();
    f.lane.advance(minutes(9));
    REQUIRE(f.manager->statistics().stuck == 0);
    REQUIRE_FALSE(f.is_gone(due_id));
    REQUIRE_FALSE(f.is_gone(hold_id));

    f.lane.advance(minutes(2));

    CHECK(f.is_gone(due_id));
    CHECK(f.is_gone(hold_id));
    CHECK(f.smtp.jobs().size() == 2);
    CHECK(f.manager->statistics().stuck == 2);

    f.lane.advance(minutes(3));
    CHECK(f.manager->statistics().stuck == 0);
}

TEST_CASE("nothing of a working queue looks stuck", "[queue][stuck]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("timed out"); });
    f.send("bob@example.net", {"carol@example.org", "dan@example.net"});
    const auto held = f.send("bob@example.net", {"erin@example.com"});
    REQUIRE(f.lane.run(f.manager->hold(held, true)));

    for (int i = 0; i < 60; ++i) {
        f.lane.advance(minutes(3));
        REQUIRE(f.manager->statistics().stuck == 0);
    }
    CHECK_FALSE(f.is_gone(held));
}

}  // namespace

}  // namespace mailflow

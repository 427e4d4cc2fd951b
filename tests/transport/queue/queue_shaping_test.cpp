#include "tests/transport/queue/queue_fixture.hpp"

#include <set>

namespace mailflow {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// All domains of `.shared.example` lead to the same hosts.
DeliveryReport with_hosts(DeliveryReport report, const DeliveryJob& job) {
    report.destination = job.hop.domain.ends_with("shared.example") ? "mx1.shared,mx2.shared"
                                                                    : "mx." + job.hop.domain;
    return report;
}

DeliveryReport delivered_with_hosts(const DeliveryJob& job) {
    return with_hosts(report_delivered(job), job);
}

DeliveryReport unreachable_hosts(const DeliveryJob& job) {
    auto report = with_hosts(report_hop_failure("connection refused"), job);
    HostAttempt host;
    host.host = "mx1.shared";
    host.failed = true;
    report.hosts.push_back(host);
    return report;
}

void send_some(QueueFixture& f, std::string_view domain, int count) {
    for (int i = 0; i < count; ++i) {
        f.send("bob@example.net", {"carol@" + std::string(domain)});
    }
}

std::size_t attempts_at(const QueueFixture& f, std::string_view domain) {
    return static_cast<std::size_t>(
        std::count_if(f.smtp.jobs().begin(), f.smtp.jobs().end(), [domain](const auto& job) {
            return job.hop.domain == domain;
        }));
}

const DeliveryQueue& queue_of(const QueueFixture& f, const std::string& domain) {
    return f.manager->queues().at("dns|" + domain + "|Internet");
}

TEST_CASE("max_outbound_connections bounds all outbound attempts together", "[queue][shape]") {
    QueueFixture f;
    f.organization.transport.max_outbound_connections = 3;
    f.start();
    f.smtp.hold(true);
    for (const auto* domain : {"a.example", "b.example", "c.example", "d.example"}) {
        send_some(f, domain, 1);
    }
    f.send("bob@example.net", {"alice@contoso.com"});

    CHECK(f.smtp.running() == 3);
    CHECK(f.mailbox.jobs().size() == 1);
    CHECK(f.manager->why_waits(queue_of(f, "d.example")) == HeldBy::everything);

    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.smtp.most_running() == 3);
    CHECK(f.store.messages().empty());
}

TEST_CASE("a send connector's max_outbound_connections bounds its own only", "[queue][shape]") {
    QueueFixture f;
    f.organization.send_connectors.push_back(make_connector("Partner", "smtp:partner.example"));
    f.organization.send_connectors.back().max_outbound_connections = 1;
    f.organization.send_connectors.back().address_spaces.push_back(
        AddressSpace::parse("smtp:*.partner.example").value());
    f.start();
    f.smtp.hold(true);
    send_some(f, "partner.example", 2);
    send_some(f, "eu.partner.example", 1);
    send_some(f, "a.example", 2);

    CHECK(f.smtp.running() == 3);
    const auto& waiting = f.manager->queues().at("dns|eu.partner.example|Partner");
    CHECK(f.manager->why_waits(waiting) == HeldBy::connector);

    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.store.messages().empty());
}

TEST_CASE("max_per_domain_outbound_connections is how far a window opens", "[queue][shape]") {
    QueueFixture f;
    f.organization.transport.max_per_domain_outbound_connections = 2;
    f.organization.send_connectors.push_back(make_connector("Partner", "smtp:partner.example"));
    f.organization.send_connectors.back().max_per_domain_outbound_connections = 1;
    f.start();
    f.smtp.hold(true);
    send_some(f, "a.example", 6);
    send_some(f, "partner.example", 6);

    CHECK(f.smtp.running() == 3);
    CHECK(queue_of(f, "a.example").running() == 2);
    CHECK(f.manager->why_waits(queue_of(f, "a.example")) == HeldBy::window);
    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.smtp.most_running() == 3);
    CHECK(f.store.messages().empty());
}

TEST_CASE("hops with the same hosts share one window and take turns", "[queue][shape]") {
    QueueFixture f;
    f.organization.transport.max_per_domain_outbound_connections = 2;
    f.smtp.answer_with(delivered_with_hosts);
    f.start();
    send_some(f, "a.shared.example", 1);
    send_some(f, "b.shared.example", 1);
    f.smtp.forget();
    f.smtp.hold(true);

    send_some(f, "a.shared.example", 6);
    send_some(f, "b.shared.example", 6);

    CHECK(f.smtp.running() == 2);
    const auto& a = queue_of(f, "a.shared.example");
    const auto& b = queue_of(f, "b.shared.example");
    CHECK(&a.destination() == &b.destination());
    CHECK(a.destination().name() == "mx1.shared,mx2.shared");
    CHECK(a.destination().running() == 2);
    for (int i = 0; i < 4; ++i) {
        f.smtp.release_one();
        f.lane.poll();
        CHECK(f.smtp.running() == 2);
    }
    CHECK(attempts_at(f, "b.shared.example") >= 2);
    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.store.messages().empty());
    CHECK(a.destination().running() == 0);
}

TEST_CASE("with policies by host the first attempt goes alone", "[queue][shape]") {
    QueueFixture f;
    DestinationPolicy policy;
    policy.name = "Shared";
    policy.mx_hosts = {"*.shared"};
    policy.max_connections = 1;
    f.organization.destination_policies.push_back(policy);
    f.smtp.answer_with(delivered_with_hosts);
    f.start();
    f.smtp.hold(true);
    send_some(f, "a.shared.example", 5);
    send_some(f, "free.example", 5);
    CHECK(f.smtp.running() == 2);

    f.smtp.release_one();
    f.smtp.release_one();
    f.lane.poll();

    CHECK(queue_of(f, "a.shared.example").running() == 1);
    CHECK(queue_of(f, "a.shared.example").destination().rules().policy == "Shared");
    CHECK(queue_of(f, "free.example").running() == 4);
}

TEST_CASE(
    "a destination that asks for less gets less, and is pressed again later", "[queue][shape]") {
    QueueFixture f;
    DestinationPolicy policy;
    policy.name = "Picky";
    policy.domains = {"picky.example"};
    policy.slow_replies = {"4.7.28"};
    policy.back_off = seconds(60);
    f.organization.destination_policies.push_back(policy);
    f.start();
    f.smtp.answer_with([](const DeliveryJob& job) {
        auto report = report_deferred(job, "450 4.7.28 Our system has detected an unusual rate");
        report.recipients.at(0).status.status = EnhancedStatus{4, 7, 28};
        return report;
    });
    send_some(f, "picky.example", 1);
    CHECK(queue_of(f, "picky.example").window() == 2);

    f.smtp.answer_with(report_delivered);
    send_some(f, "picky.example", 3);

    CHECK(attempts_at(f, "picky.example") == 1);
    CHECK(f.manager->why_waits(queue_of(f, "picky.example")) == HeldBy::back_off);
    f.lane.advance(seconds(59));
    CHECK(attempts_at(f, "picky.example") == 1);
    f.lane.advance(seconds(8));
    CHECK(attempts_at(f, "picky.example") == 4);
}

TEST_CASE("message_rate_per_minute lets so many pass in a minute", "[queue][shape]") {
    QueueFixture f;
    DestinationPolicy policy;
    policy.name = "Slow";
    policy.domains = {"slow.example"};
    policy.message_rate_per_minute = 6;
    f.organization.destination_policies.push_back(policy);
    f.start();
    send_some(f, "slow.example", 20);
    CHECK(attempts_at(f, "slow.example") == 1);
    CHECK(f.manager->why_waits(queue_of(f, "slow.example")) == HeldBy::rate);

    f.lane.advance(seconds(60));

    CHECK(attempts_at(f, "slow.example") == 7);
}

TEST_CASE("max_recipients_per_message splits what a host takes at a time", "[queue][shape]") {
    QueueFixture f;
    DestinationPolicy policy;
    policy.name = "Few";
    policy.max_recipients_per_message = 2;
    policy.max_messages_per_connection = 3;
    f.organization.destination_policies.push_back(policy);
    f.start();

    f.send(
        "bob@example.net",
        {"a@few.example", "b@few.example", "c@few.example", "d@few.example", "e@few.example"});

    REQUIRE(f.smtp.jobs().size() == 3);
    std::set<std::uint32_t> all;
    for (const auto& job : f.smtp.jobs()) {
        CHECK(job.recipients.size() <= 2);
        CHECK(job.max_messages_per_connection == 3);
        all.insert(job.recipients.begin(), job.recipients.end());
    }
    CHECK(all.size() == 5);
    CHECK(f.store.messages().empty());
}

TEST_CASE("dry_run says what would have been slowed and slows nothing", "[queue][shape]") {
    QueueFixture f;
    DestinationPolicy policy;
    policy.name = "Look";
    policy.dry_run = true;
    policy.max_connections = 1;
    f.organization.destination_policies.push_back(policy);
    f.start();
    f.smtp.hold(true);

    send_some(f, "a.example", 5);

    CHECK(f.smtp.running() == 5);
    CHECK(queue_of(f, "a.example").destination().counts.would_slow == 4);
}

TEST_CASE("one hop finds its destination dead, the others are spared", "[queue][shape]") {
    QueueFixture f;
    f.smtp.answer_with(delivered_with_hosts);
    f.start();
    for (const auto* domain : {"a.shared.example", "b.shared.example", "c.shared.example"}) {
        send_some(f, domain, 1);
    }
    f.smtp.forget();
    f.smtp.answer_with(unreachable_hosts);

    for (const auto* domain : {"a.shared.example", "b.shared.example", "c.shared.example"}) {
        send_some(f, domain, 1);
    }

    CHECK(f.smtp.jobs().size() == 1);
    for (const auto* domain : {"a.shared.example", "b.shared.example", "c.shared.example"}) {
        CHECK(queue_of(f, domain).state().attempts == 1);
        CHECK(queue_of(f, domain).state().last_error == "connection refused");
    }

    // Their hosts may be others by now: none is spared for ever.
    f.lane.advance(minutes(30));
    CHECK(attempts_at(f, "b.shared.example") > 0);
    CHECK(attempts_at(f, "c.shared.example") > 0);

    f.smtp.answer_with(delivered_with_hosts);
    f.lane.advance(minutes(12));
    CHECK(f.store.messages().empty());
}

TEST_CASE("a changed policy rules at once", "[queue][shape]") {
    QueueFixture f;
    f.organization.transport.max_per_domain_outbound_connections = 1;
    f.start();
    f.smtp.hold(true);
    send_some(f, "a.example", 5);
    REQUIRE(f.smtp.running() == 1);

    DestinationPolicy policy;
    policy.name = "Wide";
    policy.max_connections = 3;
    f.organization.destination_policies.push_back(policy);
    f.reconfigure();
    f.lane.poll();

    CHECK(f.smtp.running() == 3);
}

TEST_CASE("small messages of a sender pass a huge one, but not without end", "[queue][shape]") {
    const NextHop hop{DeliveryType::dns, "example.org", "Internet"};
    NextHopState state;
    state.key = hop.key();
    DeliveryQueue queue(hop, state, QueueLimits{});
    queue.push({QueueId{1}, {0}, "ann", false, 0, 10'000'000});
    for (std::uint64_t id = 2; id <= 12; ++id) {
        queue.push({QueueId{id}, {0}, "ann", false, 0, 1000});
    }

    std::vector<std::uint64_t> order;
    while (const auto job = queue.pop()) {
        order.push_back(job->message.value);
    }

    CHECK(order == std::vector<std::uint64_t>{2, 3, 4, 5, 6, 7, 8, 9, 1, 10, 11, 12});
}

}  // namespace

}  // namespace mailflow

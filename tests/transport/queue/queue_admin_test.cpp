#include "transport/queue/queue_admin.hpp"

#include "tests/transport/queue/queue_fixture.hpp"

#include <chrono>

namespace mailflow {

namespace {

using std::chrono::minutes;

struct AdminFixture : QueueFixture {
    AdminFixture() { start(); }

    QueueAdmin admin() { return QueueAdmin(*manager, store, bodies); }
};

TEST_CASE("queues are listed with status, count, next retry and last error", "[queue][admin]") {
    AdminFixture f;
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    f.send("bob@example.net", {"carol@dead.example"});
    f.send("bob@example.net", {"dan@dead.example"});
    f.smtp.hold(true);
    f.smtp.answer_with(report_delivered);
    f.send("bob@example.net", {"eve@busy.example"});
    f.organization.send_connectors = {
        make_connector("Dead", "smtp:dead.example"), make_connector("Busy", "smtp:busy.example")};
    auto admin = f.admin();

    const auto queues = f.lane.run(admin.list_queues()).value();

    REQUIRE(queues.size() == 2);
    CHECK(queues[0].hop.domain == "busy.example");
    CHECK(queues[0].status == QueueStatus::active);
    CHECK(queues[0].message_count == 1);
    CHECK(queues[0].running == 1);
    CHECK(queues[1].hop.domain == "dead.example");
    CHECK(queues[1].status == QueueStatus::retry);
    CHECK(queues[1].message_count == 2);
    CHECK(queues[1].retry_count == 1);
    CHECK(queues[1].last_error == "connection refused");
    REQUIRE(queues[1].next_retry);
    CHECK(*queues[1].next_retry >= f.lane.clock.now() + minutes(1));
}

TEST_CASE("the Unreachable queue says why", "[queue][admin]") {
    QueueFixture f;
    f.organization.send_connectors.clear();
    f.start();
    f.send("bob@example.net", {"carol@example.org"});
    QueueAdmin admin(*f.manager, f.store, f.bodies);

    const auto queues = f.lane.run(admin.list_queues()).value();

    REQUIRE(queues.size() == 1);
    CHECK(queues[0].hop.type == DeliveryType::unreachable);
    CHECK(queues[0].message_count == 1);
    CHECK_FALSE(queues[0].last_error.empty());
    CHECK_FALSE(queues[0].next_retry);
}

TEST_CASE("the queue of another node's mail names that node", "[queue][admin][node]") {
    QueueFixture f;
    f.organization.send_connectors.front().source_servers = {"mx2.contoso.com"};
    f.start();
    f.send("bob@example.net", {"carol@example.org"});
    QueueAdmin admin(*f.manager, f.store, f.bodies);

    const auto queues = f.lane.run(admin.list_queues()).value();

    REQUIRE(queues.size() == 1);
    CHECK(queues[0].hop.type == DeliveryType::other_node);
    CHECK_THAT(queues[0].last_error, Catch::Contains("mx2.contoso.com"));
    CHECK_FALSE(queues[0].next_retry);
}

TEST_CASE(
    "a deferred message shows the remote's last words, its hop and its next attempt",
    "[queue][admin]") {
    AdminFixture f;
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 4.7.1 Not today"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    auto admin = f.admin();

    const auto info = f.lane.run(admin.find_message(id)).value();

    CHECK(info.sender == "bob@example.net");
    CHECK(info.subject == "Lunch");
    CHECK(info.expires == info.accepted + std::chrono::hours(120));
    REQUIRE(info.recipients.size() == 1);
    CHECK(info.recipients[0].status == RecipientStatus::retry);
    CHECK(info.recipients[0].last_error == "451 4.7.1 Not today");
    CHECK(info.recipients[0].next_hop == "dns|example.org|Internet");
    CHECK(info.recipients[0].next_attempt == f.lane.clock.now() + minutes(15));
    CHECK(f.lane.run(admin.find_message(QueueId{1})).error() == Error::not_found);
}

TEST_CASE("a recipient of a hop in retry is next tried with its hop", "[queue][admin]") {
    AdminFixture f;
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    auto admin = f.admin();

    const auto info = f.lane.run(admin.find_message(id)).value();

    const auto& hop = f.manager->queues().at("dns|example.org|Internet");
    CHECK(info.recipients[0].next_attempt == hop.state().next_retry);
}

TEST_CASE("a message in an attempt is shown as Active with its hop", "[queue][admin]") {
    AdminFixture f;
    f.smtp.hold(true);
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    auto admin = f.admin();

    const auto info = f.lane.run(admin.find_message(id)).value();

    CHECK(info.recipients[0].status == RecipientStatus::active);
    CHECK(info.recipients[0].next_hop == "dns|example.org|Internet");
}

TEST_CASE("messages are listed by filter and paged by id", "[queue][admin]") {
    AdminFixture f;
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto a = f.send("bob@example.net", {"carol@example.org"});
    const auto b = f.send("", {"dan@example.com"});
    const auto c = f.send("bob@example.net", {"Dan@example.com"});
    auto admin = f.admin();
    const auto list = [&](MessageFilter filter) {
        std::vector<QueueId> ids;
        for (const auto& message : f.lane.run(admin.list_messages(filter)).value().messages) {
            ids.push_back(message.id);
        }
        return ids;
    };

    MessageFilter filter;
    CHECK(list(filter) == std::vector{a, b, c});
    filter.sender = "BOB@example.net";
    CHECK(list(filter) == std::vector{a, c});
    filter.sender = "<>";
    CHECK(list(filter) == std::vector{b});
    filter.sender.clear();
    filter.recipient = "dan@example.com";
    CHECK(list(filter) == std::vector{b, c});
    filter.recipient.clear();
    filter.next_hop = "dns|example.org|Internet";
    CHECK(list(filter) == std::vector{a});
    filter.next_hop.reset();
    filter.limit = 2;
    const auto page = f.lane.run(admin.list_messages(filter)).value();
    REQUIRE(page.next == b);
    filter.after = *page.next;
    CHECK(list(filter) == std::vector{c});
}

TEST_CASE("an exported message is its whole text", "[queue][admin]") {
    AdminFixture f;
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    auto message = f.make_message("bob@example.net", {"carol@example.org"});
    message.content.edits = {{16, 11, "From: bob@example.net\r\n"}};
    const auto id = message.id;
    f.put(message);
    if (const bool in_memory = GENERATE(true, false); in_memory) {
        f.manager->announce(std::make_shared<const QueuedMessage>(std::move(message)));
        f.lane.poll();
    }
    auto admin = f.admin();

    auto exported = f.lane.run(admin.export_message(id));

    REQUIRE(exported.has_value());
    std::string text;
    for (std::string_view piece;
         !(piece = f.lane.run(exported->content->next()).value()).empty();) {
        text += piece;
    }
    CHECK(
        text ==
        "Received: from client\r\nSubject: Lunch\r\nFrom: bob@example.net\r\n\r\nToday?\r\n");
    CHECK(exported->size == text.size());
}

TEST_CASE("an exported message is what its recipient gets, when one is named", "[queue][admin]") {
    AdminFixture f;
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    auto message = f.make_message("al@contoso.com", {"bob@contoso.com", "carol@example.org"});
    message.recipients[1].original = "Team@contoso.com";
    message.recipients[1].variant = 1;
    const auto primary = ReversePath::parse("<alice@contoso.com>").value();
    message.variants = {
        {primary, primary, {{16, 11, "From: c@d\r\n"}}, "Sender: alice@contoso.com\r\n"}};
    const auto id = message.id;
    f.put(message);
    auto admin = f.admin();

    const auto export_for = [&](std::string recipient) {
        auto exported = f.lane.run(admin.export_message(id, std::move(recipient))).value();
        std::string text;
        for (std::string_view piece;
             !(piece = f.lane.run(exported.content->next()).value()).empty();) {
            text += piece;
        }
        CHECK(exported.size == text.size());
        return text;
    };
    const std::string as_it_came =
        "Received: from client\r\nSubject: Lunch\r\nFrom: a@b\r\n\r\nToday?\r\n";
    const std::string as_it_leaves =
        "Sender: alice@contoso.com\r\nSubject: Lunch\r\nFrom: c@d\r\n\r\nToday?\r\n";
    CHECK(export_for("") == as_it_came);
    CHECK(export_for("BOB@contoso.com") == as_it_came);
    CHECK(export_for("carol@example.org") == as_it_leaves);
    CHECK(export_for("team@contoso.com") == as_it_leaves);
    CHECK(f.lane.run(admin.export_message(id, "eve@contoso.com")).error() == Error::not_found);

    const auto shown = f.lane.run(admin.find_message(id)).value();
    CHECK(shown.sender == "al@contoso.com");
    CHECK(shown.recipients[0].reverse_path == "al@contoso.com");
    CHECK(shown.recipients[0].variant == 0);
    CHECK(shown.recipients[1].reverse_path == "alice@contoso.com");
    CHECK(shown.recipients[1].variant == 1);
}

}  // namespace

}  // namespace mailflow

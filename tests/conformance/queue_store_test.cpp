// What every QueueStore promises, run against each implementation.
#include "tests/storage/queue_fixture.hpp"
#include "tests/support/memory_store.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

const std::string kContoso = "dns|contoso.com|Internet";
const std::string kFabrikam = "dns|fabrikam.com|Internet";
constexpr QueueId kNone{};
constexpr QueueId kNoEnd{~std::uint64_t{0}};

struct MemoryImplementation {
    TestLane test;
    MemoryStore memory;

    [[nodiscard]] QueueStore& store() { return memory; }

    template <class T>
    T run(Task<T> task) {
        return test.run(std::move(task));
    }
};

struct SqliteImplementation : FoldedQueue {};

// Short forms: every call must succeed.
template <class Implementation>
struct Queue : Implementation {
    void commit(
        std::uint64_t id, const std::vector<std::string>& recipients = {"bob@contoso.com"}) {
        this->run(this->store().commit(make_submission(id, recipients))).value();
    }

    void record(std::vector<QueueChange> changes) { this->store().record(std::move(changes)); }

    QueuedMessage find(std::uint64_t id) {
        auto found = this->run(this->store().find(QueueId{id})).value();
        REQUIRE(found.has_value());
        return *std::move(found);
    }

    bool exists(std::uint64_t id) {
        return this->run(this->store().find(QueueId{id})).value().has_value();
    }

    static std::vector<std::uint64_t> ids(const Result<std::vector<QueuedMessage>>& page) {
        std::vector<std::uint64_t> found;
        for (const auto& message : page.value()) {
            found.push_back(message.id.value);
        }
        return found;
    }

    std::vector<std::uint64_t> ready(std::uint64_t after = 0, std::size_t limit = 100) {
        return ids(this->run(this->store().ready_after(QueueId{after}, limit)));
    }

    std::vector<std::uint64_t> unreported() {
        return ids(this->run(this->store().unreported_after(kNone, 100)));
    }

    std::vector<std::uint64_t> due(const std::string& hop, UtcTime now, std::size_t limit = 100) {
        return ids(this->run(this->store().due_messages(hop, now, limit)));
    }

    std::vector<std::string> due_hops(UtcTime now, std::size_t limit = 100) {
        std::vector<std::string> keys;
        for (const auto& hop : this->run(this->store().due_hops(now, limit)).value()) {
            keys.push_back(hop.key);
        }
        return keys;
    }

    std::vector<NextHopState> hops() { return this->run(this->store().next_hops("", 100)).value(); }

    QueueTotals totals() { return this->run(this->store().totals()).value(); }
};

using Ids = std::vector<std::uint64_t>;
using Keys = std::vector<std::string>;

}  // namespace

#define QUEUE_TEST(name) \
    TEMPLATE_TEST_CASE(  \
        "QueueStore: " name, "[conformance][queue]", MemoryImplementation, SqliteImplementation)

QUEUE_TEST("a committed message is found as it was, without its octets") {
    Queue<TestType> queue;
    const auto given = make_submission(7, {"bob@contoso.com", "\"a b\"@xn--bcher-kva.example"});

    queue.run(queue.store().commit(given)).value();
    const auto found = queue.find(7);

    CHECK(found.id == given.message.id);
    CHECK(found.accepted == given.message.accepted);
    CHECK(found.envelope.reverse_path == given.message.envelope.reverse_path);
    CHECK(found.envelope.body == BodyType::eight_bit_mime);
    CHECK(found.envelope.declared_size == given.message.envelope.declared_size);
    CHECK(found.origin.connector == "Default Frontend");
    CHECK(found.origin.helo == "client.example");
    CHECK(found.origin.client == given.message.origin.client);
    CHECK(found.origin.protocol == "ESMTP");
    CHECK(found.content.body == given.message.content.body);
    CHECK(found.content.prefix == given.message.content.prefix);
    CHECK(found.content.facts.message_id == "<1@fabrikam.com>");
    CHECK(found.content.facts.subject == "hello");
    CHECK(found.content.facts.received_count == 2);
    CHECK(found.content.facts.header_size == 18);
    CHECK(!found.held);
    CHECK(found.body == nullptr);
    REQUIRE(found.recipients.size() == 2);
    CHECK(found.recipients[1].number == 1);
    CHECK(found.recipients[1].address == given.message.recipients[1].address);
    CHECK(found.recipients[1].state == RecipientState::ready);
}

QUEUE_TEST("variants of a message and places of its mailboxes are found as they were") {
    Queue<TestType> queue;
    auto given = make_submission(7, {"bob@contoso.com", "eve@contoso.com"});
    const auto owner = ReversePath(EmailAddress::parse("owner@contoso.com").value());
    given.message.variants = {
        {owner, owner, {{0, 2, "X: y\r\n"}}}, {owner, ReversePath(), {}, "From: a@b\r\n"}};
    given.message.recipients[0].variant = 2;
    given.message.recipients[1].place = {DeliveryTarget::Kind::smtp, "mail.contoso.com:26"};

    queue.run(queue.store().commit(given)).value();
    const auto found = queue.find(7);

    CHECK(found.variants == given.message.variants);
    CHECK(found.recipients[0].variant == 2);
    CHECK(found.recipients[1].place == given.message.recipients[1].place);
    CHECK(found.reverse_path_of(found.recipients[0]) == owner);
    CHECK(found.report_to(found.recipients[0]).is_null());
    CHECK(found.prefix_of(found.recipients[0]) == "From: a@b\r\n");
    CHECK(found.prefix_of(found.recipients[1]) == given.message.content.prefix);
}

QUEUE_TEST("a submission and its copies come in together, or not at all") {
    Queue<TestType> queue;
    auto given = make_submission(7, {"bob@contoso.com"});
    for (const std::uint64_t id : {8U, 9U}) {
        auto copy = given.message;
        copy.id = QueueId{id};
        given.copies.push_back(std::move(copy));
    }

    queue.run(queue.store().commit(given)).value();
    CHECK(queue.ready() == Ids{7, 8, 9});
    CHECK(queue.totals().messages == 3);

    given.message.id = QueueId{10};
    CHECK(queue.run(queue.store().commit(given)).error() == Error::already_exists);
    CHECK(queue.ready() == Ids{7, 8, 9});
    CHECK(queue.totals().messages == 3);
}

QUEUE_TEST("what the extensions asked for is found as it was") {
    Queue<TestType> queue;
    auto given = make_submission(7, {"bob@contoso.com", "eve@contoso.com"});
    auto& message = given.message;
    message.envelope.body = BodyType::binary_mime;
    message.envelope.dsn_return = DsnReturn::headers;
    message.envelope.envelope_id = "QQ314159";
    message.envelope.authenticated_sender = "<>";
    message.envelope.require_tls = true;
    message.envelope.priority = -3;
    message.envelope.deliver_by = DeliverBy{600, true, false};
    message.envelope.release = after_minutes(60);
    message.origin.account = "alice";
    message.origin.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519";
    message.origin.trusted = true;
    message.content.edits = {{0, 16, "Subject: bye\r\n"}};
    message.content.facts.local_received_count = 1;
    message.recipients[1].dsn = {
        static_cast<std::uint8_t>(NotifyOn::success), "rfc822;eve@fabrikam.com"};

    queue.run(queue.store().commit(given)).value();
    const auto found = queue.find(7);

    CHECK(found.envelope.body == BodyType::binary_mime);
    CHECK(found.envelope.dsn_return == DsnReturn::headers);
    CHECK(found.envelope.envelope_id == "QQ314159");
    CHECK(found.envelope.authenticated_sender == "<>");
    CHECK(found.envelope.require_tls);
    CHECK(found.envelope.priority == -3);
    CHECK(found.envelope.deliver_by == DeliverBy{600, true, false});
    CHECK(found.envelope.release == after_minutes(60));
    CHECK(found.origin.account == "alice");
    CHECK(found.origin.tls == message.origin.tls);
    CHECK(found.origin.trusted);
    CHECK(found.content.edits == message.content.edits);
    CHECK(found.content.size() == message.content.size());
    CHECK(found.content.facts.local_received_count == 1);
    CHECK(found.recipients[0].dsn == DsnRequest{});
    CHECK(found.recipients[1].dsn == message.recipients[1].dsn);
}

QUEUE_TEST("an id is taken once") {
    Queue<TestType> queue;
    queue.commit(7);

    const auto again = queue.run(queue.store().commit(make_submission(7, {"eve@contoso.com"})));

    REQUIRE(again.has_error());
    CHECK(again.error() == Error::already_exists);
    CHECK(queue.find(7).recipients[0].address.text() == "bob@contoso.com");
    CHECK(queue.totals().messages == 1);
}

QUEUE_TEST("an unknown id is not found") {
    Queue<TestType> queue;

    CHECK(!queue.exists(9));
}

QUEUE_TEST("ready messages are paged by id") {
    Queue<TestType> queue;
    for (const std::uint64_t id : {5U, 3U, 9U, 7U}) {
        queue.commit(id);
    }
    queue.record({defer(7, kContoso, after_minutes(1))});

    CHECK(queue.ready() == Ids{3, 5, 9});
    CHECK(queue.ready(3, 1) == Ids{5});
    CHECK(queue.ready(9).empty());
}

QUEUE_TEST("a read sees what was recorded before it") {
    Queue<TestType> queue;
    queue.commit(7);

    queue.record({defer(7, kContoso, after_minutes(1))});
    const auto found = queue.find(7);

    CHECK(found.recipients[0].state == RecipientState::deferred);
    CHECK(found.recipients[0].due == after_minutes(1));
    CHECK(found.recipients[0].next_hop == kContoso);
    CHECK(found.recipients[0].attempts == 1);
    REQUIRE(found.recipients[0].last.has_value());
    CHECK(*found.recipients[0].last == busy_status());
}

QUEUE_TEST("changes apply in the order of their recording") {
    Queue<TestType> queue;
    queue.commit(7);

    queue.record({defer(7, kContoso, after_minutes(1)), defer(7, kFabrikam, after_minutes(2))});
    queue.record({defer(7, kContoso, after_minutes(3))});

    CHECK(queue.find(7).recipients[0].due == after_minutes(3));
    REQUIRE(queue.hops().size() == 1);
    CHECK(queue.hops()[0].key == kContoso);
    CHECK(queue.hops()[0].deferred == 1);
}

QUEUE_TEST("a message with some recipients deferred is ready for the others") {
    Queue<TestType> queue;
    queue.commit(7, {"a@contoso.com", "b@contoso.com"});

    queue.record({defer(7, kContoso, after_minutes(1), 1)});

    CHECK(queue.ready() == Ids{7});
    CHECK(queue.due(kContoso, after_minutes(1)) == Ids{7});
}

QUEUE_TEST("delivery queues come by key with what waits in them") {
    Queue<TestType> queue;
    for (const std::uint64_t id : {1U, 2U, 3U}) {
        queue.commit(id);
    }
    queue.record(
        {defer(1, kFabrikam, after_minutes(1)),
         defer(2, kContoso, after_minutes(1)),
         defer(3, kContoso, after_minutes(2)),
         failing_hop(kContoso, 3, after_minutes(5))});

    const auto hops = queue.hops();

    REQUIRE(hops.size() == 2);
    CHECK(hops[0].key == kContoso);
    CHECK(hops[0].deferred == 2);
    CHECK(hops[0].attempts == 3);
    CHECK(hops[0].first_failure == kTestTime);
    CHECK(hops[0].next_retry == after_minutes(5));
    CHECK(hops[0].last_error == "connection refused");
    CHECK(hops[1].key == kFabrikam);
    CHECK(queue.run(queue.store().next_hops(kContoso, 100)).value().size() == 1);
    CHECK(queue.run(queue.store().next_hops("", 1)).value()[0].key == kContoso);
}

QUEUE_TEST("the failures of a queue may be recorded before anything waits in it") {
    Queue<TestType> queue;
    queue.commit(1);

    queue.record({failing_hop(kContoso, 2, after_minutes(9))});
    CHECK(queue.hops().empty());
    queue.record({defer(1, kContoso, after_minutes(1))});

    REQUIRE(queue.hops().size() == 1);
    CHECK(queue.hops()[0].attempts == 2);
}

QUEUE_TEST("a queue is due when both it and a recipient are") {
    Queue<TestType> queue;
    queue.commit(1);
    queue.commit(2);
    queue.record(
        {defer(1, kContoso, after_minutes(1)),
         failing_hop(kContoso, 1, after_minutes(10)),
         defer(2, kFabrikam, after_minutes(5))});

    CHECK(queue.due_hops(after_minutes(4)).empty());
    CHECK(queue.due_hops(after_minutes(5)) == Keys{kFabrikam});
    CHECK(queue.due_hops(after_minutes(10)) == Keys{kFabrikam, kContoso});
    CHECK(queue.due_hops(after_minutes(10), 1) == Keys{kFabrikam});
    CHECK(queue.run(queue.store().next_due()).value() == after_minutes(5));
}

QUEUE_TEST("nothing is due when nothing is deferred") {
    Queue<TestType> queue;
    queue.commit(1);

    CHECK(!queue.run(queue.store().next_due()).value().has_value());
    CHECK(queue.due_hops(after_minutes(10'000)).empty());
}

QUEUE_TEST("due messages come by due time, each once") {
    Queue<TestType> queue;
    queue.commit(1);
    queue.commit(2, {"a@contoso.com", "b@contoso.com"});
    queue.commit(3);
    queue.record(
        {defer(1, kContoso, after_minutes(3)),
         defer(2, kContoso, after_minutes(1), 0),
         defer(2, kContoso, after_minutes(2), 1),
         defer(3, kContoso, after_minutes(9))});

    CHECK(queue.due(kContoso, after_minutes(3)) == Ids{2, 1});
    CHECK(queue.due(kContoso, after_minutes(3), 1) == Ids{2});
    CHECK(queue.due(kFabrikam, after_minutes(99)).empty());
    CHECK(
        queue.run(queue.store().due_messages(kContoso, after_minutes(1), 9))
            .value()[0]
            .recipients.size() == 2);
}

QUEUE_TEST("a queue that works again keeps its recipients' own times") {
    Queue<TestType> queue;
    queue.commit(1);
    queue.record(
        {defer(1, kContoso, after_minutes(1)), failing_hop(kContoso, 4, after_minutes(60))});

    queue.record({failing_hop(kContoso, 0, UtcTime{})});

    CHECK(queue.due_hops(after_minutes(1)) == Keys{kContoso});
    CHECK(queue.hops()[0].attempts == 0);
}

QUEUE_TEST("a retry on command makes one queue due, or all") {
    Queue<TestType> queue;
    for (const std::uint64_t id : {1U, 2U, 3U}) {
        queue.commit(id);
    }
    queue.record(
        {defer(1, kContoso, after_minutes(60)),
         defer(2, kContoso, after_minutes(1)),
         defer(3, kFabrikam, after_minutes(60)),
         failing_hop(kContoso, 1, after_minutes(60))});

    CHECK(queue.run(queue.store().make_due(kContoso, after_minutes(2))).value() == 2);
    CHECK(queue.due(kContoso, after_minutes(2)) == Ids{2, 1});
    CHECK(queue.due_hops(after_minutes(2)) == Keys{kContoso});
    CHECK(queue.find(2).recipients[0].due == after_minutes(1));
    CHECK(queue.run(queue.store().make_due("", after_minutes(3))).value() == 3);
    CHECK(queue.due_hops(after_minutes(3)).size() == 2);
    CHECK(
        queue.run(queue.store().make_due("dns|nowhere.example|Internet", after_minutes(3)))
            .value() == 0);
}

QUEUE_TEST("a held message rests until it is released, and is then ready") {
    Queue<TestType> queue;
    queue.commit(1, {"a@contoso.com", "b@contoso.com", "c@contoso.com"});
    queue.record(
        {defer(1, kContoso, after_minutes(1), 1), change_to(1, RecipientState::delivered, 2)});

    queue.record({HoldMessage{QueueId{1}, true}});

    CHECK(queue.find(1).held);
    CHECK(queue.find(1).recipients[0].state == RecipientState::held);
    CHECK(queue.find(1).recipients[1].state == RecipientState::held);
    CHECK(queue.find(1).recipients[2].state == RecipientState::delivered);
    CHECK(queue.ready().empty());
    CHECK(queue.hops().empty());
    CHECK(queue.totals().held_messages == 1);
    CHECK(queue.totals().deferred_recipients == 0);
    CHECK(queue.totals().ready_recipients == 0);

    queue.record({HoldMessage{QueueId{1}, false}});

    CHECK(!queue.find(1).held);
    CHECK(queue.find(1).recipients[0].state == RecipientState::ready);
    CHECK(queue.find(1).recipients[1].state == RecipientState::ready);
    CHECK(queue.find(1).recipients[2].state == RecipientState::delivered);
    CHECK(queue.ready() == Ids{1});
    CHECK(queue.totals().held_messages == 0);
    CHECK(queue.totals().ready_recipients == 2);
}

QUEUE_TEST("failed recipients are unreported until the report is committed") {
    Queue<TestType> queue;
    queue.commit(1, {"a@contoso.com", "b@contoso.com"});
    queue.record(
        {change_to(1, RecipientState::failed, 0), change_to(1, RecipientState::failed, 1)});
    REQUIRE(queue.unreported() == Ids{1});

    queue.run(queue.store().commit_report(make_submission(2), {QueueId{1}, {0}})).value();
    CHECK(queue.unreported() == Ids{1});
    CHECK(queue.find(1).recipients[0].reported);
    CHECK(!queue.find(1).recipients[1].reported);
    queue.run(queue.store().commit_report(make_submission(3), {QueueId{1}, {1}})).value();

    CHECK(queue.unreported().empty());
    CHECK(queue.ready() == Ids{2, 3});
    CHECK(queue.totals().messages == 3);
}

QUEUE_TEST("delivered recipients whose report is owed are unreported until it is committed") {
    Queue<TestType> queue;
    queue.commit(1, {"a@contoso.com", "b@contoso.com"});
    auto nothing_owed = change_to(1, RecipientState::delivered, 1);
    nothing_owed.reported = true;
    queue.record({change_to(1, RecipientState::delivered, 0), nothing_owed});
    REQUIRE(queue.unreported() == Ids{1});

    queue.run(queue.store().commit_report(make_submission(2), {QueueId{1}, {0}})).value();

    CHECK(queue.unreported().empty());
    CHECK(queue.find(1).recipients[0].reported);
    CHECK(queue.find(1).recipients[0].state == RecipientState::delivered);
}

QUEUE_TEST("a recipient whose time has come is ready and out of its queue") {
    Queue<TestType> queue;
    queue.commit(1);
    queue.record({defer(1, kContoso, after_minutes(60))});
    REQUIRE(queue.ready().empty());

    queue.record({change_to(1, RecipientState::ready)});

    CHECK(queue.ready() == Ids{1});
    CHECK(queue.hops().empty());
    CHECK(queue.totals().deferred_recipients == 0);
    CHECK(queue.totals().ready_recipients == 1);
}

QUEUE_TEST("a delay report marks the recipient and leaves it waiting") {
    Queue<TestType> queue;
    queue.commit(1);
    queue.record({defer(1, kContoso, after_minutes(1))});

    queue.run(queue.store().commit_report(make_submission(2), {QueueId{1}, {0}, true})).value();

    CHECK(queue.find(1).recipients[0].delay_notified);
    CHECK(!queue.find(1).recipients[0].reported);
    CHECK(queue.find(1).recipients[0].state == RecipientState::deferred);
}

QUEUE_TEST("a report whose id is taken marks nothing") {
    Queue<TestType> queue;
    queue.commit(1);
    queue.record({change_to(1, RecipientState::failed)});

    const auto refused =
        queue.run(queue.store().commit_report(make_submission(1), {QueueId{1}, {0}}));

    CHECK(refused.has_error());
    CHECK(queue.unreported() == Ids{1});
}

QUEUE_TEST("a failure that owes no report is reported at once") {
    Queue<TestType> queue;
    queue.commit(1);
    auto change = change_to(1, RecipientState::failed);
    change.reported = true;

    queue.record({change});

    CHECK(queue.unreported().empty());
    CHECK(queue.find(1).recipients[0].reported);
}

QUEUE_TEST("a retired message is gone with all it counted for") {
    Queue<TestType> queue;
    queue.commit(1, {"a@contoso.com", "b@contoso.com"});
    queue.commit(2);
    queue.record({defer(1, kContoso, after_minutes(1), 0), defer(2, kContoso, after_minutes(1))});

    queue.record({change_to(1, RecipientState::delivered, 1), RetireMessage{QueueId{1}}});

    CHECK(!queue.exists(1));
    CHECK(queue.hops()[0].deferred == 1);
    CHECK(queue.due(kContoso, after_minutes(1)) == Ids{2});
    CHECK(queue.totals().messages == 1);
    CHECK(queue.totals().deferred_recipients == 1);
    CHECK(queue.totals().ready_recipients == 0);
}

QUEUE_TEST("a removed message takes its ready recipients out of the count") {
    Queue<TestType> queue;
    queue.commit(1, {"a@contoso.com", "b@contoso.com"});
    queue.commit(2);
    REQUIRE(queue.totals().ready_recipients == 3);

    queue.record({RetireMessage{QueueId{1}}});

    CHECK(queue.totals().ready_recipients == 1);
}

QUEUE_TEST("changes to messages that are gone change nothing") {
    Queue<TestType> queue;
    queue.commit(1);

    queue.record(
        {RetireMessage{QueueId{8}},
         HoldMessage{QueueId{8}, true},
         defer(8, kContoso, after_minutes(1)),
         change_to(8, RecipientState::delivered)});

    CHECK(queue.totals().messages == 1);
    CHECK(queue.totals().held_messages == 0);
    CHECK(queue.hops().empty());
}

QUEUE_TEST("all messages are listed between two ids") {
    Queue<TestType> queue;
    for (const std::uint64_t id : {1U, 2U, 3U, 4U}) {
        queue.commit(id);
    }

    CHECK(
        queue.ids(queue.run(queue.store().messages_after(QueueId{1}, QueueId{4}, 9))) == Ids{2, 3});
    CHECK(queue.ids(queue.run(queue.store().messages_after(kNone, kNoEnd, 9))) == Ids{1, 2, 3, 4});
    CHECK(queue.ids(queue.run(queue.store().messages_after(kNone, kNoEnd, 2))) == Ids{1, 2});
    CHECK(queue.ids(queue.run(queue.store().messages_after(kNoEnd, kNoEnd, 2))).empty());
}

QUEUE_TEST("the messages of one queue are listed by id") {
    Queue<TestType> queue;
    queue.commit(1);
    queue.commit(2, {"a@contoso.com", "b@contoso.com"});
    queue.commit(3);
    queue.record(
        {defer(1, kContoso, after_minutes(9)),
         defer(2, kContoso, after_minutes(1), 0),
         defer(2, kContoso, after_minutes(2), 1),
         defer(3, kFabrikam, after_minutes(1))});

    CHECK(queue.ids(queue.run(queue.store().messages_of_hop(kContoso, kNone, 9))) == Ids{1, 2});
    CHECK(queue.ids(queue.run(queue.store().messages_of_hop(kContoso, QueueId{1}, 9))) == Ids{2});
    CHECK(queue.ids(queue.run(queue.store().messages_of_hop(kContoso, kNone, 1))) == Ids{1});
}

QUEUE_TEST("totals follow every change") {
    Queue<TestType> queue;
    queue.commit(1, {"a@contoso.com", "b@contoso.com"});
    queue.commit(2);
    queue.record(
        {defer(1, kContoso, after_minutes(1), 0), defer(1, kFabrikam, after_minutes(1), 1)});
    CHECK(queue.totals().deferred_recipients == 2);
    CHECK(queue.totals().ready_recipients == 1);

    queue.record({change_to(1, RecipientState::delivered, 0)});

    CHECK(queue.totals().messages == 2);
    CHECK(queue.totals().deferred_recipients == 1);
    CHECK(queue.totals().ready_recipients == 1);
    CHECK(queue.hops().size() == 1);
}

QUEUE_TEST("flush succeeds with and without something recorded") {
    Queue<TestType> queue;
    queue.commit(1);

    CHECK(queue.run(queue.store().flush()));
    queue.record({defer(1, kContoso, after_minutes(1))});
    CHECK(queue.run(queue.store().flush()));
}

}  // namespace mailflow

#include "transport/queue/report_rules.hpp"

#include "tests/support/memory_directory.hpp"
#include "tests/support/run_task.hpp"
#include "transport/queue/categorize.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

constexpr auto kNever = static_cast<std::uint8_t>(NotifyOn::never);
constexpr auto kSuccess = static_cast<std::uint8_t>(NotifyOn::success);
constexpr auto kFailure = static_cast<std::uint8_t>(NotifyOn::failure);
constexpr auto kDelay = static_cast<std::uint8_t>(NotifyOn::delay);

const UtcTime kAccepted{Duration(1'700'000'000'000)};
const RetrySchedule kSchedule{TransportSettings()};
const EnhancedStatus kUnknown{5, 1, 1};

Organization::Parts parts() {
    Organization::Parts made;
    made.accepted_domains.push_back(
        {"contoso.com",
         DomainName::parse("contoso.com").value(),
         false,
         AcceptedDomainType::authoritative,
         true});
    return made;
}

const Organization kOrganization{parts()};

QueuedRecipient recipient(std::uint8_t notify) {
    return {
        .number = 0,
        .address = EmailAddress::parse("carol@example.org").value(),
        .original = {},
        .mailbox = {},
        .next_hop = {},
        .last = std::nullopt,
        .dsn = {.notify = notify, .original_recipient = {}}};
}

QueuedMessage message(bool has_sender = true) {
    QueuedMessage made;
    made.accepted = kAccepted;
    if (has_sender) {
        made.envelope.reverse_path = ReversePath::parse("<alice@contoso.com>").value();
    }
    return made;
}

QueuedMessage by(std::int32_t seconds, bool return_late, bool trace = false) {
    auto made = message();
    made.envelope.deliver_by = DeliverBy{seconds, return_late, trace};
    return made;
}

UtcTime after(Duration time) {
    return kAccepted + time;
}

// To somebody of ours who does not exist.
Categorized categorized(
    std::string_view sender,
    std::uint8_t notify,
    DoubleBounce rule = DoubleBounce::postmaster,
    bool report_of_ours = false) {
    auto changed = parts();
    changed.transport.double_bounce = rule;
    auto organization = std::make_shared<const Organization>(std::move(changed));
    CategorizeRequest request;
    request.sender.path = ReversePath::parse("<" + std::string(sender) + ">").value();
    request.sender.is_own_report = report_of_ours;
    request.recipients.push_back(
        {ForwardPath::parse("<nobody@contoso.com>").value(),
         {.notify = notify, .original_recipient = {}},
         {}});
    MemoryDirectory directory;
    TestLane test;
    auto made = test.run(categorize(directory, std::move(organization), std::move(request)));
    REQUIRE(made.value().recipients.size() == 1);
    REQUIRE(made->recipients[0].state == RecipientState::failed);
    return *std::move(made);
}

}  // namespace

TEST_CASE("RFC 3461 §4.1: NOTIFY says which reports are owed", "[queue][report]") {
    struct Row {
        std::uint8_t notify;
        bool failure, delivered, relayed, delay;
    };

    const Row table[] = {
        {0, true, false, false, true},  // not given: failure and delay
        {kNever, false, false, false, false},
        {kSuccess, false, true, true, false},
        {kFailure, true, false, false, false},
        {kDelay, false, false, false, true},
        {kSuccess | kFailure | kDelay, true, true, true, true},
    };
    for (const auto& row : table) {
        INFO("notify " << int{row.notify});
        const auto one = recipient(row.notify);
        const auto from_alice = message();
        const auto from_nobody = message(false);

        CHECK(owes_failure(from_alice, one, kUnknown, kOrganization) == row.failure);
        CHECK(
            owes_success(from_alice, one, DeliveryAction::delivered, {}, kOrganization) ==
            row.delivered);
        CHECK(
            owes_success(from_alice, one, DeliveryAction::relayed, {}, kOrganization) ==
            row.relayed);
        CHECK(
            owes_delay_notice(
                from_alice, one, kSchedule, after(std::chrono::hours(4)), kOrganization) ==
            row.delay);
        CHECK_FALSE(
            owes_success(from_alice, one, DeliveryAction::relayed, {.dsn = true}, kOrganization));

        CHECK_FALSE(owes_success(from_nobody, one, DeliveryAction::delivered, {}, kOrganization));
        CHECK_FALSE(owes_delay_notice(
            from_nobody, one, kSchedule, after(std::chrono::hours(9)), kOrganization));
    }
}

TEST_CASE("RFC 2852 §4: relaying is told where nobody else tells the rest", "[queue][report]") {
    struct Row {
        std::uint8_t notify;
        bool trace;
        PassedOn passed_on;
        bool is_owed;
    };

    const Row table[] = {
        {0, false, {.dsn = true, .deliver_by = true}, false},
        {0, false, {.dsn = true, .deliver_by = false}, true},
        {0, true, {.dsn = true, .deliver_by = true}, true},
        {kFailure, true, {.dsn = true, .deliver_by = true}, true},
        {kNever, true, {.dsn = false, .deliver_by = false}, false},
    };
    for (const auto& row : table) {
        const auto late_goes_on = by(60, false, row.trace);
        CHECK(
            owes_success(
                late_goes_on,
                recipient(row.notify),
                DeliveryAction::relayed,
                row.passed_on,
                kOrganization) == row.is_owed);
        CHECK_FALSE(owes_success(
            late_goes_on, recipient(row.notify), DeliveryAction::delivered, {}, kOrganization));
    }
}

TEST_CASE("RFC 2852 §4: the time to deliver by is when it is late", "[queue][report]") {
    using std::chrono::hours;
    using std::chrono::seconds;
    const auto notify = by(60, false);
    const auto give_back = by(60, true);

    CHECK_FALSE(
        owes_delay_notice(notify, recipient(0), kSchedule, after(seconds(59)), kOrganization));
    CHECK(owes_delay_notice(notify, recipient(0), kSchedule, after(seconds(60)), kOrganization));
    CHECK(owes_delay_notice(
        notify, recipient(kFailure), kSchedule, after(seconds(60)), kOrganization));
    CHECK_FALSE(
        owes_delay_notice(notify, recipient(kNever), kSchedule, after(seconds(60)), kOrganization));
    // One notice, at the time the sender set.
    CHECK_FALSE(owes_delay_notice(
        by(36'000, false), recipient(0), kSchedule, after(hours(5)), kOrganization));
    CHECK(owes_delay_notice(by(-5, false), recipient(0), kSchedule, kAccepted, kOrganization));

    CHECK_FALSE(must_return(give_back, after(seconds(59))));
    CHECK(must_return(give_back, after(seconds(60))));
    CHECK_FALSE(must_return(notify, after(hours(5))));
    CHECK_FALSE(must_return(message(), after(hours(500))));
}

TEST_CASE("the readers of a report are the sender and the postmaster", "[queue][report]") {
    auto made = parts();
    made.transport.generate_copy_of_dsn_for = {kUnknown};
    made.remote_domains.push_back({.name = "Default", .domain = std::nullopt});
    made.remote_domains[0].ndr_enabled = false;
    made.remote_domains[0].ndr_diagnostic_info_enabled = false;
    const Organization organization(made);
    made.transport.double_bounce = DoubleBounce::drop;
    const Organization dropping(made);
    auto from_outside = message();
    from_outside.envelope.reverse_path = ReversePath::parse("<a@example.net>").value();
    const auto one = recipient(0);
    const auto of = [&](DsnKind kind, const QueuedMessage& about, EnhancedStatus status) {
        return readers_of(kind, about, one, status, organization);
    };

    // Our own domains have no switches.
    CHECK(of(DsnKind::failed, message(), {5, 2, 2}) == ReportReaders{true, false});
    CHECK(of(DsnKind::failed, message(), kUnknown) == ReportReaders{true, true});
    CHECK(of(DsnKind::failed, from_outside, kUnknown) == ReportReaders{false, true});
    CHECK_FALSE(of(DsnKind::delayed, from_outside, {4, 4, 1}).any());
    CHECK(of(DsnKind::delivered, from_outside, kUnknown) == ReportReaders{true, false});
    CHECK(of(DsnKind::failed, message(false), {5, 2, 2}) == ReportReaders{false, true});
    CHECK_FALSE(of(DsnKind::delayed, message(false), kUnknown).any());
    CHECK_FALSE(of(DsnKind::delivered, message(false), {}).any());
    CHECK_FALSE(readers_of(DsnKind::failed, message(false), one, kUnknown, dropping).any());
    CHECK_FALSE(
        readers_of(DsnKind::failed, message(), recipient(kNever), kUnknown, organization).any());
    CHECK(shows_diagnostics(message().envelope.reverse_path, organization));
    CHECK_FALSE(shows_diagnostics(from_outside.envelope.reverse_path, organization));
    CHECK(owes_failure(message(false), one, kUnknown, organization));
    CHECK_FALSE(owes_failure(message(false), recipient(kNever), kUnknown, organization));
}

TEST_CASE("RFC 4865: a message that is released later ages from then on", "[queue][report]") {
    using std::chrono::hours;
    auto later = message();
    later.envelope.release = after(hours(24));

    CHECK_FALSE(owes_delay_notice(later, recipient(0), kSchedule, after(hours(27)), kOrganization));
    CHECK(owes_delay_notice(later, recipient(0), kSchedule, after(hours(28)), kOrganization));
}

TEST_CASE("What fails when it is categorized is owed as any failure is", "[queue][report]") {
    struct Row {
        const char* sender;
        std::uint8_t notify;
        DoubleBounce rule;
        bool is_owed;
    };

    const Row table[] = {
        {"alice@contoso.com", 0, DoubleBounce::drop, true},
        {"alice@contoso.com", kDelay, DoubleBounce::postmaster, false},
        {"alice@contoso.com", kNever, DoubleBounce::postmaster, false},
        // RFC 5321 §6.1: nobody sent it; the postmaster hears of it where he wants to.
        {"", 0, DoubleBounce::postmaster, true},
        {"", kNever, DoubleBounce::postmaster, false},
        {"", 0, DoubleBounce::drop, false},
    };
    for (const auto& [sender, notify, rule, is_owed] : table) {
        INFO(sender << " " << int{notify});

        const auto made = categorized(sender, notify, rule);

        CHECK(made.recipients[0].reported != is_owed);
        CHECK(made.is_over() != is_owed);
    }
    // Of our own reports too; the postmaster's notices are NOTIFY=NEVER.
    CHECK_FALSE(categorized("", 0, DoubleBounce::postmaster, true).is_over());
    CHECK(categorized("", kNever, DoubleBounce::postmaster, true).is_over());
}

}  // namespace mailflow

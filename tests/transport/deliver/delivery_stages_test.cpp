// Everything a host can do at every stage, and what follows; TLS, log-in and error policies.
#include "transport/base/error.hpp"
#include "transport/deliver/delivery_decision.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace mailflow;

namespace {

using Stage = DeliveryStage;

const RemoteHost kHost{"mx.fabrikam.com", "192.0.2.1:25"};

RemoteReply reply(std::uint16_t code, const char* enhanced = "") {
    const auto status = EnhancedStatus::parse(enhanced);
    return {code, status.value_or(EnhancedStatus{}), std::to_string(code) + " " + enhanced};
}

// `next/hop`: another host may do, else the next hop waits.
std::string text_of(DeliveryVerdict verdict) {
    switch (verdict) {
        case DeliveryVerdict::delivered: return "on";
        case DeliveryVerdict::retry_recipient: return "recipient";
        case DeliveryVerdict::retry_hop: return "hop";
        case DeliveryVerdict::try_next_host: return "next";
        case DeliveryVerdict::fail: break;
    }
    return "fail";
}

std::string text_of(const Judgement& judgement) {
    return judgement.verdict == judgement.when_exhausted
               ? text_of(judgement.verdict)
               : text_of(judgement.verdict) + "/" + text_of(judgement.when_exhausted);
}

}  // namespace

TEST_CASE("every reply, close and stall at every stage has its verdict", "[deliver][decision]") {
    struct Row {
        Stage stage;
        const char* good;  // 354 at DATA, 250 elsewhere
        const char* temporary;
        const char* permanent;
        const char* closing;  // 421
        const char* out_of_place;
        const char* garbage;
        const char* closed;
        const char* stalled;
    };

    const auto row = GENERATE(values<Row>({
        {Stage::greeting,
         "on",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop"},
        {Stage::ehlo,
         "on",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop"},
        {Stage::starttls,
         "on",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop"},
        {Stage::handshake,
         "on",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop"},
        {Stage::auth,
         "on",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop",
         "next/hop"},
        {Stage::mail,
         "on",
         "next/recipient",
         "fail",
         "next/hop",
         "next/recipient",
         "next/recipient",
         "next/recipient",
         "next/recipient"},
        {Stage::rcpt,
         "on",
         "recipient",
         "fail",
         "next/hop",
         "next/recipient",
         "next/recipient",
         "next/recipient",
         "next/recipient"},
        {Stage::data,
         "on",
         "recipient",
         "fail",
         "next/hop",
         "next/recipient",
         "next/recipient",
         "next/recipient",
         "next/recipient"},
        {Stage::final_dot,
         "on",
         "recipient",
         "fail",
         "hop",
         "next/recipient",
         "recipient",
         "recipient",
         "recipient"},
        {Stage::connection_lost_after_dot,
         "on",
         "recipient",
         "fail",
         "next/hop",
         "next/recipient",
         "recipient",
         "recipient",
         "recipient"},
    }));
    const std::uint16_t good = row.stage == Stage::data ? 354 : 250;
    const std::uint16_t out_of_place = row.stage == Stage::data ? 250 : 354;
    INFO("stage " << static_cast<int>(row.stage));

    CHECK(text_of(judge_reply(row.stage, reply(good), kHost)) == row.good);
    CHECK(text_of(judge_reply(row.stage, reply(451, "4.3.0"), kHost)) == row.temporary);
    CHECK(text_of(judge_reply(row.stage, reply(550, "5.7.1"), kHost)) == row.permanent);
    CHECK(text_of(judge_reply(row.stage, reply(421, "4.3.2"), kHost)) == row.closing);
    CHECK(text_of(judge_reply(row.stage, reply(out_of_place), kHost)) == row.out_of_place);
    CHECK(text_of(judge_error(row.stage, Error::syntax, kHost)) == row.garbage);
    CHECK(text_of(judge_error(row.stage, Error::end_of_stream, kHost)) == row.closed);
    CHECK(text_of(judge_error(row.stage, Error::timed_out, kHost)) == row.stalled);
}

TEST_CASE("TLS that was demanded and not had has Exchange's codes", "[deliver][decision][tls]") {
    struct Row {
        TlsSource source;
        TlsResultType type;
        EnhancedStatus status;
        DeliveryVerdict when_exhausted;
    };

    using Type = TlsResultType;
    constexpr auto kHop = DeliveryVerdict::retry_hop;
    const auto row = GENERATE(values<Row>({
        {TlsSource::connector, Type::starttls_not_supported, {4, 7, 10}, kHop},
        {TlsSource::connector, Type::certificate_not_trusted, {4, 7, 5}, kHop},
        {TlsSource::connector, Type::certificate_host_mismatch, {4, 7, 5}, kHop},
        {TlsSource::dane, Type::starttls_not_supported, {4, 7, 321}, kHop},
        {TlsSource::dane, Type::certificate_expired, {4, 7, 322}, kHop},
        {TlsSource::dane, Type::tlsa_invalid, {4, 7, 323}, kHop},
        {TlsSource::dane, Type::dnssec_invalid, {4, 7, 324}, kHop},
        {TlsSource::dane, Type::certificate_host_mismatch, {4, 7, 325}, kHop},
        {TlsSource::mta_sts, Type::certificate_host_mismatch, {4, 7, 325}, kHop},
        {TlsSource::mta_sts, Type::certificate_not_trusted, {4, 7, 5}, kHop},
        {TlsSource::message, Type::starttls_not_supported, {5, 7, 10}, DeliveryVerdict::fail},
        {TlsSource::message, Type::validation_failure, {5, 7, 10}, DeliveryVerdict::fail},
    }));

    const auto judgement = judge_tls(row.source, row.type, "why", kHost);

    CHECK(judgement.verdict == DeliveryVerdict::try_next_host);
    CHECK(judgement.when_exhausted == row.when_exhausted);
    CHECK(judgement.status.status == row.status);
    CHECK(judgement.status.diagnostic.find(row.status.text()) != std::string::npos);
    CHECK(judgement.status.diagnostic.find(to_text(row.type)) != std::string::npos);
}

TEST_CASE("reference 1.1: error policies move verdicts both ways", "[deliver][decision]") {
    ErrorPolicies policies;
    policies.downgrade_replies = {"5.7.1", "521"};
    policies.upgrade_replies = {"451", "452 4.2.2"};
    const auto judged = [&](Stage stage, const RemoteReply& said) {
        return obey(policies, said, judge_reply(stage, said, kHost));
    };

    CHECK(text_of(judged(Stage::rcpt, reply(550, "5.7.1"))) == "recipient");
    CHECK(judged(Stage::rcpt, reply(550, "5.7.1")).status.status == EnhancedStatus{4, 7, 1});
    CHECK(text_of(judged(Stage::greeting, reply(521))) == "next/hop");
    CHECK(text_of(judged(Stage::rcpt, reply(550, "5.1.1"))) == "fail");
    CHECK(text_of(judged(Stage::rcpt, reply(451, "4.7.1"))) == "fail");
    CHECK(judged(Stage::rcpt, reply(451, "4.7.1")).status.action == DeliveryAction::failed);
    CHECK(text_of(judged(Stage::rcpt, reply(452, "4.2.2"))) == "fail");
    CHECK(text_of(judged(Stage::rcpt, reply(452, "4.5.3"))) == "recipient");
    CHECK(text_of(judged(Stage::final_dot, reply(250))) == "on");
}

TEST_CASE(
    "reference 1.1: what the DNS says for ever is tried again where it is asked for",
    "[deliver][decision]") {
    const auto failure =
        GENERATE(OwnFailure::nonexistent_domain, OwnFailure::null_mx, OwnFailure::no_hosts);
    ErrorPolicies policies;

    CHECK(text_of(obey(policies, failure, judge_own(failure))) == "fail");
    policies.downgrade_dns_failures = true;
    CHECK(text_of(obey(policies, failure, judge_own(failure))) == "hop");
    const auto loop = OwnFailure::mx_loopback;
    CHECK(text_of(obey(policies, loop, judge_own(loop))) == "fail");
}

#include "transport/deliver/delivery_decision.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

namespace {

using Stage = DeliveryStage;
using Verdict = DeliveryVerdict;

const RemoteHost kHost{"mx1.example.org", "192.0.2.1:25"};

RemoteReply reply(std::uint16_t code, const char* enhanced, std::string words = "words") {
    const auto status = EnhancedStatus::parse(enhanced);
    const std::string middle = status ? std::string(enhanced) + " " : std::string();
    return {code, status.value_or(EnhancedStatus{}), std::to_string(code) + " " + middle + words};
}

}  // namespace

TEST_CASE("A reply is judged by stage and code", "[deliver][decision]") {
    struct Row {
        Stage stage;
        std::uint16_t code;
        const char* enhanced;
        Verdict verdict;
        Verdict when_exhausted;
        const char* status;
    };

    const Row table[] = {
        // Success: 354 after DATA, 2yz elsewhere.
        {Stage::greeting, 220, "", Verdict::delivered, Verdict::delivered, "2.0.0"},
        {Stage::rcpt, 250, "2.1.5", Verdict::delivered, Verdict::delivered, "2.1.5"},
        {Stage::rcpt, 251, "", Verdict::delivered, Verdict::delivered, "2.0.0"},
        {Stage::data, 354, "", Verdict::delivered, Verdict::delivered, "2.0.0"},
        {Stage::final_dot, 250, "2.6.0", Verdict::delivered, Verdict::delivered, "2.6.0"},
        // Before MAIL: the host's trouble, another one may do.
        {Stage::greeting, 450, "4.7.1", Verdict::try_next_host, Verdict::retry_hop, "4.7.1"},
        {Stage::greeting, 421, "4.3.2", Verdict::try_next_host, Verdict::retry_hop, "4.3.2"},
        {Stage::greeting, 554, "5.7.1", Verdict::try_next_host, Verdict::retry_hop, "4.7.1"},
        {Stage::greeting, 521, "", Verdict::try_next_host, Verdict::fail, "5.0.0"},
        {Stage::greeting, 556, "5.1.10", Verdict::try_next_host, Verdict::fail, "5.1.10"},
        {Stage::ehlo, 550, "", Verdict::try_next_host, Verdict::retry_hop, "4.0.0"},
        {Stage::ehlo, 521, "5.3.2", Verdict::try_next_host, Verdict::fail, "5.3.2"},
        // The message or the recipient.
        {Stage::mail, 451, "4.3.0", Verdict::try_next_host, Verdict::retry_recipient, "4.3.0"},
        {Stage::mail, 552, "5.3.4", Verdict::fail, Verdict::fail, "5.3.4"},
        {Stage::rcpt, 451, "4.7.1", Verdict::retry_recipient, Verdict::retry_recipient, "4.7.1"},
        {Stage::rcpt, 550, "5.1.1", Verdict::fail, Verdict::fail, "5.1.1"},
        {Stage::rcpt, 550, "", Verdict::fail, Verdict::fail, "5.0.0"},
        {Stage::rcpt, 552, "5.2.2", Verdict::fail, Verdict::fail, "5.2.2"},
        {Stage::data, 451, "", Verdict::retry_recipient, Verdict::retry_recipient, "4.0.0"},
        {Stage::data, 554, "5.5.1", Verdict::fail, Verdict::fail, "5.5.1"},
        {Stage::final_dot,
         452,
         "4.3.1",
         Verdict::retry_recipient,
         Verdict::retry_recipient,
         "4.3.1"},
        {Stage::final_dot, 554, "5.6.0", Verdict::fail, Verdict::fail, "5.6.0"},
        // 421 anywhere is a retry and nothing worse.
        {Stage::mail, 421, "", Verdict::try_next_host, Verdict::retry_hop, "4.0.0"},
        {Stage::rcpt, 421, "4.4.5", Verdict::try_next_host, Verdict::retry_hop, "4.4.5"},
        {Stage::data, 421, "", Verdict::try_next_host, Verdict::retry_hop, "4.0.0"},
        {Stage::final_dot, 421, "", Verdict::retry_hop, Verdict::retry_hop, "4.0.0"},
        // An enhanced code that contradicts its reply is not believed.
        {Stage::rcpt, 550, "4.1.1", Verdict::fail, Verdict::fail, "5.0.0"},
        {Stage::rcpt, 451, "5.1.1", Verdict::retry_recipient, Verdict::retry_recipient, "4.0.0"},
        // A host that lost its place.
        {Stage::data, 250, "", Verdict::try_next_host, Verdict::retry_recipient, "4.5.0"},
        {Stage::greeting, 354, "", Verdict::try_next_host, Verdict::retry_hop, "4.5.0"},
        {Stage::mail, 199, "", Verdict::try_next_host, Verdict::retry_recipient, "4.5.0"},
    };

    for (const auto& row : table) {
        INFO("stage " << static_cast<int>(row.stage) << ", " << row.code << " " << row.enhanced);
        const auto judged = judge_reply(row.stage, reply(row.code, row.enhanced), kHost);
        CHECK(judged.verdict == row.verdict);
        CHECK(judged.when_exhausted == row.when_exhausted);
        CHECK(judged.status.status.text() == row.status);
        CHECK(judged.status.by_remote);
    }
}

TEST_CASE(
    "The status carries the host's words, verbatim, on one line and bounded",
    "[deliver][decision]") {
    const auto plain =
        judge_reply(Stage::rcpt, reply(550, "5.1.1", "User <x@y> unknown"), kHost).status;
    const auto wild =
        judge_reply(Stage::rcpt, reply(550, "", "a\r\nb\tc" + std::string(5000, 'x')), kHost)
            .status;

    CHECK(plain.action == DeliveryAction::failed);
    CHECK(plain.diagnostic == "550 5.1.1 User <x@y> unknown");
    CHECK(plain.remote_mta == "mx1.example.org");
    CHECK(plain.remote_address == "192.0.2.1:25");
    CHECK(wild.diagnostic.starts_with("550 a  b cxxx"));
    CHECK(wild.diagnostic.size() == 1000);
}

TEST_CASE(
    "552 on RCPT is temporary only when it means too many recipients", "[deliver][decision]") {
    auto full = reply(552, "5.5.3");
    const auto refused = judge_reply(Stage::rcpt, full, kHost);
    full.means_too_many_recipients = true;
    const auto later = judge_reply(Stage::rcpt, full, kHost);
    const auto at_the_end = judge_reply(Stage::final_dot, full, kHost);

    CHECK(refused.verdict == Verdict::fail);
    CHECK(later.verdict == Verdict::retry_recipient);
    CHECK(later.status.action == DeliveryAction::delayed);
    CHECK(later.status.status.text() == "4.5.3");
    CHECK(at_the_end.verdict == Verdict::fail);
}

TEST_CASE("An error is judged by stage", "[deliver][decision]") {
    struct Row {
        Stage stage;
        ErrorCode error;
        Verdict verdict;
        Verdict when_exhausted;
        const char* status;
        const char* words;
    };

    const auto refused = make_error_code(boost::system::errc::connection_refused);
    const Row table[] = {
        {Stage::dns, Error::timed_out, Verdict::retry_hop, Verdict::retry_hop, "4.4.3", "DNS"},
        {Stage::connect,
         Error::timed_out,
         Verdict::try_next_host,
         Verdict::retry_hop,
         "4.4.1",
         "Connection timed out"},
        {Stage::connect,
         refused,
         Verdict::try_next_host,
         Verdict::retry_hop,
         "4.4.1",
         "Connection refused"},
        {Stage::connect,
         Error::refused_target,
         Verdict::try_next_host,
         Verdict::fail,
         "5.4.4",
         "never connected"},
        {Stage::greeting,
         Error::timed_out,
         Verdict::try_next_host,
         Verdict::retry_hop,
         "4.4.1",
         "greeting"},
        {Stage::ehlo,
         Error::end_of_stream,
         Verdict::try_next_host,
         Verdict::retry_hop,
         "4.4.2",
         "Connection dropped"},
        {Stage::ehlo,
         Error::syntax,
         Verdict::try_next_host,
         Verdict::retry_hop,
         "4.5.0",
         "Invalid reply"},
        {Stage::mail,
         Error::end_of_stream,
         Verdict::try_next_host,
         Verdict::retry_recipient,
         "4.4.2",
         "MAIL"},
        {Stage::rcpt,
         Error::timed_out,
         Verdict::try_next_host,
         Verdict::retry_recipient,
         "4.4.1",
         "RCPT"},
        {Stage::data,
         Error::end_of_stream,
         Verdict::try_next_host,
         Verdict::retry_recipient,
         "4.4.2",
         "message"},
        {Stage::final_dot,
         Error::timed_out,
         Verdict::retry_recipient,
         Verdict::retry_recipient,
         "4.4.1",
         "end of data"},
        {Stage::connection_lost_after_dot,
         Error::end_of_stream,
         Verdict::retry_recipient,
         Verdict::retry_recipient,
         "4.4.2",
         "end of data"},
        {Stage::data,
         Error::cancelled,
         Verdict::retry_recipient,
         Verdict::retry_recipient,
         "4.3.2",
         "Stopped"},
        {Stage::local,
         Error::disk_full,
         Verdict::retry_hop,
         Verdict::retry_hop,
         "4.3.1",
         "Insufficient system resources"},
        {Stage::local,
         make_error_code(boost::system::errc::no_space_on_device),
         Verdict::retry_hop,
         Verdict::retry_hop,
         "4.3.1",
         "Insufficient"},
        {Stage::local,
         make_error_code(boost::system::errc::permission_denied),
         Verdict::retry_recipient,
         Verdict::retry_recipient,
         "4.2.0",
         "Permission denied"},
    };

    for (const auto& row : table) {
        INFO("stage " << static_cast<int>(row.stage) << ", " << row.error.message());
        const auto judged = judge_error(row.stage, row.error, kHost);
        CHECK(judged.verdict == row.verdict);
        CHECK(judged.when_exhausted == row.when_exhausted);
        CHECK(judged.status.status.text() == row.status);
        CHECK_THAT(judged.status.diagnostic, Catch::Contains(row.words));
        CHECK_FALSE(judged.status.by_remote);
    }
}

TEST_CASE("Every own failure has a verdict, a code and words that agree", "[deliver][decision]") {
    for (int i = 0; i <= static_cast<int>(OwnFailure::mailbox_gone); ++i) {
        INFO("failure " << i);
        const auto judged = judge_own(static_cast<OwnFailure>(i));
        const auto& status = judged.status;
        const bool is_failure = judged.when_exhausted == Verdict::fail;
        CHECK((judged.verdict == judged.when_exhausted || is_failure));
        CHECK_THAT(status.diagnostic, Catch::Contains(" " + status.status.text() + " "));
        CHECK((status.status.klass == 5) == is_failure);
        CHECK((status.action == DeliveryAction::failed) == is_failure);
        CHECK(status.diagnostic.front() == static_cast<char>('0' + status.status.klass));
    }
}

TEST_CASE("The documented texts are exact", "[deliver][decision]") {
    CHECK(
        judge_own(OwnFailure::nonexistent_domain).status.diagnostic ==
        "554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain");
    CHECK(judge_own(OwnFailure::null_mx).status.diagnostic.starts_with("556 5.1.10 "));
    CHECK(judge_own(OwnFailure::dns_temporary, "SERVFAIL from 127.0.0.1:53")
              .status.diagnostic.ends_with("; SERVFAIL from 127.0.0.1:53"));
    CHECK(
        unreachable_status().diagnostic ==
        "A matching connector cannot be found to route the external recipient");
    CHECK(delivered_locally().status.action == DeliveryAction::delivered);
}

TEST_CASE("Fact 18: expiry is 550 with 4.4.7, and keeps the last words", "[deliver][decision]") {
    const auto last = judge_reply(Stage::rcpt, reply(451, "4.7.1", "Greylisted"), kHost).status;

    const auto alone = expired(std::nullopt);
    const auto with_words = expired(last);

    CHECK(alone.action == DeliveryAction::failed);
    CHECK(alone.status.text() == "4.4.7");
    CHECK(alone.diagnostic == "550 4.4.7 QUEUE.Expired; message expired");
    CHECK(
        with_words.diagnostic ==
        "550 4.4.7 QUEUE.Expired; message expired; last error: 451 4.7.1 Greylisted");
    CHECK(with_words.remote_mta == "mx1.example.org");
    CHECK_FALSE(with_words.by_remote);
}

TEST_CASE(
    "When all hosts are tried, permanent stands only if every host said so",
    "[deliver][decision]") {
    const auto gone = judge_reply(Stage::greeting, reply(521, ""), kHost);
    const auto busy = judge_reply(Stage::greeting, reply(554, "5.7.1", "busy"), kHost);
    const auto down =
        judge_error(Stage::connect, Error::timed_out, {"mx2.example.org", "192.0.2.2:25"});
    const auto no_space = judge_reply(Stage::mail, reply(452, "4.3.1", "no space"), kHost);

    CHECK(judge_exhausted(std::vector{gone, gone}).verdict == Verdict::fail);
    CHECK(judge_exhausted(std::vector{busy, gone}).verdict == Verdict::retry_hop);
    CHECK(judge_exhausted(std::vector{busy, down}).status == down.status);
    CHECK(judge_exhausted(std::vector{no_space, down}).verdict == Verdict::retry_recipient);
    CHECK(judge_exhausted(std::vector{no_space, down}).status.diagnostic == "452 4.3.1 no space");
    CHECK(judge_exhausted(std::vector{gone}).status.action == DeliveryAction::failed);
}

TEST_CASE("What a host cannot do, the next one may: else it fails", "[deliver][decision]") {
    const auto [failure, status] = GENERATE(table<OwnFailure, EnhancedStatus>({
        {OwnFailure::needs_binarymime, {5, 6, 3}},
        {OwnFailure::no_deliver_by, {5, 3, 3}},
        {OwnFailure::deliver_by_too_soon, {5, 4, 7}},
    }));

    const auto judgement = judge_own(failure);

    CHECK(judgement.verdict == Verdict::try_next_host);
    CHECK(judge_exhausted(std::vector{judgement}).verdict == Verdict::fail);
    CHECK(judgement.status.status == status);
    CHECK(judgement.status.action == DeliveryAction::failed);
}

TEST_CASE("RFC 8689: REQUIRETLS that no host can be asked for fails", "[deliver][decision]") {
    const auto judgement = judge_own(OwnFailure::requires_tls);

    CHECK(judgement.verdict == Verdict::try_next_host);
    CHECK(judge_exhausted(std::vector{judgement}).verdict == Verdict::fail);
    CHECK(judgement.status.status == EnhancedStatus{5, 7, 30});
}

TEST_CASE("RFC 2852: a late message fails with 5.4.7 and the last words", "[deliver][decision]") {
    const auto last = judge_reply(Stage::rcpt, reply(451, "4.7.1", "grey"), kHost).status;

    const auto status = late(last);

    CHECK(status.action == DeliveryAction::failed);
    CHECK(status.status == EnhancedStatus{5, 4, 7});
    CHECK(
        status.diagnostic ==
        "550 5.4.7 QUEUE.DeliverBy; the time to deliver the message by is over; last error: " +
            last.diagnostic);
    CHECK(status.remote_mta == last.remote_mta);
}

}  // namespace mailflow

#include "transport/mail/submission_policy.hpp"

#include "tests/transport/mail/header_decision.hpp"
#include "transport/mail/date_time.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

const std::string kDate = "Date: Mon, 23 Nov 2026 08:40:16 +0000\r\n";
const std::string kId = "Message-ID: <1@mx.contoso.com>\r\n";
const std::string kFrom = "From: Alice <alice@contoso.com>\r\n";
const std::string kBody = "\r\nTo: bob\r\nBcc: eve\r\n";

EmailAddress address(std::string_view text) {
    return EmailAddress::parse(text).value();
}

// Alice, who logged in and wrote as herself.
HeaderContext of_alice() {
    HeaderContext context;
    context.names = {"mx.contoso.com", ""};
    context.accept_routing_headers = true;
    context.submission.emplace();
    auto& submission = *context.submission;
    submission.default_domain = "contoso.com";
    submission.message_id = "<9@mx.contoso.com>";
    submission.time = parse_iso8601("2026-11-24T01:02:03Z").value();
    submission.reverse_path = ReversePath(address("alice@contoso.com"));
    submission.account = address("Alice@contoso.com");
    submission.from_is_granted = true;
    return context;
}

// Alice, who wrote as somebody else.
HeaderContext of_stranger(SenderPolicy policy) {
    auto context = of_alice();
    context.submission->from_is_granted = false;
    context.submission->sender_policy = policy;
    return context;
}

std::string claimed(const std::string& header) {
    const auto context = of_alice();
    const auto decided = decide(context, header + "\r\n");
    const auto senders = claimed_senders(decided.scanned, *context.submission);
    std::string line;
    for (const auto& sender : senders.addresses) {
        line += (line.empty() ? "" : " ") + sender.text();
    }
    return line + (senders.is_whole ? "" : "?");
}

}  // namespace

TEST_CASE("A submitted message that lacks nothing passes as it came", "[mail][submission]") {
    const std::string text =
        kDate + kId + kFrom +
        "To: Bob <bob@fabrikam.com>,\r\n\t\"Carol, C.\" <carol@d> (x)\r\nCC:\r\nSubject: y\r\n" +
        kBody;

    const auto decided = decide(of_alice(), text, GENERATE(1U, 100'000U));

    CHECK(decided.text == text);
    CHECK(decided.content.edits.empty());
    CHECK(decided.content.prefix.empty());
    CHECK(decided.content.facts.message_id == "<1@mx.contoso.com>");
}

TEST_CASE("RFC 6409 section 8: Date, Message-ID and From are added", "[mail][submission]") {
    const auto decided = decide(of_alice(), "Subject: x\r\n" + kBody);

    CHECK(
        decided.content.prefix ==
        "Date: Tue, 24 Nov 2026 01:02:03 +0000\r\nFrom: alice@contoso.com\r\n"
        "Message-ID: <9@mx.contoso.com>\r\n");
    CHECK(decided.text == decided.content.prefix + "Subject: x\r\n" + kBody);
    CHECK(decided.content.facts.has_date);
    CHECK(decided.content.facts.has_from);
    CHECK(decided.content.facts.message_id == "<9@mx.contoso.com>");

    CHECK(decide(of_alice(), kFrom + kId + kBody).content.prefix.starts_with("Date: "));
    CHECK(decide(of_alice(), kFrom + kDate + kBody).content.prefix.starts_with("Message-ID: "));
    CHECK(decide(of_alice(), "message-id:\r\ndate:\r\nfrom:\r\n" + kBody).content.prefix.empty());
    auto by_network = of_alice();
    by_network.submission->account.reset();
    by_network.submission->reverse_path = ReversePath();
    CHECK(decide(by_network, kDate + kId + kBody).content.prefix.empty());
    auto report = of_alice();
    report.submission->reverse_path = ReversePath();
    CHECK(decide(report, kDate + kId + kBody).content.prefix == "From: Alice@contoso.com\r\n");
}

TEST_CASE("A message without a header gets one in front of it", "[mail][submission]") {
    for (const std::string text : {"", "\r\nbody\r\n", "no field\r\n"}) {
        const auto decided = decide(of_alice(), text);

        CHECK(decided.text.ends_with("Message-ID: <9@mx.contoso.com>\r\n" + text));
    }
}

TEST_CASE("RFC 6409 section 4.2: bare addresses get the default domain", "[mail][submission]") {
    const auto piece = GENERATE(1U, 100'000U);
    const std::string text = kDate + kId +
                             "From: \"A. (x)\" <alice>\r\nSender : alice (me)\r\n"
                             "To: bob,\r\n carol@d, Friends: dave, \"e f\";\r\n"
                             "cc: <gus>, not an address, hal\r\nReply-To: ivy\r\n"
                             "Subject: bob, carol\r\nResent-To: kim\r\n" +
                             kBody;

    const auto decided = decide(of_alice(), text, piece);

    CHECK(
        decided.text ==
        kDate + kId +
            "From: \"A. (x)\" <alice@contoso.com>\r\nSender : alice@contoso.com (me)\r\n"
            "To: bob@contoso.com,\r\n carol@d, Friends: dave@contoso.com, \"e f\"@contoso.com;\r\n"
            "cc: <gus@contoso.com>, not an address, hal@contoso.com\r\n"
            "Reply-To: ivy@contoso.com\r\nSubject: bob, carol\r\nResent-To: kim\r\n" +
            kBody);
    CHECK(decided.content.size() == decided.text.size());
    auto without_domain = of_alice();
    without_domain.submission->default_domain = "";
    CHECK(decide(without_domain, text, piece).text == text);
}

TEST_CASE("Attack case 19: no more addresses are completed than the limit", "[mail][submission]") {
    std::string list = "To: a";
    for (std::size_t i = 0; i < 3'000; ++i) {
        list += ",\r\n a";
    }

    const auto decided = decide(of_alice(), kDate + kId + kFrom + list + "\r\n" + kBody);

    CHECK(decided.content.edits.size() == kMaxCompletedAddresses);
}

TEST_CASE("RFC 5322 section 3.6.3: nobody learns who is in Bcc", "[mail][submission]") {
    const auto decided = decide(
        of_alice(),
        kDate + "BCC: eve@b\r\nbcc:\r\n eve,\r\n mallory@c\r\n" + kId + kFrom +
            "Resent-Bcc: eve\r\n" + kBody);

    CHECK(decided.text == kDate + kId + kFrom + kBody);
    CHECK(decided.content.edits.size() == 2);
}

TEST_CASE("Whom a message claims to be from", "[mail][submission]") {
    CHECK(claimed("From: Alice <alice@Contoso.com>\r\n") == "alice@contoso.com");
    CHECK(claimed("From: alice\r\n") == "alice@contoso.com");
    CHECK(claimed("From: a@b, C <c@d>, a@b\r\n") == "a@b c@d");
    CHECK(claimed("From: a@b\r\nFrom: c@d\r\n") == "a@b c@d");
    CHECK(claimed("Subject: x\r\n").empty());
    CHECK(claimed("From:\r\n") == "?");
    CHECK(claimed("From: nobody:;\r\n") == "?");
    CHECK(claimed("From: ceo@x <alice@contoso.com>\r\n") == "?");
    CHECK(claimed("From: alice@contoso.com, ceo x\r\n") == "alice@contoso.com?");
    CHECK(claimed("From: alice@con_toso..com\r\n") == "?");

    std::string many = "From: a0@b";
    for (std::size_t i = 1; i < kMaxClaimedSenders; ++i) {
        many += ", a" + std::to_string(i) + "@b";
    }
    CHECK_FALSE(claimed(many + "\r\n").ends_with('?'));
    CHECK(claimed(many + ", one-more@b\r\n").ends_with('?'));
}

TEST_CASE("A From that is not the account's is refused", "[mail][submission]") {
    const std::string text = kDate + kId + "From: ceo@contoso.com\r\n" + kBody;

    const auto refused = decide(of_stranger(SenderPolicy::refuse), text).decision;

    REQUIRE(refused.refusal);
    CHECK(refused.refusal->code == 550);
    CHECK(refused.refusal->status.text() == "5.7.1");
    CHECK(refused.refusal->text == "Client does not have permissions to send as this sender");
    CHECK_FALSE(decide(of_alice(), text).decision.refusal);
    // Not judged: nobody logged in, or any-sender; and a From that we write ourselves.
    auto unjudged = of_stranger(SenderPolicy::refuse);
    unjudged.submission->account.reset();
    CHECK_FALSE(decide(unjudged, text).decision.refusal);
    CHECK_FALSE(decide(of_stranger(SenderPolicy::refuse), kDate + kBody).decision.refusal);
}

TEST_CASE("RFC 6409 section 8.1: Sender tells who wrote as somebody else", "[mail][submission]") {
    const auto context = of_stranger(SenderPolicy::fix);
    const std::string head = kDate + kId + "From: ceo@contoso.com\r\n";
    const std::string right = "Sender: Alice@contoso.com\r\n";

    CHECK(decide(context, head + kBody).text == right + head + kBody);
    CHECK(decide(context, "Sender: eve@x\r\n" + head + kBody).text == right + head + kBody);
    CHECK(decide(context, head + "sender:\r\n eve\r\n" + kBody).text == head + right + kBody);
    CHECK(decide(context, head + "Sender: a b\r\n" + kBody).text == head + right + kBody);

    const std::string own = "Sender: \"A\" <alice@CONTOSO.com>\r\n";
    CHECK(decide(context, head + own + kBody).text == head + own + kBody);
    CHECK(decide(context, "Sender: x@y\r\n" + head + own + kBody).text == head + own + kBody);
    CHECK(decide(context, own + head + own + kBody).text == own + head + kBody);
}

TEST_CASE("Sender stays where From is the account's, or nobody asks", "[mail][submission]") {
    const std::string text =
        kDate + kId + "From: ceo@contoso.com\r\nSender: eve@fabrikam.com\r\n" + kBody;

    CHECK(decide(of_alice(), text).text == text);
    CHECK(decide(of_stranger(SenderPolicy::ignore), text).text == text);
    CHECK_FALSE(decide(of_stranger(SenderPolicy::ignore), text).decision.refusal);
}

TEST_CASE("Firewall and duties work on one header", "[mail][submission]") {
    const auto decided = decide(
        of_stranger(SenderPolicy::fix),
        "Return-Path: <x>\r\nBcc: y\r\nSender: z\r\nX-Mailflow-A: 1\r\nFrom: ceo\r\nTo: bob\r\n" +
            kDate + kId + kBody);

    CHECK(
        decided.text ==
        "Sender: Alice@contoso.com\r\nFrom: ceo@contoso.com\r\nTo: bob@contoso.com\r\n" + kDate +
            kId + kBody);
}

TEST_CASE("What is added in UTF-8 makes the header one of SMTPUTF8", "[mail][submission]") {
    auto context = of_alice();
    context.submission->reverse_path = ReversePath(address("j\xc3\xbcrgen@contoso.com"));

    CHECK(decide(context, kDate + kBody).content.facts.smtputf8_header);
    CHECK(decide(context, kDate + kBody).content.facts.eight_bit);
    CHECK_FALSE(decide(context, kFrom + kBody).content.facts.smtputf8_header);
}

}  // namespace mailflow

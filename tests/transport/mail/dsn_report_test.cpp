#include "transport/mail/dsn_report.hpp"

#include "transport/base/error.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/utf8.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace mailflow {

namespace {

EmailAddress address(std::string_view text) {
    return EmailAddress::parse(text).value();
}

UtcTime time(std::string_view text) {
    return parse_iso8601(text).value();
}

DsnRecipient refused_by_remote() {
    return DsnRecipient{
        .original = "bob@example.org",
        .address = address("bob@example.org"),
        .status =
            {.action = DeliveryAction::failed,
             .status = {5, 1, 1},
             .diagnostic = "550 5.1.1 User unknown",
             .remote_mta = "mx.example.org",
             .remote_address = "192.0.2.25:25",
             .by_remote = true},
        .last_attempt = time("2026-11-23T08:40:16Z"),
        .will_retry_until = std::nullopt};
}

DsnRecipient refused_by_us() {
    auto recipient = refused_by_remote();
    recipient.status = DeliveryStatus();
    recipient.status.action = DeliveryAction::failed;
    recipient.status.status = {5, 4, 4};
    recipient.status.diagnostic = "SMTPSEND.DNS.NonExistentDomain; nonexistent domain";
    return recipient;
}

DsnInput report(DsnRecipient recipient) {
    return DsnInput{
        .kind = DsnKind::failed,
        .reporting_mta = "mx.example.com",
        .from = address("postmaster@example.com"),
        .to = address("alice@example.com"),
        .date = time("2026-11-23T08:40:17Z"),
        .message_id = "<r1@mx.example.com>",
        .boundary = "b0123456789",
        .original =
            {.message_id = "<m1@example.com>", .subject = "Quarterly figures", .header_size = 100},
        .arrival = time("2026-11-23T08:40:15Z"),
        .smtputf8 = false,
        .return_whole = true,
        .recipients = {std::move(recipient)},
        .generating_server = "mx.example.com",
        .original_header = "Subject: Quarterly figures\r\n"};
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("RFC 3464: a failed report, octet by octet", "[mail][dsn]") {
    const auto text = compose_dsn(report(refused_by_remote()));

    CHECK(
        text.head ==
        "From: Mail Delivery System <postmaster@example.com>\r\n"
        "To: <alice@example.com>\r\n"
        "Subject: Undeliverable: Quarterly figures\r\n"
        "Date: Mon, 23 Nov 2026 08:40:17 +0000\r\n"
        "Message-ID: <r1@mx.example.com>\r\n"
        "In-Reply-To: <m1@example.com>\r\n"
        "References: <m1@example.com>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        "\tboundary=\"b0123456789\"\r\n"
        "\r\n"
        "--b0123456789\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "\r\n"
        "Delivery has failed to these recipients or groups:\r\n"
        "\r\n"
        "bob@example.org\r\n"
        "The address was not found at its destination. Check the address for typing\r\n"
        "errors and send the message again.\r\n"
        "\r\n"
        "Diagnostic information for administrators:\r\n"
        "\r\n"
        "Generating server: mx.example.com\r\n"
        "\r\n"
        "bob@example.org\r\n"
        "mx.example.org\r\n"
        "Remote Server returned '550 5.1.1 User unknown'\r\n"
        "\r\n"
        "Original message headers:\r\n"
        "\r\n"
        "Subject: Quarterly figures\r\n"
        "\r\n"
        "--b0123456789\r\n"
        "Content-Type: message/delivery-status\r\n"
        "\r\n"
        "Reporting-MTA: dns; mx.example.com\r\n"
        "Arrival-Date: Mon, 23 Nov 2026 08:40:15 +0000\r\n"
        "\r\n"
        "Original-Recipient: rfc822; bob@example.org\r\n"
        "Final-Recipient: rfc822; bob@example.org\r\n"
        "Action: failed\r\n"
        "Status: 5.1.1\r\n"
        "Remote-MTA: dns; mx.example.org\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n"
        "Last-Attempt-Date: Mon, 23 Nov 2026 08:40:16 +0000\r\n"
        "\r\n"
        "--b0123456789\r\n"
        "Content-Type: message/rfc822\r\n"
        "\r\n");
    CHECK(text.tail == "\r\n--b0123456789--\r\n");
    CHECK_FALSE(text.eight_bit);
    CHECK_FALSE(text.smtputf8);
}

TEST_CASE("A refusal of our own is not put into a remote server's mouth", "[mail][dsn]") {
    const auto text = compose_dsn(report(refused_by_us()));

    CHECK(contains(
        text.head, "#550 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain ##\r\n"));
    CHECK_FALSE(contains(text.head, "Remote Server returned"));
    CHECK_FALSE(contains(text.head, "Remote-MTA"));
}

TEST_CASE("RFC 3461: a report of success says what the server did", "[mail][dsn]") {
    const auto [kind, action, subject, sentence] =
        GENERATE(table<DsnKind, DeliveryAction, std::string, std::string>({
            {DsnKind::delivered,
             DeliveryAction::delivered,
             "Subject: Delivered: Quarterly figures\r\n",
             "Delivered to the mailbox."},
            {DsnKind::relayed,
             DeliveryAction::relayed,
             "Subject: Relayed: Quarterly figures\r\n",
             "Handed to the mail server of the destination."},
            {DsnKind::expanded,
             DeliveryAction::expanded,
             "Subject: Expanded: Quarterly figures\r\n",
             "Handed on to the members of the group."},
        }));
    auto recipient = refused_by_remote();
    recipient.status.action = action;
    recipient.status.status = {2, 1, 5};
    recipient.status.diagnostic = "250 2.1.5 fine";
    auto input = report(recipient);
    input.kind = kind;
    input.return_whole = false;

    const auto text = compose_dsn(input);

    CHECK(contains(text.head, subject));
    CHECK(contains(text.head, sentence));
    CHECK(contains(text.head, std::string("Action: ") + to_text(kind) + "\r\nStatus: 2.1.5\r\n"));
    CHECK(contains(text.head, "Content-Type: text/rfc822-headers\r\n"));
    CHECK_FALSE(contains(text.head, "failed"));
}

TEST_CASE("RFC 3461 §6.3, RFC 2852 §5: a report repeats what the envelope asked", "[mail][dsn]") {
    auto recipient = refused_by_remote();
    recipient.original_recipient = "rfc822;Bob+x@example.net";
    auto input = report(recipient);
    input.envelope_id = "QQ 314159";
    input.deliver_by_date = time("2026-11-23T09:40:15Z");

    const auto text = compose_dsn(input);

    CHECK(contains(
        text.head,
        "Original-Envelope-Id: QQ 314159\r\nReporting-MTA: dns; mx.example.com\r\n"
        "Arrival-Date: Mon, 23 Nov 2026 08:40:15 +0000\r\n"
        "Deliver-By-Date: Mon, 23 Nov 2026 09:40:15 +0000\r\n"));
    CHECK(contains(text.head, "Original-Recipient: rfc822; Bob+x@example.net\r\n"));
    const auto fields = parse_delivery_status(text.head).value();
    CHECK(fields.original_envelope_id == "QQ 314159");
    CHECK(fields.recipients.at(0).original_recipient == "Bob+x@example.net");
}

TEST_CASE("RFC 6533: a utf-8 ORCPT stands in ASCII in a report that is all ASCII", "[mail][dsn]") {
    auto recipient = refused_by_remote();
    recipient.original_recipient =
        "utf-8;b\xc3\xb6"
        "b@example.net";

    const auto text = compose_dsn(report(recipient));

    CHECK(contains(text.head, "Original-Recipient: utf-8; b\\x{F6}b@example.net\r\n"));
}

TEST_CASE("A delayed report says until when it is tried", "[mail][dsn]") {
    auto input = report(refused_by_remote());
    input.kind = DsnKind::delayed;
    auto& recipient = input.recipients.front();
    recipient.status.action = DeliveryAction::delayed;
    recipient.status.status = {4, 4, 1};
    recipient.will_retry_until = time("2026-11-28T08:40:15Z");

    const auto text = compose_dsn(input);

    CHECK(contains(text.head, "Subject: Delivery delayed: Quarterly figures\r\n"));
    CHECK(contains(text.head, "Action: delayed\r\nStatus: 4.4.1\r\n"));
    CHECK(contains(text.head, "Will-Retry-Until: Sat, 28 Nov 2026 08:40:15 +0000\r\n"));
    CHECK(contains(
        text.head,
        "The message has not been delivered yet. The recipient's mail server does not\r\n"
        "answer. It will be tried until Sat, 28 Nov 2026 08:40:15 +0000.\r\n"));
}

TEST_CASE("A report is read back as it was written", "[mail][dsn]") {
    auto input = report(refused_by_remote());
    auto second = refused_by_us();
    second.original = "team@example.com";
    second.address = address("\"carol x\"@example.net");
    second.status.action = DeliveryAction::delayed;
    second.status.status = {};
    second.will_retry_until = time("2026-11-28T08:40:15Z");
    input.recipients.push_back(second);
    const auto text = compose_dsn(input);

    const auto report =
        parse_delivery_status(text.head + "Subject: original\r\n\r\nbody\r\n" + text.tail).value();

    CHECK(report.reporting_mta == "mx.example.com");
    CHECK(report.arrival == input.arrival);
    REQUIRE(report.recipients.size() == 2);
    CHECK(report.recipients[0].original_recipient == "bob@example.org");
    CHECK(report.recipients[0].final_recipient == "bob@example.org");
    CHECK(report.recipients[0].action == "failed");
    CHECK(report.recipients[0].status == EnhancedStatus{5, 1, 1});
    CHECK(report.recipients[0].remote_mta == "mx.example.org");
    CHECK(report.recipients[0].diagnostic == "550 5.1.1 User unknown");
    CHECK(report.recipients[0].last_attempt == time("2026-11-23T08:40:16Z"));
    CHECK_FALSE(report.recipients[0].will_retry_until);
    CHECK(report.recipients[1].original_recipient == "team@example.com");
    CHECK(report.recipients[1].final_recipient == "\"carol x\"@example.net");
    CHECK(report.recipients[1].action == "delayed");
    CHECK(report.recipients[1].status == EnhancedStatus{4, 0, 0});
    CHECK(report.recipients[1].will_retry_until == second.will_retry_until);
}

TEST_CASE("A peer's words form no line and no field of a report", "[mail][dsn]") {
    auto recipient = refused_by_remote();
    recipient.status.diagnostic = "550 no\r\n--b0123456789--\r\nX: \xff" + std::string(5000, 'x');
    recipient.status.remote_mta = "evil\r\nAction: delivered";

    const auto text = compose_dsn(report(recipient));

    CHECK_FALSE(contains(text.head, "\r\n--b0123456789--"));
    CHECK_FALSE(contains(text.head, "\r\nX:"));
    CHECK_FALSE(contains(text.head, "\r\nAction: delivered"));
    CHECK(utf8::is_ascii(text.head));
    std::size_t longest = 0;
    for (std::size_t at = 0; at < text.head.size();) {
        const auto end = text.head.find("\r\n", at);
        longest = std::max(longest, end - at);
        at = end + 2;
    }
    CHECK(longest <= 998);
}

TEST_CASE("An original's subject and Message-ID start no field of a report", "[mail][dsn]") {
    auto input = report(refused_by_remote());
    input.original.subject = "a\r\nBcc: x";
    input.original.message_id = "<a\r\nBcc: x>";

    const auto text = compose_dsn(input);

    CHECK_FALSE(contains(text.head, "\nBcc"));
}

TEST_CASE("RFC 3462 section 2: headers only when the original is not returned", "[mail][dsn]") {
    auto input = report(refused_by_remote());
    input.return_whole = false;
    input.original.eight_bit = true;

    const auto text = compose_dsn(input);

    CHECK(contains(text.head, "\r\nContent-Type: text/rfc822-headers\r\n\r\n"));
    CHECK_FALSE(text.eight_bit);
}

TEST_CASE("RFC 2045 section 6.4: an 8-bit original makes the report 8-bit", "[mail][dsn]") {
    auto input = report(refused_by_remote());
    input.original.eight_bit = true;
    input.original.subject =
        "gr\xc3\xbc\xc3\x9f"
        "e";

    const auto text = compose_dsn(input);

    const auto header = HeaderBlock(text.head);
    CHECK(text.eight_bit);
    CHECK_FALSE(text.smtputf8);
    CHECK(utf8::is_ascii(text.head));
    CHECK(header.find("Content-Transfer-Encoding")->value() == "8bit");
    CHECK(header.find("Subject")->value() == "Undeliverable: =?utf-8?B?Z3LDvMOfZQ==?=");
    CHECK(contains(
        text.head, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"));
}

TEST_CASE("RFC 6533: a report on internationalized mail is internationalized", "[mail][dsn]") {
    auto recipient = refused_by_remote();
    recipient.address = address("b\xc3\xbc@example.org");
    recipient.original = recipient.address.text();
    auto input = report(recipient);
    input.smtputf8 = true;
    input.original.subject =
        "gr\xc3\xbc\xc3\x9f"
        "e";

    const auto whole = compose_dsn(input);
    input.return_whole = false;
    const auto headers = compose_dsn(input);

    CHECK(whole.smtputf8);
    CHECK(whole.eight_bit);
    CHECK(contains(whole.head, "Content-Type: message/global-delivery-status\r\n"));
    CHECK(contains(whole.head, "Content-Type: message/global\r\n"));
    CHECK(contains(headers.head, "Content-Type: message/global-headers\r\n"));
    CHECK(contains(whole.head, "Final-Recipient: utf-8; b\xc3\xbc@example.org\r\n"));
    CHECK(contains(
        whole.head,
        "Subject: Undeliverable: gr\xc3\xbc\xc3\x9f"
        "e\r\n"));
    CHECK(parse_delivery_status(whole.head).value().recipients.size() == 1);
}

TEST_CASE(
    "RFC 6533 section 3: an internationalized recipient in an ASCII report is escaped",
    "[mail][dsn]") {
    auto recipient = refused_by_remote();
    recipient.address = address("b\xc3\xbc+x@example.org");

    const auto text = compose_dsn(report(recipient));

    CHECK(utf8::is_ascii(text.head));
    CHECK(contains(text.head, "Final-Recipient: utf-8; b\\x{FC}\\x{2B}x@example.org\r\n"));
    CHECK_FALSE(text.smtputf8);
}

TEST_CASE("Remote hosts known by address stand as literals", "[mail][dsn]") {
    auto recipient = refused_by_remote();
    recipient.status.remote_mta = "2001:db8::1";

    CHECK(contains(compose_dsn(report(recipient)).head, "Remote-MTA: dns; [IPv6:2001:db8::1]\r\n"));
}

TEST_CASE("A status part that lacks what it must have is refused", "[mail][dsn]") {
    const std::string mta = "Reporting-MTA: dns; mx\r\n\r\n";
    const std::string good = "Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.0.0\r\n";

    CHECK(parse_delivery_status(mta + good).value().recipients.size() == 1);
    CHECK(parse_delivery_status(mta + good + "\r\n" + good).value().recipients.size() == 2);
    CHECK(parse_delivery_status(mta).value().recipients.empty());
    for (const auto& text :
         {std::string(),
          good,
          std::string("Content-Type: message/delivery-status\r\n"),
          mta + "Action: failed\r\nStatus: 5.0.0\r\n",
          mta + "Final-Recipient: rfc822; a@b\r\nStatus: 5.0.0\r\n",
          mta + "Final-Recipient: rfc822; a@b\r\nAction: failed\r\n"}) {
        CAPTURE(text);
        CHECK(parse_delivery_status(text).error() == Error::syntax);
    }
}

}  // namespace mailflow

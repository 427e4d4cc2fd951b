#include "transport/mail/header_policy.hpp"

#include "tests/transport/mail/header_decision.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

// What anonymous port-25 clients may: Received stays (RFC 5321 §4.4), the rest is ours to say.
HeaderContext anonymous() {
    HeaderContext context;
    context.names = {"mx.contoso.com", "mail.contoso.com"};
    context.accept_routing_headers = true;
    return context;
}

const std::string kBody = "\r\nX-Mailflow-Trust: in the body\r\nReturn-Path: <x@y>\r\n";

}  // namespace

TEST_CASE("Mail without anything of ours passes as it came", "[mail][policy]") {
    const std::string text =
        "Received: from a by b; now\r\nResent-From: a@b\r\nFrom: alice\r\nTo: bob, carol\r\n"
        "Bcc: dave@contoso.com\r\nX-Mailflowing: y\r\n"
        "Authentication-Results: other.example; spf=pass\r\n\tsmtp.mailfrom=a@b\r\n" +
        kBody;

    const auto decided = decide(anonymous(), text);

    CHECK(decided.text == text);
    CHECK(decided.content.edits.empty());
    CHECK_FALSE(decided.decision.refusal);
}

TEST_CASE("The header firewall takes out what only we may say", "[mail][policy]") {
    const auto piece = GENERATE(1U, 7U, 100'000U);
    const std::string text =
        "Return-Path: <eve@evil>\r\nx-MAILFLOW-Trust: yes\r\n folded: on\r\nReceived: from a by b; "
        "now\r\nX-Mailflow-A: 1\r\nFrom: a@b\r\nReturn-Path:\r\n <eve@evil>\r\n" +
        kBody;

    const auto decided = decide(anonymous(), text, piece);

    CHECK(decided.text == "Received: from a by b; now\r\nFrom: a@b\r\n" + kBody);
    // Neighbours are one edit.
    CHECK(decided.content.edits.size() == 3);
    CHECK(decided.content.size() == decided.text.size());
}

TEST_CASE("Who may send organization headers keeps them, but no Return-Path", "[mail][policy]") {
    auto context = anonymous();
    context.accept_organization_headers = true;
    const std::string kept =
        "X-Mailflow-Trust: yes\r\nAuthentication-Results: mx.contoso.com; spf=pass\r\n";

    CHECK(decide(context, "Return-Path: <a@b>\r\n" + kept + kBody).text == kept + kBody);
}

TEST_CASE("Who may not send routing headers loses them", "[mail][policy]") {
    auto context = anonymous();
    context.accept_routing_headers = false;

    const auto decided = decide(
        context,
        "Received: from a by mx.contoso.com; now\r\nResent-From: a\r\nResent-Bcc: b\r\n"
        "Resent: no such field\r\nSubject: x\r\n" +
            kBody);

    CHECK(decided.text == "Resent: no such field\r\nSubject: x\r\n" + kBody);
    // Loops are still counted by what came in.
    CHECK(decided.content.facts.received_count == 1);
    CHECK(decided.content.facts.local_received_count == 1);
}

TEST_CASE(
    "RFC 8601 section 5: results under our name that come from outside are forged",
    "[mail][policy]") {
    struct Case {
        const char* payload;
        bool forged;
    };

    const auto given = GENERATE(
        Case{" mx.contoso.com; spf=pass", true},
        Case{"mail.contoso.com;spf=pass", true},
        Case{" MX.Contoso.COM 1; none", true},
        Case{" mx.contoso.com.; none", true},
        Case{"\r\n\tmx.contoso.com;\r\n\tspf=pass", true},
        Case{" (a (nested) comment) mx.contoso.com (x) 1; none", true},
        Case{" (a \\) comment) mx.contoso.com; none", true},
        Case{" \"mx.contoso.com\"; none", true},
        Case{" \"mx\\.contoso.com\"; none", true},
        Case{" mx.contoso.com", true},
        Case{" other.example; smtp.mailfrom=mx.contoso.com", false},
        Case{" xmx.contoso.com; none", false},
        Case{" (mx.contoso.com) other.example; none", false},
        Case{" (mx.contoso.com; none", false},
        Case{" contoso.com; none", false},
        Case{" \"mx.contoso.com", false},
        Case{" \"", false},
        Case{"", false});
    const auto name = GENERATE("Authentication-Results:", "authentication-RESULTS :");
    const std::string field = std::string(name) + given.payload + "\r\n";
    const auto piece = GENERATE(1U, 100'000U);

    const auto decided = decide(anonymous(), field + "From: a@b\r\n" + kBody, piece);

    CAPTURE(field);
    CHECK(decided.text == (given.forged ? "" : field) + "From: a@b\r\n" + kBody);
}

TEST_CASE("A forgery behind a long comment is read to its end", "[mail][policy]") {
    const auto piece = GENERATE(100U, 100'000U);
    std::string field = "Authentication-Results: (" + std::string(5'000, 'x') + ")";
    SECTION("on one line") {}
    SECTION("on the next") {
        field += "\r\n\t";
    }
    SECTION("and another") {
        field += "\r\n (" + std::string(5'000, 'y') + ")\r\n";
    }

    const auto decided =
        decide(anonymous(), field + " mx.contoso.com; spf=pass\r\nA: b\r\n" + kBody, piece);

    CHECK(decided.text == "A: b\r\n" + kBody);
}

TEST_CASE("A node without a second name is not named by nothing", "[mail][policy]") {
    auto context = anonymous();
    context.names = {"mx.contoso.com", ""};
    const std::string text = "Authentication-Results: ; spf=pass\r\n" + kBody;

    CHECK(decide(context, text).text == text);
}

TEST_CASE("Attack case 21: what is body by our reading is left alone", "[mail][policy]") {
    const auto text = GENERATE(
        std::string("no field\r\nX-Mailflow-Trust: yes\r\n"),
        std::string("A: b\r\nno field\r\nX-Mailflow-Trust: yes\r\n"));

    CHECK(decide(anonymous(), text).text == text);
    CHECK(decide(anonymous(), "X-Mailflow-Trust: yes").text.empty());
}

TEST_CASE(
    "Attack case 21: a message that begins with a blank does not continue our fields",
    "[mail][policy]") {
    const auto blank = GENERATE(" ", "\t");
    const std::string text = blank + std::string("x\r\nX-Mailflow-Trust: yes\r\n");

    const auto decided = decide(anonymous(), text);

    CHECK(decided.text == "\r\n" + text);
    // Behind a Received of ours it is body, for us and for everybody else.
    const auto next_hop = decide(anonymous(), "Received: by b\r\n" + decided.text);
    CHECK(next_hop.content.facts.header_size == 18);
    CHECK(next_hop.content.edits.empty());
}

}  // namespace mailflow

#include "transport/mail/trace_field.hpp"

#include "transport/mail/date_time.hpp"
#include "transport/mail/header_field.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

ReceivedTrace trace() {
    ReceivedTrace trace;
    trace.helo = "client.example.org";
    trace.client = IpAddress::parse("192.0.2.9").value();
    trace.by = "mx.example.com";
    trace.protocol = "ESMTP";
    trace.id = QueueId{1};
    trace.time = parse_iso8601("2026-11-23T08:40:16Z").value();
    return trace;
}

bool lines_are_short(std::string_view text) {
    while (!text.empty()) {
        const auto end = text.find("\r\n");
        if (end == std::string_view::npos || end > 78) {
            return false;
        }
        text.remove_prefix(end + 2);
    }
    return true;
}

}  // namespace

TEST_CASE("RFC 5321 section 4.4: Received says who, by whom, how and when", "[mail][trace]") {
    CHECK(
        make_received(trace()) ==
        "Received: from client.example.org ([192.0.2.9])\r\n"
        "\tby mx.example.com with ESMTP id 0000000000001;\r\n"
        "\tMon, 23 Nov 2026 08:40:16 +0000\r\n");
}

TEST_CASE("Received tells version and cipher suite of TLS, as a comment", "[mail][trace]") {
    auto over_tls = trace();
    over_tls.protocol = "ESMTPSA";
    over_tls.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519";

    CHECK(
        make_received(over_tls) ==
        "Received: from client.example.org ([192.0.2.9])\r\n"
        "\tby mx.example.com with ESMTPSA\r\n"
        "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384) id 0000000000001;\r\n"
        "\tMon, 23 Nov 2026 08:40:16 +0000\r\n");
    over_tls.tls = "TLSv1.2";
    CHECK(make_received(over_tls).find("ESMTPSA (using TLSv1.2) id ") != std::string::npos);
    over_tls.tls = "a)b c\r\nX: y";
    CHECK(HeaderField::parse(make_received(over_tls)).has_value());
    CHECK(make_received(over_tls).find("(using a\\)b with cipher c?\?X:)") != std::string::npos);
}

TEST_CASE("Received names a recipient only when he is the only one", "[mail][trace]") {
    auto with_recipient = trace();
    with_recipient.only_recipient = ForwardPath::parse("<bob@example.com>").value();

    CHECK(
        make_received(with_recipient) ==
        "Received: from client.example.org ([192.0.2.9])\r\n"
        "\tby mx.example.com with ESMTP id 0000000000001\r\n"
        "\tfor <bob@example.com>; Mon, 23 Nov 2026 08:40:16 +0000\r\n");
    CHECK(make_received(trace()).find("for") == std::string::npos);
}

TEST_CASE(
    "Whatever a client says in HELO, Received stays one field and names its address",
    "[mail][trace]") {
    struct Case {
        std::string helo;
        std::string begins;
    };

    const auto given = GENERATE(
        Case{"[192.0.2.9]", "Received: from [192.0.2.9] ([192.0.2.9])\r\n"},
        Case{"my_pc", "Received: from my_pc ([192.0.2.9])\r\n"},
        Case{
            "b\xc3\xbc"
            "cher.example",
            "Received: from xn--bcher-kva.example ([192.0.2.9])\r\n"},
        Case{"", "Received: from [192.0.2.9] ([192.0.2.9]) (HELO )\r\n"},
        Case{"a b", "Received: from [192.0.2.9] ([192.0.2.9]) (HELO a b)\r\n"},
        Case{"a)(b\\", "Received: from [192.0.2.9] ([192.0.2.9]) (HELO a\\)\\(b\\\\)\r\n"},
        Case{"a\r\nX: y\t\xff", "Received: from [192.0.2.9] ([192.0.2.9]) (HELO a??X: y?\?)\r\n"},
        Case{"[a)b]", "Received: from [192.0.2.9] ([192.0.2.9]) (HELO [a\\)b])\r\n"},
        Case{std::string(1000, '('), "Received: from [192.0.2.9] ([192.0.2.9])\r\n\t(HELO \\(\\("});
    auto received = trace();
    received.helo = given.helo;

    const auto text = make_received(received);

    CHECK(text.substr(0, given.begins.size()) == given.begins);
    CHECK(HeaderField::parse(text).has_value());
    CHECK(lines_are_short(text));
}

TEST_CASE("Received keeps to 78 characters a line with the longest names", "[mail][trace]") {
    auto received = trace();
    received.helo = std::string(60, 'h') + ".example";
    received.by = std::string(60, 'b') + ".example";
    received.client = IpAddress::parse("2001:db8:1111:2222:3333:4444:5555:6666").value();
    received.only_recipient = ForwardPath::parse('<' + std::string(60, 'r') + "@example>").value();

    const auto text = make_received(received);

    CHECK(lines_are_short(text));
    CHECK(text.find("([IPv6:2001:db8:1111:2222:3333:4444:5555:6666])") != std::string::npos);
    CHECK(HeaderField::parse(text).has_value());
    CHECK(text.find("\t\r\n") == std::string::npos);
}

TEST_CASE("RFC 3848 and RFC 6531 section 4.3: the protocol's keyword", "[mail][trace]") {
    CHECK(with_keyword({.esmtp = false}) == "SMTP");
    CHECK(with_keyword({}) == "ESMTP");
    CHECK(with_keyword({.tls = true}) == "ESMTPS");
    CHECK(with_keyword({.authenticated = true}) == "ESMTPA");
    CHECK(with_keyword({.tls = true, .authenticated = true}) == "ESMTPSA");
    CHECK(with_keyword({.smtputf8 = true}) == "UTF8SMTP");
    CHECK(with_keyword({.tls = true, .authenticated = true, .smtputf8 = true}) == "UTF8SMTPSA");
}

TEST_CASE("Return-Path, Date and Message-ID are complete fields", "[mail][trace]") {
    CHECK(make_return_path(ReversePath()) == "Return-Path: <>\r\n");
    CHECK(
        make_return_path(ReversePath::parse("<\"a b\"@d>").value()) ==
        "Return-Path: <\"a b\"@d>\r\n");
    CHECK(make_date(trace().time) == "Date: Mon, 23 Nov 2026 08:40:16 +0000\r\n");
    CHECK(
        make_message_id_field(make_message_id("0af1", "mx.example.com")) ==
        "Message-ID: <0af1@mx.example.com>\r\n");
}

}  // namespace mailflow

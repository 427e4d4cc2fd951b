#include "transport/mail/header_scanner.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace mailflow {

namespace {

// The facts of `text`, fed in pieces of `piece` octets.
ContentFacts scan(HeaderScanner& scanner, std::string_view text, std::size_t piece) {
    while (!text.empty()) {
        const auto size = std::min(piece, text.size());
        scanner.feed(text.substr(0, size));
        text.remove_prefix(size);
    }
    return scanner.finish();
}

ContentFacts scan(std::string_view text) {
    HeaderScanner scanner;
    return scan(scanner, text, text.size());
}

}  // namespace

TEST_CASE("A header is known while it streams, in pieces of any size", "[mail][scanner]") {
    const auto piece = GENERATE(1U, 2U, 3U, 7U, 64U, 100'000U);
    const std::string header =
        "Received: from a\r\n\tby b; now\r\n"
        "received: from c\r\n"
        "From: Alice <alice@example.com>\r\n"
        "DATE: Mon, 23 Nov 2026 08:40:16 +0000\r\n"
        "Message-ID:\r\n <1234@example.com> (a comment)\r\n"
        "Subject: Quarterly\r\n figures\r\n"
        "Received-SPF: none\r\n"
        "\r\n";
    HeaderScanner scanner;

    const auto facts = scan(scanner, header + "Received: in the body\r\n", piece);

    CHECK(facts.received_count == 2);
    CHECK(facts.has_from);
    CHECK(facts.has_date);
    CHECK(facts.message_id == "<1234@example.com>");
    CHECK(facts.subject == "Quarterly figures");
    CHECK(facts.header_size == header.size());
    CHECK_FALSE(facts.eight_bit);
    CHECK_FALSE(facts.smtputf8_header);
    CHECK_FALSE(scanner.lacks_empty_line());
    CHECK_FALSE(scanner.header_too_large());
}

TEST_CASE(
    "Fields are noted with their places, and with their text where asked", "[mail][scanner]") {
    const auto piece = GENERATE(1U, 2U, 7U, 100'000U);
    const std::string to = "tO :\r\n a@b,\r\n\tc@d\r\n";
    const std::string text = "Bcc: x\r\n" + to + "Subject: y\r\nresent-BCC: z\r\n\r\nBcc: w\r\n";
    HeaderWishes wishes;
    wishes.places = bit(FieldKind::bcc) | bit(FieldKind::to) | bit(FieldKind::resent_bcc);
    wishes.texts = bit(FieldKind::to);
    HeaderScanner scanner({}, wishes);

    const auto facts = scan(scanner, text, piece);
    const auto header = scanner.take_header();

    CHECK(facts.subject == "y");
    REQUIRE(header.fields.size() == 3);
    CHECK(header.fields[0].kind == FieldKind::bcc);
    CHECK(header.fields[0].offset == 0);
    CHECK(header.fields[0].length == 8);
    CHECK(header.fields[0].text.empty());
    CHECK(header.fields[1].offset == 8);
    CHECK(header.fields[1].length == to.size());
    CHECK(header.fields[1].text == to);
    CHECK(header.fields[2].kind == FieldKind::resent_bcc);
    CHECK(text.substr(header.fields[2].offset, header.fields[2].length) == "resent-BCC: z\r\n");
    CHECK(header.has(FieldKind::to));
    CHECK_FALSE(header.has(FieldKind::subject));
}

TEST_CASE("TLS-Required: No is the only word of its field that counts", "[mail][scanner]") {
    CHECK(scan("TLS-Required: No\r\n\r\n").tls_not_required);
    CHECK(scan("tls-required:\r\n\tno \r\n\r\n").tls_not_required);
    CHECK_FALSE(scan("TLS-Required: Yes\r\n\r\n").tls_not_required);
    CHECK_FALSE(scan("Subject: TLS-Required: No\r\n\r\nTLS-Required: No\r\n").tls_not_required);
}

TEST_CASE("A wished-for field is kept whole, however long its lines", "[mail][scanner]") {
    const auto piece = GENERATE(1U, 999U, 1'200U, 1'201U, 100'000U);
    const std::string to =
        "To: " + std::string(3'000, 'a') + "\r\n " + std::string(3'000, 'b') + "\r\n c\r\n";
    HeaderWishes wishes;
    wishes.places = wishes.texts = bit(FieldKind::to);
    HeaderScanner scanner({}, wishes);

    scan(scanner, "Cc: " + std::string(5'000, 'x') + "\r\n" + to + "\r\n", piece);

    CHECK(scanner.take_header().fields.at(0).text == to);
}

TEST_CASE("Attack case 19: nothing more is kept once a header is too large", "[mail][scanner]") {
    HeaderWishes wishes;
    wishes.places = wishes.texts = bit(FieldKind::to);
    const HeaderLimits limits{.max_header_size = 10'000, .max_field_size = 5'000, .max_fields = 20};
    HeaderScanner scanner(limits, wishes);

    for (int i = 0; i < 1'000; ++i) {
        scanner.feed("To: " + std::string(2'000, 'x') + "\r\n");
    }
    (void)scanner.finish();

    CHECK(scanner.header_too_large());
    CHECK(scanner.take_header().fields.size() <= 5);
}

TEST_CASE("Attack case 20: a MIME bomb is a body like any other", "[mail][scanner]") {
    const std::string header = "From: a@b\r\nContent-Type: multipart/mixed; boundary=0\r\n\r\n";
    HeaderWishes wishes;
    wishes.places = wishes.texts = bit(FieldKind::to);
    HeaderScanner scanner({}, wishes);
    scanner.feed(header);

    for (int depth = 0; depth < 10'000; ++depth) {
        scanner.feed("--0\r\nTo: x\r\nContent-Type: multipart/mixed; boundary=0\r\n\r\n");
    }
    scanner.feed("--" + std::string(1'000'000, 'b'));

    CHECK(scanner.finish().header_size == header.size());
    CHECK_FALSE(scanner.header_too_large());
    CHECK(scanner.take_header().fields.empty());
}

TEST_CASE("Attack case 31: Received fields of this node are counted", "[mail][scanner]") {
    struct Case {
        const char* text;
        bool ours;
    };

    const auto given = GENERATE(
        Case{"from a (b [192.0.2.1]) by mx.contoso.com with SMTP; now", true},
        Case{"from a\r\n\tby MX.contoso.com\r\n\twith SMTP; now", true},
        Case{"by mail.contoso.com; now", true},
        Case{"from by (x) by mx.contoso.com; now", true},
        Case{"from a (by b.example) BY (c) mx.contoso.com; now", true},
        Case{"from a by mx.contoso.com.; now", true},
        Case{"from mx.contoso.com by b.example; now", false},
        Case{"from a (by mx.contoso.com) by b.example; now", false},
        Case{"from a by b.example for mx.contoso.com; now", false},
        Case{"from a by xmx.contoso.com; now", false},
        Case{"from a (by mx.contoso.com", false},
        Case{"from a by", false},
        Case{"from", false},
        Case{";;; ", false},
        Case{"", false});
    HeaderWishes wishes;
    wishes.names = {"mx.contoso.com", "mail.contoso.com"};
    HeaderScanner scanner({}, wishes);

    const auto facts = scan(scanner, std::string("Received:") + given.text + "\r\n\r\n", 1);

    CAPTURE(given.text);
    CHECK(facts.received_count == 1);
    CHECK(facts.local_received_count == (given.ours ? 1 : 0));
    HeaderScanner nameless;
    CHECK(scan(nameless, "Received: by ; now\r\n\r\n", 1).local_received_count == 0);
}

TEST_CASE("An octet over 127 is found wherever it stands", "[mail][scanner]") {
    const std::string header = "Subject: a\r\n\r\n";
    const std::string line(1000, 'x');

    for (std::size_t at = 0; at < 40; ++at) {
        auto body = line;
        body[body.size() - 1 - at] = '\xfc';
        CHECK(scan(header + body).eight_bit);
        CHECK_FALSE(scan(header + body).smtputf8_header);
    }
    CHECK_FALSE(scan(header + line).eight_bit);
    const auto in_header = scan("Subject: \xc3\xbc\r\n\r\nbody\r\n");
    CHECK(in_header.eight_bit);
    CHECK(in_header.smtputf8_header);
    CHECK(in_header.subject == "\xc3\xbc");
    // The line that ends the header without being empty is body.
    const auto in_body = scan("A: b\r\n\xc3\xbc\r\n");
    CHECK(in_body.eight_bit);
    CHECK_FALSE(in_body.smtputf8_header);
}

TEST_CASE(
    "A message without an empty line, or without a header, is read as others read it",
    "[mail][scanner]") {
    struct Case {
        const char* text;
        std::uint64_t header_size;
        bool starts_with_blank;
        bool lacks_empty_line;
    };

    const auto [text, header_size, starts_with_blank, lacks_empty_line] = GENERATE(
        Case{"", 0, false, true},
        Case{"\r\nFrom: a\r\n", 2, false, false},
        Case{"\nFrom: a\r\n", 1, false, false},
        Case{"no header\r\nFrom: a\r\n", 0, false, true},
        Case{" From: a\r\nFrom: b\r\n", 0, true, true},
        Case{"From a@b Mon\r\nFrom: a\r\n", 0, false, true},
        Case{"A: b\r\nno field\r\nFrom: a\r\n", 6, false, true},
        Case{"A: b\r\n", 6, false, true},
        Case{"A: b", 4, false, true},
        Case{"A: b\r\n\r", 6, false, true},
        Case{": no name\r\nFrom: a\r\n", 0, false, true});
    const auto piece = GENERATE(1U, 1000U);
    HeaderScanner scanner;

    const auto facts = scan(scanner, text, piece);

    CAPTURE(text);
    CHECK(facts.header_size == header_size);
    CHECK(scanner.starts_with_blank() == starts_with_blank);
    CHECK(scanner.lacks_empty_line() == lacks_empty_line);
    CHECK_FALSE(facts.has_from);
}

TEST_CASE("A header over its limits is noticed, and the scanner stays small", "[mail][scanner]") {
    const HeaderLimits limits{.max_header_size = 1000, .max_field_size = 300, .max_fields = 20};

    SECTION("one long line") {
        HeaderScanner scanner(limits);
        scan(scanner, "A: " + std::string(295, 'x') + "\r\n\r\n", 10);
        CHECK_FALSE(scanner.header_too_large());

        HeaderScanner over(limits);
        scan(over, "A: " + std::string(296, 'x') + "\r\n\r\n", 10);
        CHECK(over.header_too_large());
    }
    SECTION("one field of many lines") {
        HeaderScanner scanner(limits);
        scanner.feed("A: b\r\n");
        for (int i = 0; i < 75; ++i) {
            scanner.feed(" c\r\n");
        }
        CHECK(scanner.header_too_large());
    }
    SECTION("the whole header") {
        HeaderScanner scanner(limits);
        for (int i = 0; i < 10; ++i) {
            scanner.feed("A: " + std::string(100, 'x') + "\r\n");
        }
        CHECK(scanner.header_too_large());
        CHECK_FALSE(scanner.too_many_fields());
    }
    SECTION("many fields") {
        HeaderScanner scanner(limits);
        for (int i = 0; i < 20; ++i) {
            scanner.feed("A: b\r\n");
        }
        CHECK_FALSE(scanner.too_many_fields());
        scanner.feed("A: b\r\n");
        CHECK(scanner.too_many_fields());
        CHECK_FALSE(scanner.header_too_large());
    }
    SECTION("the same octets in the body") {
        HeaderScanner scanner(limits);
        scan(scanner, "A: b\r\n\r\nB: " + std::string(5000, 'x') + "\r\n", 100);
        CHECK_FALSE(scanner.header_too_large());
    }
    SECTION("a first line that is no field, as long as it likes") {
        HeaderScanner scanner(limits);
        scan(scanner, std::string(5000, 'x') + "\r\n", 100);
        CHECK_FALSE(scanner.header_too_large());
    }
}

TEST_CASE(
    "A Message-ID goes into replies and logs, so it holds nothing that could harm them",
    "[mail][scanner]") {
    CHECK(scan("Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n").message_id == "<a@b>");
    CHECK(scan("Message-ID: a@b\r\n\r\n").message_id == "<a@b>");
    CHECK(
        scan("Message-ID: <a b\x01@\xc3\xbc>\r\n\r\n").message_id ==
        "<ab@?"
        "?>");
    CHECK(scan("Message-ID: <a@b\r\n\r\n").message_id == "<a@b>");
    CHECK(scan("Message-ID: <>\r\n\r\n").message_id.empty());
    CHECK(scan("Message-ID:\r\n\r\n").message_id.empty());
    CHECK(scan("Message-ID: <" + std::string(5000, 'x') + ">\r\n\r\n").message_id.size() == 1000);
}

TEST_CASE("A long subject is cut, but no character of it", "[mail][scanner]") {
    std::string subject(255, 'x');
    subject += "\xc3\xbc and more";

    CHECK(scan("Subject: " + subject + "\r\n\r\n").subject == std::string(255, 'x'));
    CHECK(scan("Subject: " + std::string(100'000, 'x') + "\r\n\r\n").subject.size() == 256);
}

}  // namespace mailflow

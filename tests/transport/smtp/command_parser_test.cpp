#include "transport/smtp/command_parser.hpp"

#include "transport/smtp/limits.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

template <class C>
C parsed(std::string_view line) {
    auto result = parse_command(line);
    INFO(line);
    const auto* reply = std::get_if<Reply>(&result);
    INFO((reply != nullptr ? reply->one_line() : ""));
    REQUIRE(reply == nullptr);
    REQUIRE(std::holds_alternative<C>(std::get<Command>(result)));
    return std::get<C>(std::get<Command>(result));
}

std::string refused(std::string_view line) {
    const auto result = parse_command(line);
    const auto* reply = std::get_if<Reply>(&result);
    return reply != nullptr ? reply->one_line() : "accepted";
}

}  // namespace

TEST_CASE("verbs are recognised in any case, with blanks around", "[smtp][command]") {
    parsed<Data>("DATA");
    parsed<Data>("data ");
    parsed<Data>("  DaTa\t");
    parsed<Rset>("rset");
    parsed<Quit>("QUIT");
    parsed<Noop>("NOOP anything <at> all");
    parsed<Help>("HELP mail");
    CHECK(parsed<Vrfy>("VRFY alice").argument == "alice");
    parsed<Unknown>("FOO bar");
    parsed<Unknown>("");
    parsed<Unknown>("MAILFROM:<a@b>");
}

TEST_CASE("known verbs that are not offered are recognised as such", "[smtp][command]") {
    const auto* line =
        GENERATE("ETRN x", "turn", "ATRN", "SEND", "SOML", "SAML", "XFORWARD", "BURL");
    parsed<Unsupported>(line);
}

TEST_CASE("HTTP on the SMTP port is recognised", "[smtp][command]") {
    const auto* line = GENERATE("GET / HTTP/1.1", "post /x HTTP/1.0", "CONNECT a:25 HTTP/1.1");
    parsed<ForeignProtocol>(line);
}

TEST_CASE("HELO and EHLO take a domain or an address literal", "[smtp][command]") {
    const auto* name = GENERATE(
        "mail.contoso.com",
        "localhost",
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
        "my_pc",
        "host.",
        "192.0.2.1");

    CHECK(parsed<Ehlo>(std::string("EHLO ") + name).name == name);
    CHECK(parsed<Helo>(std::string("helo  ") + name + " ").name == name);
}

TEST_CASE("HELO and EHLO refuse what is no name", "[smtp][command]") {
    const std::string name = GENERATE(
        std::string(),
        "a b",
        "<a>",
        "a@b",
        "[]",
        "[",
        "[1.2.3.4",
        "a..b",
        ".a",
        "b\xc3\xbc"
        "cher.example",
        "a,b",
        std::string(256, 'a'));

    CHECK(refused("EHLO " + name) == "501 5.5.4 Invalid domain name");
    CHECK(refused("HELO " + name) == "501 5.5.4 Invalid domain name");
}

TEST_CASE("RFC 5321 §4.1.1.2: MAIL with its parameters", "[smtp][command]") {
    CHECK(parsed<Mail>("MAIL FROM:<alice@contoso.com>").path.text() == "alice@contoso.com");
    CHECK(parsed<Mail>("mail from: <alice@contoso.com> ").path.text() == "alice@contoso.com");
    CHECK(parsed<Mail>("MAIL FROM:<>").path.is_null());
    CHECK(
        parsed<Mail>("MAIL FROM:<@relay.example,@b.example:alice@contoso.com>").path.text() ==
        "alice@contoso.com");
    CHECK(
        parsed<Mail>("MAIL FROM:<\"a >b\\\" c\"@contoso.com> SIZE=5").path.address().local() ==
        "a >b\" c");

    const auto mail = parsed<Mail>("MAIL FROM:<a@contoso.com> SIZE=1000 body=8bitmime SMTPUTF8");
    CHECK(mail.size == 1000);
    CHECK(mail.body == BodyType::eight_bit_mime);
    CHECK(mail.smtputf8);
    CHECK(parsed<Mail>("MAIL FROM:<a@contoso.com> BODY=7BIT").body == BodyType::seven_bit);
    CHECK(parsed<Mail>("MAIL FROM:<a@contoso.com> SIZE=99999999999999999999").size == UINT64_MAX);
}

TEST_CASE("attack case 25: malformed paths are refused with 501", "[smtp][command]") {
    const std::string path = GENERATE(
        std::string(),
        "alice@contoso.com",
        "<alice@contoso.com",
        "<\"alice@contoso.com>",
        "<a@b> <c@d>",
        "<a@b>SIZE=5",
        "<@a,@b:c@>",
        "<a b@c.example>",
        "<a@-b.example>",
        "<a@b@c.example>",
        "<" + std::string(10'000, 'x') + "@c.example>",
        "<" + std::string(65, 'x') + "@c.example>",
        "<a\xff@c.example>",
        "<a@" + std::string(64, 'x') + ".example>");

    INFO(path);
    const auto mail = refused("MAIL FROM:" + path);
    CHECK((mail == "501 5.1.7 Invalid address" || mail == "501 5.5.4 Invalid arguments"));
    const auto rcpt = refused("RCPT TO:" + path);
    CHECK((rcpt == "501 5.1.3 Invalid address" || rcpt == "501 5.5.4 Invalid arguments"));
}

TEST_CASE("MAIL and RCPT name their address class", "[smtp][command]") {
    CHECK(refused("MAIL FROM:<a b@c>") == "501 5.1.7 Invalid address");
    CHECK(refused("RCPT TO:<a b@c>") == "501 5.1.3 Invalid address");
    CHECK(refused("RCPT TO:<>") == "501 5.1.3 Invalid address");
    CHECK(refused("MAIL") == "501 5.5.4 Invalid arguments");
    CHECK(refused("MAIL TO:<a@b>") == "501 5.5.4 Invalid arguments");
    CHECK(refused("RCPT FROM:<a@b>") == "501 5.5.4 Invalid arguments");
}

TEST_CASE("RFC 5321 §4.5.3.1.3: a path is at most 256 octets", "[smtp][command]") {
    const std::string label = std::string(61, 'd') + '.';
    const std::string domain = label + label + label + std::string(3, 'e');  // 189
    const std::string fits = '<' + std::string(64, 'l') + '@' + domain + '>';
    const std::string route = "<@" + label + "x:" + fits.substr(1);

    REQUIRE(fits.size() <= kMaxPath);
    REQUIRE(route.size() > kMaxPath);
    parsed<Mail>("MAIL FROM:" + fits);
    CHECK(refused("MAIL FROM:" + route) == "501 5.1.7 Invalid address");
}

TEST_CASE("RFC 6531 §3.5: a UTF-8 address needs SMTPUTF8", "[smtp][command]") {
    CHECK(
        refused("MAIL FROM:<j\xc3\xb6rg@contoso.com>") ==
        "553 5.6.7 Internationalized address requires SMTPUTF8");
    CHECK(
        refused("MAIL FROM:<a@b\xc3\xbc"
                "cher.example>") == "553 5.6.7 Internationalized address requires SMTPUTF8");
    CHECK(parsed<Mail>("MAIL FROM:<j\xc3\xb6rg@contoso.com> SMTPUTF8")
              .path.address()
              .needs_smtputf8());
    CHECK(parsed<Rcpt>("RCPT TO:<j\xc3\xb6rg@contoso.com>").has_utf8);
}

TEST_CASE("attack case 12: control octets are refused, never cut at", "[smtp][command]") {
    using namespace std::string_literals;
    const auto line = GENERATE(
        "NOOP\0"s,
        "\0"s,
        "EHLO a\0b"s,
        "MAIL FROM:<a\x01@b>"s,
        "RCPT TO:<a@b>\x7f"s,
        "QUIT\r"s,
        "\x16\x03\x01"s);

    CHECK(refused(line) == "500 5.5.2 Invalid character in command");
}

TEST_CASE("commands without arguments refuse arguments", "[smtp][command]") {
    // RFC 3207 §4: STARTTLS has none.
    const auto* line = GENERATE("DATA x", "RSET x", "QUIT x", "STARTTLS x", "VRFY", "EXPN");
    CHECK(refused(line) == "501 5.5.4 Invalid arguments");
}

TEST_CASE("RFC 2920 §3.1: which commands end a pipelined group", "[smtp][command]") {
    for (const auto* line :
         {"EHLO a",
          "HELO a",
          "DATA",
          "VRFY a",
          "EXPN a",
          "NOOP",
          "QUIT",
          "STARTTLS",
          "AUTH LOGIN"}) {
        CHECK(ends_group(std::get<Command>(parse_command(line))));
    }
    for (const auto* line : {"MAIL FROM:<>", "RCPT TO:<a@b>", "RSET", "BDAT 1"}) {
        CHECK_FALSE(ends_group(std::get<Command>(parse_command(line))));
    }
}

TEST_CASE("RFC 3030 §2: BDAT has a length and at most LAST", "[smtp][command]") {
    CHECK(parsed<Bdat>("BDAT 86").size == 86);
    CHECK_FALSE(parsed<Bdat>("BDAT 86").last);
    CHECK(parsed<Bdat>("bdat 0 last").last);
    CHECK(parsed<Bdat>("BDAT  007\tLAST ").size == 7);
    CHECK(parsed<Bdat>("BDAT 18446744073709551616").size == UINT64_MAX);

    const auto* line = GENERATE(
        "BDAT",
        "BDAT LAST",
        "BDAT -1",
        "BDAT +1",
        "BDAT 0x10",
        "BDAT 1.5",
        "BDAT 5 LASTLY",
        "BDAT 5 FIRST",
        "BDAT 5 LAST 6",
        "BDAT 5,LAST");
    CHECK(refused(line) == "501 5.5.4 Invalid arguments");
}

TEST_CASE("RFC 4954 §4: AUTH with and without an initial response", "[smtp][command]") {
    CHECK(parsed<Auth>("AUTH LOGIN").mechanism == "LOGIN");
    CHECK_FALSE(parsed<Auth>("AUTH LOGIN").initial);
    CHECK(parsed<Auth>("auth scram-sha-256 biws").mechanism == "SCRAM-SHA-256");
    CHECK(parsed<Auth>("AUTH PLAIN AGEAYg==").initial == std::string("\0a\0b", 4));
    CHECK(parsed<Auth>("AUTH EXTERNAL =").initial == "");
    CHECK(parsed<Auth>("AUTH PLAIN " + std::string(12272, 'A')).initial->size() == 9204);
}

TEST_CASE("attack case 24: malformed AUTH is refused", "[smtp][command]") {
    CHECK(refused("AUTH") == "501 5.5.4 Invalid arguments");
    CHECK(refused("AUTH PLAIN a b") == "501 5.5.4 Invalid arguments");
    CHECK(refused("AUTH PL/AIN") == "501 5.5.4 Invalid arguments");
    CHECK(refused("AUTH " + std::string(21, 'A')) == "501 5.5.4 Invalid arguments");

    const auto* initial = GENERATE(
        "A", "AB", "ABC", "ABC=D", "AGEAYg", "AGEAYg=", "AGEAYg===", "AGEAYh==", "A!EA", "==");
    CHECK(refused(std::string("AUTH PLAIN ") + initial) == "501 5.5.2 Cannot decode base64");
}

TEST_CASE("RFC 6531 §3.7.4.2: VRFY and EXPN with SMTPUTF8", "[smtp][command]") {
    CHECK(parsed<Vrfy>("VRFY j\xc3\xb6rg smtputf8").argument == "j\xc3\xb6rg");
    CHECK(parsed<Vrfy>("VRFY j\xc3\xb6rg SMTPUTF8").smtputf8);
    CHECK(parsed<Expn>("EXPN all staff").argument == "all staff");
    CHECK_FALSE(parsed<Expn>("EXPN all staff").smtputf8);
    CHECK(refused("VRFY j\xc3\xb6rg") == "553 5.6.7 Internationalized address requires SMTPUTF8");
}

TEST_CASE("XCLIENT says on whose behalf a front end connects", "[smtp][command]") {
    const auto client = parsed<Xclient>(
        "XCLIENT NAME=spike.example ADDR=192.0.2.7 port=4711 PROTO=ESMTP HELO=a+2Bb LOGIN=bob");
    CHECK(client.name == "spike.example");
    CHECK(client.address == IpAddress::parse("192.0.2.7").value());
    CHECK(client.port == 4711);
    CHECK(client.extended == true);
    CHECK(client.helo == "a+b");
    CHECK(client.login == "bob");
    CHECK(
        parsed<Xclient>("XCLIENT ADDR=IPV6:2001:db8::1").address ==
        IpAddress::parse("2001:db8::1").value());
    CHECK(parsed<Xclient>("XCLIENT PROTO=smtp").extended == false);

    const auto unknown = parsed<Xclient>(
        "XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE] HELO=[TEMPUNAVAIL]");
    CHECK(unknown.name == "");
    CHECK(unknown.helo == "");
    CHECK_FALSE(unknown.address);
    CHECK_FALSE(unknown.port);
    CHECK_FALSE(unknown.login);
}

TEST_CASE("malformed XCLIENT is refused", "[smtp][command]") {
    const std::string attributes = GENERATE(
        std::string(),
        "NAME",
        "ADDR=spike",
        "ADDR=IPV6:",
        "ADDR=[192.0.2.7]",
        "ADDR=192.0.2.7 ADDR=192.0.2.7",
        "PORT=65536",
        "PORT=-1",
        "PORT=",
        "PROTO=HTTP",
        "HELO=a+0Ab",
        "HELO=a+",
        "NAME=a NAME=a",
        "LOGIN=" + std::string(256, 'a'),
        "COLOUR=red");

    CHECK(refused("XCLIENT " + attributes) == "501 5.5.4 Invalid arguments");
}

TEST_CASE("the verb of any line is its first word", "[smtp][command]") {
    CHECK(verb_of("  mail FROM:<>") == "mail");
    CHECK(verb_of("\tQUIT") == "QUIT");
    CHECK(verb_of("   ").empty());
}

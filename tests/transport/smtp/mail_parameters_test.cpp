#include "transport/smtp/mail_parameters.hpp"

#include "transport/smtp/limits.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

constexpr auto kInvalid = "501 5.5.4 Invalid arguments";
constexpr auto kUnsupported = "555 5.5.4 Unsupported option";

template <class C>
C parsed(std::string_view parameters) {
    C command = [] {
        if constexpr (std::is_same_v<C, Rcpt>) {
            return Rcpt{ForwardPath::postmaster()};
        } else {
            return Mail{};
        }
    }();
    INFO(parameters);
    const auto refusal = parse_parameters(parameters, command);
    INFO((refusal ? refusal->one_line() : ""));
    REQUIRE_FALSE(refusal);
    return command;
}

template <class C>
std::string refused(std::string_view parameters, C command) {
    const auto refusal = parse_parameters(parameters, command);
    return refusal ? refusal->one_line() : "accepted";
}

std::string refused_mail(std::string_view parameters) {
    return refused(parameters, Mail{});
}

std::string refused_rcpt(std::string_view parameters) {
    return refused(parameters, Rcpt{ForwardPath::postmaster()});
}

UtcTime at(std::string_view seconds_since_epoch) {
    return UtcTime(std::chrono::seconds(std::stoll(std::string(seconds_since_epoch))));
}

}  // namespace

TEST_CASE("without parameters nothing is asked for", "[smtp][parameters]") {
    const auto mail = parsed<Mail>("  \t ");

    CHECK_FALSE(mail.size);
    CHECK_FALSE(mail.body);
    CHECK_FALSE(mail.smtputf8);
    CHECK_FALSE(mail.dsn_return);
    CHECK_FALSE(mail.envelope_id);
    CHECK_FALSE(mail.authenticated_sender);
    CHECK_FALSE(mail.require_tls);
    CHECK_FALSE(mail.priority);
    CHECK_FALSE(mail.hold);
    CHECK_FALSE(mail.deliver_by);
    CHECK(parsed<Rcpt>("").dsn == DsnRequest{});
}

TEST_CASE("all parameters of MAIL at once, in any case", "[smtp][parameters]") {
    const auto mail = parsed<Mail>(
        "size=1000 Body=binarymime smtputf8 RET=hdrs envid=QQ314159 AUTH=e+3Dmc2@example.com "
        "RequireTLS mt-priority=-3 HOLDFOR=86400 by=120;rt");

    CHECK(mail.size == 1000);
    CHECK(mail.body == BodyType::binary_mime);
    CHECK(mail.smtputf8);
    CHECK(mail.dsn_return == DsnReturn::headers);
    CHECK(mail.envelope_id == "QQ314159");
    CHECK(mail.authenticated_sender == "e=mc2@example.com");
    CHECK(mail.require_tls);
    CHECK(mail.priority == -3);
    REQUIRE(mail.hold);
    CHECK(mail.hold->hold_for == 86400);
    CHECK(mail.deliver_by == DeliverBy{120, true, true});
}

TEST_CASE("RFC 5321 §4.1.1.11: a keyword nobody knows is 555", "[smtp][parameters]") {
    CHECK(refused_mail("FOO") == kUnsupported);
    CHECK(refused_mail("SIZE=1 FOO=1") == kUnsupported);
    CHECK(refused_mail("NOTIFY=NEVER") == kUnsupported);
    CHECK(refused_rcpt("FOO=1") == kUnsupported);
    CHECK(refused_rcpt("SIZE=1") == kUnsupported);
}

TEST_CASE("RFC 5321 §4.1.2: what is no parameter is 501", "[smtp][parameters]") {
    const auto* text =
        GENERATE("=5", "-A=5", "A=b=c", "@", "SIZE==1", "A\xc3\xb6=1", "SIZE=1,BODY=7BIT");

    CHECK(refused_mail(text) == kInvalid);
    CHECK(refused_rcpt(text) == kInvalid);
}

TEST_CASE("a parameter given twice is 501", "[smtp][parameters]") {
    const auto* text = GENERATE(
        "SIZE=1",
        "BODY=7BIT",
        "SMTPUTF8",
        "RET=FULL",
        "ENVID=a",
        "AUTH=<>",
        "REQUIRETLS",
        "MT-PRIORITY=0",
        "HOLDFOR=1",
        "HOLDUNTIL=2030-01-01T00:00:00Z",
        "BY=1;N");
    CHECK(refused_mail(text) == "accepted");
    CHECK(refused_mail(std::string(text) + ' ' + text) == kInvalid);

    const auto* rcpt = GENERATE("NOTIFY=NEVER", "ORCPT=rfc822;a@b.example");
    CHECK(refused_rcpt(rcpt) == "accepted");
    CHECK(refused_rcpt(std::string(rcpt) + ' ' + rcpt) == kInvalid);
}

TEST_CASE("RFC 1870 §3: SIZE", "[smtp][parameters]") {
    CHECK(parsed<Mail>("SIZE=0").size == 0);
    CHECK(parsed<Mail>("SIZE=99999999999999999999").size == UINT64_MAX);
    const auto* text =
        GENERATE("SIZE", "SIZE=", "SIZE=-1", "SIZE=+1", "SIZE=1x", "SIZE=123456789012345678901");
    CHECK(refused_mail(text) == kInvalid);
}

TEST_CASE("RFC 6152, RFC 3030: BODY", "[smtp][parameters]") {
    CHECK(parsed<Mail>("BODY=7BIT").body == BodyType::seven_bit);
    CHECK(parsed<Mail>("BODY=8BitMIME").body == BodyType::eight_bit_mime);
    CHECK(parsed<Mail>("BODY=BINARYMIME").body == BodyType::binary_mime);
    const auto* text = GENERATE("BODY", "BODY=", "BODY=8BIT", "BODY=BINARY", "BODY=7BIT,8BITMIME");
    CHECK(refused_mail(text) == kInvalid);
}

TEST_CASE("RFC 6531, RFC 8689: SMTPUTF8 and REQUIRETLS have no value", "[smtp][parameters]") {
    CHECK(refused_mail("SMTPUTF8=1") == kInvalid);
    CHECK(refused_mail("SMTPUTF8=") == kInvalid);
    CHECK(refused_mail("REQUIRETLS=YES") == kInvalid);
}

TEST_CASE("RFC 3461 §4.3, §4.4: RET and ENVID", "[smtp][parameters]") {
    CHECK(parsed<Mail>("RET=full").dsn_return == DsnReturn::full);
    CHECK(parsed<Mail>("ENVID=a+20b+2B").envelope_id == "a b+");
    CHECK(parsed<Mail>("ENVID=" + std::string(kMaxEnvelopeId, 'x')).envelope_id->size() == 100);

    const std::string text = GENERATE(
        std::string("RET"),
        "RET=",
        "RET=BODY",
        "ENVID",
        "ENVID=",
        "ENVID=a+b",
        "ENVID=a+3d",
        // Attack case 27.
        "ENVID=a+0D+0AMAIL",
        "ENVID=a+00",
        "ENVID=j+C3+B6",
        "ENVID=j\xc3\xb6",
        "ENVID=" + std::string(kMaxEnvelopeId + 1, 'x'));
    CHECK(refused_mail(text) == kInvalid);
}

TEST_CASE("RFC 4954 §5: MAIL AUTH=", "[smtp][parameters]") {
    CHECK(parsed<Mail>("AUTH=<>").authenticated_sender == "<>");
    CHECK(parsed<Mail>("AUTH=+3C+3E").authenticated_sender == "<>");
    CHECK(parsed<Mail>("AUTH=a+2Bb@example.com").authenticated_sender == "a+b@example.com");

    const std::string text = GENERATE(
        std::string("AUTH"),
        "AUTH=",
        "AUTH=bob",
        "AUTH=<bob@example.com>",
        "AUTH=a+b@example.com",
        "AUTH=a+0Ab@example.com",
        "AUTH=a@b+0A",
        "AUTH=" + std::string(kMaxAuthParameter, 'x') + "@b");
    CHECK(refused_mail(text) == kInvalid);
}

TEST_CASE("RFC 6710 §4.1: MT-PRIORITY is one digit", "[smtp][parameters]") {
    CHECK(parsed<Mail>("MT-PRIORITY=9").priority == 9);
    CHECK(parsed<Mail>("MT-PRIORITY=0").priority == 0);
    CHECK(parsed<Mail>("MT-PRIORITY=-9").priority == -9);
    const auto* value = GENERATE("", "=", "=10", "=-10", "=-0", "=+3", "=03", "=a", "=-", "=--1");
    CHECK(refused_mail(std::string("MT-PRIORITY") + value) == kInvalid);
}

TEST_CASE("RFC 4865 §4: HOLDFOR and HOLDUNTIL", "[smtp][parameters]") {
    CHECK(parsed<Mail>("HOLDFOR=1").hold->hold_for == 1);
    CHECK(parsed<Mail>("HOLDFOR=999999999").hold->hold_for == 999999999);
    CHECK(parsed<Mail>("HOLDUNTIL=2030-01-01T00:00:00Z").hold->hold_until == at("1893456000"));
    CHECK(parsed<Mail>("HOLDUNTIL=2030-01-01T01:00:00+01:00").hold->hold_until == at("1893456000"));

    const auto* text = GENERATE(
        "HOLDFOR",
        "HOLDFOR=",
        "HOLDFOR=0",
        "HOLDFOR=01",
        "HOLDFOR=-1",
        "HOLDFOR=1000000000",
        "HOLDUNTIL",
        "HOLDUNTIL=tomorrow",
        "HOLDUNTIL=2030-01-01",
        "HOLDUNTIL=2030-01-01T00:00:00",
        "HOLDUNTIL=2030-13-01T00:00:00Z",
        "HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z",
        "HOLDUNTIL=2030-01-01T00:00:00Z HOLDFOR=1");
    CHECK(refused_mail(text) == kInvalid);
}

TEST_CASE("RFC 2852 §4: BY", "[smtp][parameters]") {
    CHECK(parsed<Mail>("BY=120;R").deliver_by == DeliverBy{120, true, false});
    CHECK(parsed<Mail>("BY=+5;N").deliver_by == DeliverBy{5, false, false});
    CHECK(parsed<Mail>("BY=-999999999;nt").deliver_by == DeliverBy{-999999999, false, true});
    CHECK(parsed<Mail>("BY=0;N").deliver_by == DeliverBy{0, false, false});

    const auto* value = GENERATE(
        "",
        "=",
        "=120",
        "=120;",
        "=;R",
        "=120;X",
        "=120;T",
        "=120;RTT",
        "=120;RX",
        "=120;TR",
        "=1000000000;N",
        "=--1;N",
        "=+;N",
        "=1.5;N",
        "=120,R",
        // Nothing can be returned for being late before it was sent.
        "=0;R",
        "=-1;R",
        "=0;RT");
    CHECK(refused_mail(std::string("BY") + value) == kInvalid);
}

TEST_CASE("RFC 3461 §4.1: NOTIFY", "[smtp][parameters]") {
    const auto notify = [](std::string_view value) {
        return parsed<Rcpt>("NOTIFY=" + std::string(value)).dsn.notify;
    };
    CHECK(notify("NEVER") == 1);
    CHECK(notify("success") == 2);
    CHECK(notify("FAILURE,Delay") == 12);
    CHECK(notify("SUCCESS,FAILURE,DELAY") == 14);

    const auto* value = GENERATE(
        "",
        "=",
        "=ALWAYS",
        "=NEVER,FAILURE",
        "=FAILURE,NEVER",
        "=FAILURE,",
        "=,FAILURE",
        "=FAILURE,,DELAY",
        "=FAILURE;DELAY");
    CHECK(refused_rcpt(std::string("NOTIFY") + value) == kInvalid);
}

TEST_CASE("RFC 3461 §4.2, RFC 6533 §3: ORCPT is kept decoded", "[smtp][parameters]") {
    struct Row {
        std::string_view value;
        std::string_view kept;
    };

    const auto row = GENERATE(
        Row{"rfc822;bob@contoso.com", "rfc822;bob@contoso.com"},
        Row{"RFC822;Bob+2Btag@contoso.com", "rfc822;Bob+tag@contoso.com"},
        Row{"rfc822;", "rfc822;"},
        Row{"x400;/c+3Dus/a+3D+20/", "x400;/c=us/a= /"},
        Row{"utf-8;bob@contoso.com", "utf-8;bob@contoso.com"},
        Row{"UTF-8;j\\x{F6}rg@contoso.com", "utf-8;j\xc3\xb6rg@contoso.com"},
        Row{"utf-8;a\\x{2B}b@contoso.com", "utf-8;a+b@contoso.com"},
        // Not of the type it says, yet understood.
        Row{"rfc822;j+C3+B6rg@contoso.com", "utf-8;j\xc3\xb6rg@contoso.com"});

    const auto rcpt = parsed<Rcpt>("ORCPT=" + std::string(row.value));
    CHECK(rcpt.dsn.original_recipient == row.kept);
    CHECK_FALSE(rcpt.has_utf8);
}

TEST_CASE("RFC 6533 §3: UTF-8 as it is in ORCPT needs SMTPUTF8", "[smtp][parameters]") {
    const auto rcpt = parsed<Rcpt>("ORCPT=utf-8;j\xc3\xb6rg@contoso.com");

    CHECK(rcpt.dsn.original_recipient == "utf-8;j\xc3\xb6rg@contoso.com");
    CHECK(rcpt.has_utf8);
}

TEST_CASE("malformed ORCPT is 501", "[smtp][parameters]") {
    const std::string value = GENERATE(
        std::string(),
        "=",
        "=bob@contoso.com",
        "=;bob@contoso.com",
        "=rfc 822;bob",
        "=(x);bob",
        "=rfc822;bob+tag@contoso.com",
        "=rfc822;a=b",
        "=rfc822;j\xc3\xb6rg@contoso.com",
        "=utf-8;",
        "=utf-8;a+2Bb",
        "=utf-8;j\\x{f6}rg",
        "=utf-8;j\xc3rg",
        // Attack cases 26 and 27.
        "=rfc822;a+0D+0Ab",
        "=rfc822;a+C0+AF",
        "=utf-8;a\\x{0A}b",
        "=rfc822;" + std::string(kMaxOriginalRecipient - 6, 'x'));

    CHECK(refused_rcpt("ORCPT" + value) == kInvalid);
}

#include "transport/addressing/header_rewriter.hpp"

#include "tests/support/property_seeds.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/transport/addressing/recipients.hpp"
#include "transport/base/ascii.hpp"
#include "transport/mail/submission_policy.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace mailflow {

namespace {

const std::string kBody = "\r\nFrom: david@corp.contoso.com\r\n";

std::optional<EmailAddress> to_contoso(const EmailAddress& from) {
    if (from.domain_text() != "corp.contoso.com") {
        return std::nullopt;
    }
    return EmailAddress::of(from.local(), domain("contoso.com"));
}

std::optional<EmailAddress> to_support(const EmailAddress& from) {
    return from.domain_text() == "corp.contoso.com" ? std::optional(address("support@contoso.com"))
                                                    : std::nullopt;
}

ScannedHeader scan(const std::string& text, HeaderWishes wishes = {}) {
    wishes.places |= rewritable_fields(true);
    wishes.texts |= rewritable_fields(true);
    HeaderScanner scanner({}, wishes);
    scanner.feed(text);
    (void)scanner.finish();
    return scanner.take_header();
}

std::string applied(const std::vector<HeaderEdit>& edits, std::string text) {
    std::uint64_t end = 0;
    for (const auto& edit : edits) {
        REQUIRE(edit.offset >= end);
        end = edit.offset + edit.length;
    }
    std::for_each(edits.rbegin(), edits.rend(), [&text](const auto& edit) {
        text.replace(edit.offset, edit.length, edit.text);
    });
    return text;
}

std::string rewritten(
    const std::string& header, const AddressMap& senders, const AddressMap& recipients = {}) {
    const auto text = header + kBody;
    const auto result = rewrite_header(scan(text), {}, senders, recipients);
    const auto after = applied(result.edits, text);
    REQUIRE(after.ends_with(kBody));
    CHECK(result.changes.empty() == (after == text));
    return after.substr(0, after.size() - kBody.size());
}

}  // namespace

TEST_CASE(
    "Reference 4.8: the fields that are rewritten, and those that are not",
    "[addressing][header]") {
    const auto* name = GENERATE(
        "From",
        "Sender",
        "Reply-To",
        "Return-Receipt-To",
        "Disposition-Notification-To",
        "Resent-From",
        "resent-SENDER");
    const auto field = std::string(name) + ": David <david@corp.contoso.com>\r\n";

    CHECK(rewritten(field, to_contoso) == std::string(name) + ": David <david@contoso.com>\r\n");
    CHECK(rewritten(field, {}, to_contoso) == field);
}

TEST_CASE("Reference 4.8: To and Cc have a map of their own", "[addressing][header]") {
    const auto* name = GENERATE("To", "CC");
    const auto field = std::string(name) + ": david@corp.contoso.com\r\n";

    CHECK(rewritten(field, to_contoso) == field);
    CHECK(rewritten(field, {}, to_contoso) == std::string(name) + ": david@contoso.com\r\n");
    CHECK((rewritable_fields(false) & bit(FieldKind::to)) == 0);
    CHECK((rewritable_fields(true) & bit(FieldKind::cc)) != 0);
}

TEST_CASE("Reference 4.8: what is never rewritten", "[addressing][header]") {
    const auto* field = GENERATE(
        "Return-Path: <david@corp.contoso.com>\r\n",
        "Received: from a by b for <david@corp.contoso.com>; now\r\n",
        "Message-ID: <david@corp.contoso.com>\r\n",
        "References: <david@corp.contoso.com>\r\n",
        "X-Original-From: david@corp.contoso.com\r\n",
        "Subject: david@corp.contoso.com\r\n",
        "Resent-To: david@corp.contoso.com\r\n",
        "Bcc: david@corp.contoso.com\r\n");

    CHECK(rewritten(field, to_contoso, to_contoso) == field);
}

TEST_CASE("Only the address changes, whatever stands around it", "[addressing][header]") {
    struct Case {
        const char* before;
        const char* after;
    };

    const auto [before, after] = GENERATE(
        Case{"From:david@corp.contoso.com\r\n", "From:support@contoso.com\r\n"},
        Case{"From :\t david@corp.contoso.com \t\r\n", "From :\t support@contoso.com \t\r\n"},
        Case{
            "From: \"Pelton, David <x@corp.contoso.com>\" (david@corp.contoso.com)\r\n "
            "<david@corp.contoso.com> (home)\r\n",
            "From: \"Pelton, David <x@corp.contoso.com>\" (david@corp.contoso.com)\r\n "
            "<support@contoso.com> (home)\r\n"},
        Case{
            "From: =?utf-8?Q?J=C3=B6rg?= <david@corp.contoso.com>\r\n",
            "From: =?utf-8?Q?J=C3=B6rg?= <support@contoso.com>\r\n"},
        Case{
            "From: =?utf-8?Q?david@corp.contoso.com?= <david@corp.contoso.com>\r\n",
            "From: =?utf-8?Q?david@corp.contoso.com?= <support@contoso.com>\r\n"},
        Case{
            "From: david@corp.contoso.com <david@corp.contoso.com>\r\n",
            "From: david@corp.contoso.com <support@contoso.com>\r\n"},
        Case{
            "From: J\xc3\xb6rg <david@corp.contoso.com>\r\n",
            "From: J\xc3\xb6rg <support@contoso.com>\r\n"},
        Case{
            "From: Team: david@corp.contoso.com,\r\n\tKim <kim@corp.contoso.com>, a@b;, c@d\r\n",
            "From: Team: support@contoso.com,\r\n\tKim <support@contoso.com>, a@b;, c@d\r\n"},
        Case{
            "From: david (it's) @ (me)\r\n corp.contoso.com\r\n",
            "From: support (it's) @ (me)\r\n contoso.com\r\n"},
        Case{"From: \"david\"@corp.contoso.com\r\n", "From: support@contoso.com\r\n"},
        Case{
            "From: <@relay.example:david@CORP.contoso.com>\r\n",
            "From: <@relay.example:support@contoso.com>\r\n"},
        Case{"From: ,, david@corp.contoso.com ,,\r\n", "From: ,, support@contoso.com ,,\r\n"},
        Case{"From: david@corp.contoso.com\n", "From: support@contoso.com\n"},
        Case{
            "From: david@corp.contoso.com, broken\" x@corp.contoso.com\r\n",
            "From: support@contoso.com, broken\" x@corp.contoso.com\r\n"},
        Case{"From: david\r\n", "From: david\r\n"},
        Case{"From: david@fabrikam.com\r\n", "From: david@fabrikam.com\r\n"},
        Case{"From:\r\n", "From:\r\n"},
        Case{"From: undisclosed:;\r\n", "From: undisclosed:;\r\n"});

    CAPTURE(before);
    CHECK(rewritten(before, to_support) == after);
}

TEST_CASE("The part of an address that stays is not touched", "[addressing][header]") {
    CHECK(
        rewritten("From: \"david\" (x) @ corp.contoso.com\r\n", to_contoso) ==
        "From: \"david\" (x) @ contoso.com\r\n");

    const std::string text = "From: \"david\"@corp.contoso.com\r\n" + kBody;
    const auto result = rewrite_header(scan(text), {}, to_contoso, {});
    CHECK(result.edits == std::vector<HeaderEdit>{{14, 16, "contoso.com"}});
}

TEST_CASE("Changes are told with the field they are in", "[addressing][header]") {
    const std::string text = "FROM: a@corp.contoso.com, b@d\r\nTo: c@corp.contoso.com\r\n" + kBody;

    const auto result = rewrite_header(scan(text), {}, to_contoso, to_support);

    REQUIRE(result.changes.size() == 2);
    CHECK(result.changes[0].field == "FROM");
    CHECK(result.changes[0].from == address("a@corp.contoso.com"));
    CHECK(result.changes[0].to == address("a@contoso.com"));
    CHECK(result.changes[1].field == "To");
    CHECK(result.changes[1].to == address("support@contoso.com"));
}

TEST_CASE("RFC 6532: no UTF-8 is put into a header that has none", "[addressing][header]") {
    const auto to_joerg = [](const EmailAddress&) {
        return std::optional(address("j\xc3\xb6rg@contoso.com"));
    };

    CHECK(rewritten("From: a@d\r\n", to_joerg) == "From: a@d\r\n");
    CHECK(
        rewritten("From: a@d\r\nSubject: \xc3\xb6\r\n", to_joerg) ==
        "From: j\xc3\xb6rg@contoso.com\r\nSubject: \xc3\xb6\r\n");
    CHECK(
        rewritten("From: j\xc3\xb6rg@corp.contoso.com\r\n", to_contoso) ==
        "From: j\xc3\xb6rg@contoso.com\r\n");
}

TEST_CASE("RFC 5322 section 2.1.1: no line grows over 998 octets", "[addressing][header]") {
    const auto to_long = [](const EmailAddress& from) {
        return std::optional(EmailAddress::of(from.local() + std::string(50, 'x'), domain("d")));
    };
    std::string field = "Reply-To: ";
    for (int i = 0; i < 80; ++i) {
        field += (i > 0 ? ", <" : "<") + std::to_string(100 + i) + "@corp>";
    }

    const auto after = rewritten(field + "\r\n", to_long);

    for (const auto line : ascii::split(after, '\n')) {
        CHECK(line.size() <= 998 + 1);  // with its CR
    }
    auto expected = field;
    for (int i = 0; i < 80; ++i) {
        const auto local = std::to_string(100 + i);
        const auto at = expected.find("<" + local + "@corp>") + 1;
        expected.replace(at, local.size() + 5, local + std::string(50, 'x') + "@d");
    }
    auto unfolded = after;
    for (auto at = unfolded.find("\r\n "); at != std::string::npos; at = unfolded.find("\r\n ")) {
        unfolded.erase(at, 3);
    }
    CHECK(unfolded == expected + "\r\n");
    CHECK(std::count(after.begin(), after.end(), '\n') > 4);
}

TEST_CASE(
    "A long line is not folded where a line of blanks would be left", "[addressing][header]") {
    const auto tail = " (" + std::string(960, 'x') + ")\r\n";
    const auto to_long = [](const EmailAddress&) {
        return std::optional(address(std::string(60, 'l') + "@d"));
    };

    CHECK(
        rewritten("From:\r\n a@b" + tail, to_long) ==
        "From:\r\n " + std::string(60, 'l') + "@d" + tail);
}

TEST_CASE("No more addresses are rewritten than the limit says", "[addressing][header]") {
    std::string field = "From: ";
    for (std::size_t i = 0; i < kMaxRewrittenAddresses + 10; ++i) {
        field += "a@b,";
    }
    const auto text = field + "\r\n" + kBody;
    std::size_t asked = 0;

    const auto to_c = [&asked](const EmailAddress&) {
        ++asked;
        return std::optional(address("a@c"));
    };
    const auto result = rewrite_header(scan(text), {}, to_c, {});

    CHECK(asked == kMaxRewrittenAddresses);
    CHECK(result.changes.size() == kMaxRewrittenAddresses);
}

TEST_CASE("What submission completes and puts right is rewritten too", "[addressing][header]") {
    const std::string text =
        "Sender: boss@elsewhere.example\r\nBcc: x@corp.contoso.com\r\n"
        "From: david, Kim <kim (x)>, lee@corp.contoso.com\r\nReply-To: david\r\n"
        "To: ann, bob@corp.contoso.com\r\n" +
        kBody;
    HeaderContext context;
    auto& submission = context.submission.emplace();
    submission.default_domain = "corp.contoso.com";
    submission.message_id = "<1@contoso.com>";
    submission.sender_policy = SenderPolicy::fix;
    submission.account = address("pa@corp.contoso.com");
    const auto header = scan(text, wishes_for(context));
    auto decision = decide_header(header, context);
    REQUIRE_FALSE(decision.edits.empty());

    const auto result = rewrite_header(header, decision.edits, to_contoso, {});

    CHECK(
        applied(result.edits, text) ==
        "Sender: pa@contoso.com\r\n"
        "From: david@contoso.com, Kim <kim@contoso.com (x)>, lee@contoso.com\r\n"
        "Reply-To: david@contoso.com\r\n"
        "To: ann@corp.contoso.com, bob@corp.contoso.com\r\n" +
            kBody);
    CHECK(result.changes.size() == 5);
}

TEST_CASE("Edits of other fields, and around a field, stay as they were", "[addressing][header]") {
    const std::string text = "A: 1\r\nFrom: a@corp.contoso.com\r\nB: 2\r\n" + kBody;
    const auto header = scan(text);
    const std::vector<HeaderEdit> around{{0, 6, ""}, {6, 0, "X: y\r\n"}, {32, 6, "Z: z\r\n"}};
    const std::vector<HeaderEdit> over{{0, 38, ""}};

    CHECK(
        applied(rewrite_header(header, around, to_contoso, {}).edits, text) ==
        "X: y\r\nFrom: a@contoso.com\r\nZ: z\r\n" + kBody);
    CHECK(rewrite_header(header, over, to_contoso, {}).edits == over);
    CHECK(rewrite_header(header, over, to_contoso, {}).changes.empty());
    CHECK(rewrite_header(header, around, {}, {}).edits == around);
}

TEST_CASE("Fields that we add are rewritten as text", "[addressing][header]") {
    const std::string fields =
        "Received: from a by b for <x@corp.contoso.com>\r\n"
        "From: \"david\"@corp.contoso.com\r\nSender:\r\n david@corp.contoso.com\r\n";

    const auto result = rewrite_fields(fields, false, to_contoso, {});

    CHECK(
        result.text ==
        "Received: from a by b for <x@corp.contoso.com>\r\n"
        "From: \"david\"@contoso.com\r\nSender:\r\n david@contoso.com\r\n");
    CHECK(result.changes.size() == 2);
    CHECK(rewrite_fields("", false, to_contoso, {}).text.empty());
    CHECK(rewrite_fields("\r\nno field", false, to_contoso, {}).text == "\r\nno field");
}

namespace {

// A field made of pieces: `text` with each address replaced by what the map makes of it.
struct GeneratedField {
    std::string before;
    std::string after;
};

template <typename List>
const auto& pick(Random& random, const List& list) {
    return list[random.below(list.size())];
}

void add_blank(Random& random, GeneratedField& field) {
    static const std::vector<std::string> kBlanks{
        "", " ", "\t", "\r\n ", " \r\n\t", " (a@corp.contoso.com)", "(x (y \\) \"<) z)\r\n "};
    const auto& blank = pick(random, kBlanks);
    field.before += blank;
    field.after += blank;
}

void add_address(Random& random, GeneratedField& field) {
    static const std::vector<std::string> kLocals{
        "a", "david.pelton", "\"a b\"", "\"x\\\"@y,\"", "j\xc3\xb6rg", "a+b=c"};
    static const std::vector<std::string> kDomains{
        "corp.contoso.com", "CORP.Contoso.com", "fabrikam.com", "[192.0.2.1]", "contoso.com"};
    const auto& local = pick(random, kLocals);
    const auto& own = pick(random, kDomains);
    const bool is_mapped = ascii::equal_ignoring_case(own, "corp.contoso.com");
    field.before += local;
    field.after += local;
    add_blank(random, field);
    field.before += '@';
    field.after += '@';
    add_blank(random, field);
    field.before += own;
    field.after += is_mapped ? "contoso.com" : own;
}

void add_mailbox(Random& random, GeneratedField& field) {
    static const std::vector<std::string> kNames{
        "",
        "David",
        "\"Pelton, D. <a@corp.contoso.com>\"",
        "=?utf-8?B?SsO2cmc=?=",
        "J\xc3\xb6rg M.",
        "a@corp.contoso.com"};
    add_blank(random, field);
    if (random.below(2) == 0) {
        add_address(random, field);
    } else {
        const auto name = pick(random, kNames) + " <";
        field.before += name;
        field.after += name;
        add_blank(random, field);
        add_address(random, field);
        add_blank(random, field);
        field.before += '>';
        field.after += '>';
    }
    add_blank(random, field);
}

GeneratedField generated_field(Random& random) {
    static const std::vector<std::string> kFields{
        "From:", "Sender: ", "Reply-To : ", "disposition-notification-to:", "Resent-From:"};
    static const std::vector<std::string> kGroups{"Team:", "\"My team\" (x) :"};
    GeneratedField field;
    field.before = field.after = pick(random, kFields);
    const bool in_group = random.below(4) == 0;
    if (in_group) {
        const auto& group = pick(random, kGroups);
        field.before += group;
        field.after += group;
    }
    for (auto left = 1 + random.below(4); left > 0; --left) {
        add_mailbox(random, field);
        const auto* const between = left == 1 ? "" : random.below(5) == 0 ? ",," : ",";
        field.before += between;
        field.after += between;
    }
    const auto* const end = in_group ? ";\r\n" : "\r\n";
    field.before += end;
    field.after += end;
    return field;
}

}  // namespace

TEST_CASE("Octets outside of addresses are unchanged, in any header", "[addressing][header]") {
    for (std::uint64_t seed = 1; seed <= property_seeds(2'000); ++seed) {
        SeededRandom random(seed);
        std::string before;
        std::string after;
        for (auto fields = 1 + random.below(5); fields > 0; --fields) {
            const auto field = generated_field(random);
            const auto* const other =
                random.below(3) == 0 ? "Subject: a@corp.contoso.com\r\n\tb\r\n" : "";
            before += field.before + other;
            after += field.after + other;
        }
        CAPTURE(seed, before);

        REQUIRE(rewritten(before, to_contoso) == after);
        REQUIRE(rewritten(after, to_contoso) == after);
        REQUIRE(rewrite_fields(before, true, to_contoso, {}).text == after);
    }
}

}  // namespace mailflow

#include "transport/mail/dsn_text.hpp"

#include "transport/mail/dsn_digest.hpp"
#include "transport/mail/dsn_explanation.hpp"
#include "transport/mail/utf8.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace mailflow {

namespace {

DeliveryStatus failure(EnhancedStatus code, std::string words = {}) {
    DeliveryStatus status;
    status.action = DeliveryAction::failed;
    status.status = code;
    status.diagnostic = std::move(words);
    return status;
}

DsnInput input_with(std::string header, std::string custom = {}) {
    DsnRecipient recipient{
        .original = "bob@example.org",
        .address = EmailAddress::parse("bob@example.org").value(),
        .status = failure({5, 1, 1}, "550 5.1.1 unknown"),
        .last_attempt = std::nullopt,
        .will_retry_until = std::nullopt};
    recipient.custom_text = std::move(custom);
    return DsnInput{
        .reporting_mta = "mx.example.com",
        .from = EmailAddress::parse("postmaster@example.com").value(),
        .to = EmailAddress::parse("alice@example.com").value(),
        .message_id = "<r@mx>",
        .boundary = "b",
        .original = {},
        .recipients = {std::move(recipient)},
        .generating_server = "mx.example.com",
        .original_header = std::move(header)};
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::size_t longest_line(const std::string& text) {
    std::size_t longest = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find("\r\n", at), text.size());
        longest = std::max(longest, end - at);
        at = end + 2;
    }
    return longest;
}

}  // namespace

TEST_CASE("what happened is told in words for each code that is used", "[mail][dsn]") {
    struct Row {
        EnhancedStatus code;
        const char* words;
        const char* happened;
    };

    const Row table[] = {
        {{5, 1, 1}, "RESOLVER.ADR.RecipNotFound; not found", "address was not found"},
        {{5, 1, 2}, "", "domain of this address"},
        {{5, 1, 4}, "RESOLVER.ADR.Ambiguous; ambiguous address", "More than one recipient"},
        {{5, 1, 10}, "SMTPSEND.DNS.NullMx", "accepts no mail"},
        {{5, 2, 1}, "", "disabled"},
        {{4, 2, 2}, "", "full"},
        {{5, 2, 2}, "", "full"},
        {{5, 2, 3}, "RESOLVER.RST.RecipSizeLimit", "larger than this recipient accepts"},
        {{5, 2, 4}, "", "group"},
        {{5, 3, 4}, "SMTPSEND.OverAdvertisedSize", "larger than the mail systems"},
        {{5, 3, 5}, "", "not set up correctly"},
        {{4, 4, 1}, "", "does not answer"},
        {{5, 4, 4}, "554 5.4.4 SMTPSEND.DNS.NonExistentDomain; x", "does not exist"},
        {{5, 4, 4}, "554 5.4.4 SMTPSEND.DNS.NoHosts; x", "No mail server was found"},
        {{4, 4, 4}, "A matching connector cannot be found", "knows no way"},
        {{5, 4, 6}, "", "circle"},
        {{4, 4, 7}, "550 4.4.7 QUEUE.Expired; message expired", "in time"},
        {{5, 4, 7}, "550 5.4.7 QUEUE.DeliverBy; x", "by the time you set"},
        {{5, 5, 3}, "RESOLVER.ADR.RecipLimit", "too many recipients"},
        {{5, 6, 7}, "", "internationalized"},
        {{5, 7, 1}, "RESOLVER.RST.AuthRequired; authentication required", "have logged in"},
        {{5, 7, 1}, "RESOLVER.RST.NotAuthorized; not authorized", "You are not allowed"},
        {{5, 7, 1}, "550 5.7.1 Unable to relay", "does not pass messages on"},
        {{5, 7, 1}, "550 5.7.1 spam", "refused the message by its rules"},
        {{5, 7, 10}, "", "encrypted only"},
        {{5, 7, 30}, "SMTPSEND.RequireTls", "encrypted only"},
        {{5, 7, 951}, "", "A rule of the mail system"},
        // In no table: by subject, then by nothing.
        {{5, 1, 99}, "", "something wrong with this address"},
        {{5, 4, 99}, "", "could not be reached"},
        {{5, 99, 1}, "", "could not be delivered"},
        {{}, "", "could not be delivered"},
    };
    for (const auto& row : table) {
        const auto explanation = explain_status(failure(row.code, row.words));
        INFO(row.code.text() << ' ' << row.words << ": " << explanation.happened);
        CHECK(contains(std::string(explanation.happened), row.happened));
        CHECK_FALSE(explanation.to_do.empty());
    }
}

TEST_CASE("text keeps to 78 columns and to its own line ends", "[mail][dsn]") {
    CHECK(wrapped("") == "");
    CHECK(wrapped("one  two\n\nthree") == "one two\r\n\r\nthree\r\n");
    const std::string word(40, 'x');
    CHECK(wrapped(word + ' ' + word) == word + "\r\n" + word + "\r\n");
    CHECK(wrapped(word + ' ' + word.substr(3)) == word + ' ' + word.substr(3) + "\r\n");
    const std::string endless(200, 'y');
    CHECK(wrapped("a " + endless + " b") == "a\r\n" + endless + "\r\nb\r\n");
}

TEST_CASE("RFC 2045 §6.7: quoted-printable", "[mail][dsn]") {
    CHECK(quoted_printable("a=b \r\n\xc3\xbc\t\r\n") == "a=3Db=20\r\n=C3=BC=09\r\n");
    CHECK(quoted_printable("a b\tc\r\n") == "a b\tc\r\n");
    const auto encoded = quoted_printable(std::string(100, 'x') + "\r\n");
    CHECK(encoded == std::string(75, 'x') + "=\r\n" + std::string(25, 'x') + "\r\n");
    CHECK(longest_line(quoted_printable(std::string(200, '='))) <= 76);
}

TEST_CASE("the header of the original is shown whatever its octets are", "[mail][dsn]") {
    const auto plain = dsn_text_part(input_with("Subject: a\r\nX: b\r\n"));
    CHECK(contains(plain, "Original message headers:\r\n\r\nSubject: a\r\nX: b\r\n"));
    CHECK(longest_line(plain) <= 78);

    const auto wild = dsn_text_part(
        input_with("Subject: \xff\x01 gr\xc3\xbc\xc3\x9f\r\nX: " + std::string(2000, 'y')));
    CHECK(utf8::is_ascii(wild));
    CHECK(contains(wild, "Content-Transfer-Encoding: quoted-printable\r\n"));
    CHECK(contains(wild, "\r\nSubject: ?? gr=C3=BC=C3=9F\r\n"));
    CHECK(longest_line(wild) <= 78);
}

TEST_CASE("a text of the organization is wrapped, and takes the person's part", "[mail][dsn]") {
    const auto part = dsn_text_part(input_with("", "First line\nSecond \x07line"));

    CHECK(contains(part, "bob@example.org\r\nFirst line\r\nSecond ?line\r\n\r\nDiagnostic"));
    CHECK_FALSE(contains(part, "was not found"));
}

TEST_CASE("without diagnostics a report says nothing of servers", "[mail][dsn]") {
    auto input = input_with("X: y\r\n");
    input.with_diagnostics = false;
    input.recipients[0].status.remote_mta = "mx.secret.example";

    const auto text = compose_dsn(input).head;

    for (const auto* word :
         {"Diagnostic", "Generating", "X: y", "Remote-MTA", "secret", "unknown"}) {
        CHECK_FALSE(contains(text, word));
    }
    const auto fields = parse_delivery_status(text).value();
    CHECK(fields.recipients.at(0).status == EnhancedStatus{5, 1, 1});
}

TEST_CASE("the postmaster reads why it is him", "[mail][dsn]") {
    std::set<std::string> texts;
    for (const auto reader :
         {DsnReader::sender,
          DsnReader::postmaster_copy,
          DsnReader::postmaster_no_sender,
          DsnReader::postmaster_unknown_sender}) {
        auto input = input_with("");
        input.reader = reader;
        const auto text = dsn_text_part(input);
        CHECK(contains(text, "\r\nDelivery has failed to these recipients or groups:\r\n"));
        CHECK(contains(text, "as postmaster") == (reader != DsnReader::sender));
        texts.insert(text);
    }
    CHECK(texts.size() == 4);
}

TEST_CASE("a notice of withheld reports lists what it can", "[mail][dsn]") {
    WithheldReports reports;
    reports.total = 7;
    reports.listed.push_back(
        {UtcTime{},
         DsnKind::failed,
         "0ABC",
         "b\xc3\xbc@example.com\r\nX: y",
         {"1@a.example", "2@a.example", "3@a.example", "4@a.example", "5@a.example", "6@a.example"},
         "5.1.1"});

    const auto text = compose_dsn_digest(
        {"mx.example.com",
         EmailAddress::parse("postmaster@example.com").value(),
         EmailAddress::parse("postmaster@example.com").value(),
         UtcTime{},
         "<n@mx>"},
        reports);

    CHECK(utf8::is_ascii(text));
    CHECK(contains(text, "Subject: Delivery reports withheld: 7\r\n"));
    CHECK(contains(text, "Auto-Submitted: auto-generated\r\n"));
    CHECK(contains(text, "  0ABC  failed 5.1.1\r\n    to be told: b\\x{FC}@example.com??X: y\r\n"));
    CHECK(contains(text, "recipient: 5@a.example\r\n    and 1 more recipients\r\n"));
    CHECK(contains(text, "\r\nand 6 more: "));
    CHECK(longest_line(text) <= 78);
}

}  // namespace mailflow

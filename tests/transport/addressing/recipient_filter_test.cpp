#include "transport/addressing/recipient_filter.hpp"

#include "tests/transport/addressing/recipients.hpp"
#include "transport/addressing/list_filter.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

template <typename Filter>
bool holds(std::string_view text, const MailRecipient& recipient) {
    std::string why;
    const auto filter = Filter::parse(text, &why);
    CAPTURE(text, why);
    REQUIRE(filter.has_value());
    return filter->matches(recipient);
}

bool matches(std::string_view text, const MailRecipient& recipient = david()) {
    return holds<RecipientFilter>(text, recipient);
}

bool lists(std::string_view text, const MailRecipient& recipient = david()) {
    return holds<ListFilter>(text, recipient);
}

template <typename Filter>
std::string complaint(std::string_view text) {
    std::string why;
    const auto filter = Filter::parse(text, &why);
    CAPTURE(text);
    CHECK(filter.error() == Error::syntax);
    return why;
}

}  // namespace

TEST_CASE("Reference 4.7: comparisons of properties, without case", "[addressing][filter]") {
    struct Case {
        const char* text;
        bool matches;
    };

    const auto [text, expected] = GENERATE(
        Case{"Department -eq 'Sales'", true},
        Case{"department -EQ 'sALES'", true},
        Case{"Department -eq 'Sale'", false},
        Case{"Department -ne 'Sales'", false},
        Case{"Department -ne 'Legal'", true},
        Case{"Department -lt 'T'", true},
        Case{"Department -gt 'T'", false},
        Case{"Department -like 'sa*'", true},
        Case{"Department -like '*LES'", true},
        Case{"Department -like '*al*'", true},
        Case{"Department -like 'al*'", false},
        Case{"Department -like 'Sales'", true},
        Case{"Department -like '*'", true},
        Case{"Department -like '**'", true},
        Case{"Department -notlike 'sa*'", false},
        Case{"Department -notlike 'x*'", true},
        Case{"City -like '*'", false},
        Case{"City -eq $null", true},
        Case{"City -eq ''", true},
        Case{"City -ne $null", false},
        Case{"City -ne 'Berlin'", true},
        Case{"City -lt 'Z'", false},
        Case{"City -notlike 'B*'", true},
        Case{"Department -eq $null", false},
        Case{"Department -ne $null", true},
        Case{"CustomAttribute3 -eq 12", true},
        Case{"CustomAttribute3 -eq '12'", true},
        Case{"CustomAttribute3 -eq 012", true},
        Case{"CustomAttribute3 -eq '012'", false},
        Case{"CustomAttribute3 -gt 2", true},
        Case{"CustomAttribute3 -gt '2'", false},  // text: '12' comes before '2'
        Case{"CustomAttribute3 -lt -5", false},
        Case{"CustomAttribute3 -gt -5", true},
        Case{"Department -gt 5", true},  // no number: compared as text
        Case{"EmailAddressPolicyEnabled -eq $true", true},
        Case{"EmailAddressPolicyEnabled -eq $false", false},
        Case{"EmailAddressPolicyEnabled -ne $false", true});

    CAPTURE(text);
    CHECK(matches(text) == expected);
}

TEST_CASE("Reference 4.7: -and binds before -or, -not before both", "[addressing][filter]") {
    struct Case {
        const char* text;
        bool matches;
    };

    const auto [text, expected] = GENERATE(
        Case{"Alias -eq 'x' -or Alias -eq 'david'", true},
        Case{"Alias -eq 'david' -and Alias -eq 'x'", false},
        Case{"Alias -eq 'david' -or Alias -eq 'x' -and Alias -eq 'y'", true},
        Case{"(Alias -eq 'david' -or Alias -eq 'x') -and Alias -eq 'y'", false},
        Case{"-not Alias -eq 'x'", true},
        Case{"-not (Alias -eq 'david')", false},
        Case{"-not -not Alias -eq 'david'", true},
        Case{"-not Alias -eq 'x' -and Alias -eq 'david'", true},
        Case{"-not Alias -eq 'david' -or Alias -eq 'david'", true},
        Case{"Department -eq 'Sales' -and -not (Alias -like 'test*')", true},
        Case{"((((Alias -eq 'david'))))", true},
        Case{"(Alias-eq'david')-and(Name-like'D*')", true},
        Case{"Alias -eq 'a' -or Alias -eq 'b' -or Alias -eq 'c' -or Alias -eq 'david'", true});

    CAPTURE(text);
    CHECK(matches(text) == expected);
}

TEST_CASE("Every property of reference 4.7 is known by both names", "[addressing][filter]") {
    auto recipient = david();
    recipient.addresses.push_back(address("d.pelton@contoso.com"));
    recipient.external_address = address("david@fabrikam.com");
    recipient.attributes["city"] = "Seattle";
    recipient.attributes["country_or_region"] = "US";
    recipient.attributes["office"] = "18/2";
    recipient.attributes["state_or_province"] = "WA";
    recipient.attributes["title"] = "Head";
    recipient.attributes["custom_attribute_15"] = "x";

    const auto* text = GENERATE(
        "Alias -eq 'david'",
        "City -eq 'Seattle'",
        "Company -eq 'Contoso'",
        "CountryOrRegion -eq 'US'",
        "country_or_region -eq 'US'",
        "CustomAttribute15 -eq 'x'",
        "custom_attribute_15 -eq 'x'",
        "Department -eq 'Sales'",
        "DisplayName -eq 'David Q. Pelton'",
        "display_name -like 'david*'",
        "EmailAddresses -eq 'd.pelton@contoso.com'",
        "EmailAddresses -eq 'smtp:D.Pelton@Contoso.com'",
        "EmailAddresses -like '*@contoso.com'",
        "-not EmailAddresses -notlike '*@contoso.com'",
        "-not EmailAddresses -ne 'd.pelton@contoso.com'",
        "ExternalEmailAddress -eq 'SMTP:david@fabrikam.com'",
        "external_address -like '*fabrikam.com'",
        "FirstName -eq 'David'",
        "LastName -eq 'Pelton'",
        "last_name -eq 'Pelton'",
        "Initials -eq 'Q'",
        "Name -eq 'David Pelton'",
        "Office -eq '18/2'",
        "PrimarySmtpAddress -eq 'david@corp.contoso.com'",
        "StateOrProvince -eq 'WA'",
        "Title -eq 'Head'",
        "UserPrincipalName -eq 'david@corp.contoso.com'",
        "upn -like 'david@*'");

    CHECK(matches(text, recipient));
}

TEST_CASE("Types of recipients have Exchange's names and ours", "[addressing][filter]") {
    auto contact = david();
    contact.kind = RecipientKind::contact;
    auto group = david();
    group.kind = RecipientKind::group;

    CHECK(matches("RecipientType -eq 'UserMailbox'"));
    CHECK(matches("RecipientType -eq 'mailbox'"));
    CHECK_FALSE(matches("RecipientType -ne 'Mailbox'"));
    CHECK(matches("RecipientType -eq 'MailContact'", contact));
    CHECK(matches("RecipientType -eq 'contact'", contact));
    CHECK(matches("RecipientType -eq 'MailUniversalDistributionGroup'", group));
    CHECK(matches("RecipientType -like 'Mail*'", group));
    CHECK_FALSE(matches("RecipientType -like 'Mail*'"));
    CHECK(matches("kind -eq 'group'", group));
    CHECK(matches("kind -eq 'MailContact'", contact));
}

TEST_CASE("Quotes are doubled inside text", "[addressing][filter]") {
    auto recipient = david();
    recipient.last_name = "O'Neil";

    CHECK(matches("LastName -eq 'O''Neil'", recipient));
    CHECK(matches("LastName -like '''*' -or LastName -like '*''Neil'", recipient));
    CHECK_FALSE(matches("LastName -eq ''''", recipient));
}

TEST_CASE("A filter that cannot be read says what is wrong and where", "[addressing][filter]") {
    struct Case {
        const char* text;
        const char* why;
    };

    const auto [text, expected] = GENERATE(
        Case{"", "a property is expected at character 1"},
        Case{"   ", "a property is expected at character 4"},
        Case{"Departmnt -eq 'x'", "unknown property Departmnt; properties are Alias, City"},
        Case{"CustomAttribute16 -eq 'x'", "unknown property CustomAttribute16"},
        Case{"CustomAttribute0 -eq 'x'", "unknown property CustomAttribute0"},
        Case{"CustomAttribute01 -eq 'x'", "unknown property CustomAttribute01"},
        Case{"Alias", "-eq, -ne, -lt, -gt, -like or -notlike is expected at character 6"},
        Case{"Alias 'x'", "-notlike is expected at character 7"},
        Case{"Alias -eq", "text in single quotes, a number, $true, $false or $null"},
        Case{"Alias -eq x", "text stands in single quotes at character 11"},
        Case{"Alias -eq \"x\"", "text stands in single quotes at character 11"},
        Case{"Alias -eq 'x", "the quote is not closed at character 11"},
        Case{"Alias -ge 'x'", "unknown operator -ge; operators are"},
        Case{"Alias = 'x'", "unexpected '=' at character 7"},
        Case{"Alias -and 'x'", "-notlike is expected at character 7"},
        Case{"Alias -eq $nil", "$true, $false or $null at character 11"},
        Case{"Alias -lt $null", "$null goes with -eq and -ne only at character 11"},
        Case{"Alias -like 'Sa*les'", "* is the first or the last character"},
        Case{"Alias -like '***'", "* is the first or the last character"},
        Case{"(Alias -eq 'x'", "')' is expected at character 15"},
        Case{"Alias -eq 'x')", "-and, -or or the end is expected at character 14"},
        Case{"Alias -eq 'x' Alias -eq 'y'", "-and, -or or the end is expected at character 15"},
        Case{"Alias -eq 'x' -and", "a property is expected at character 19"},
        Case{"-not", "a property is expected at character 5"},
        Case{"()", "a property is expected at character 2"},
        Case{"Alias -eq '\xc3\xb6' x", "the end is expected at character 15"},
        Case{"Alias -eq '\xff'", "the filter is not UTF-8"},
        Case{"{Alias -eq 'x'}", "unexpected '{' at character 1"});

    CAPTURE(text);
    CHECK_THAT(complaint<RecipientFilter>(text), Catch::Contains(expected));
}

TEST_CASE("Length and nesting of a filter are limited", "[addressing][filter]") {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '(') + "Alias -eq 'david'" + std::string(depth, ')');
    };
    std::string why;

    CHECK(matches(nested(kMaxFilterDepth)));
    CHECK(RecipientFilter::parse(nested(kMaxFilterDepth + 1), &why).error() == Error::too_large);
    CHECK_THAT(why, Catch::Contains("nest deeper than 32"));
    CHECK(RecipientFilter::parse(nested(4'000), nullptr).error() == Error::too_large);
    std::string negations;
    for (int i = 0; i < 1'000; ++i) {
        negations += "-not ";
    }
    CHECK(RecipientFilter::parse(negations, nullptr).error() == Error::too_large);
    CHECK(RecipientFilter::parse(std::string(9'000, ' '), nullptr).error() == Error::too_large);
}

TEST_CASE("Lists are filtered with =, !=, ~, < and >", "[addressing][filter]") {
    struct Case {
        const char* text;
        bool shown;
    };

    const auto [text, shown] = GENERATE(
        Case{"department = Sales", true},
        Case{"department=sales", true},
        Case{"department != Sales", false},
        Case{"department ~ al", true},
        Case{"department ~ x", false},
        Case{"department < T", true},
        Case{"department > T", false},
        Case{"custom_attribute_3 > 2", true},
        Case{"display_name = 'David Q. Pelton'", true},
        Case{"display_name = \"David Q. Pelton\"", true},
        Case{"primary = david@corp.contoso.com", true},
        Case{"primary ~ @corp.", true},
        Case{"kind = mailbox", true},
        Case{"kind = contact", false},
        Case{"kind = contact or department = Sales and alias = david", true},
        Case{"not kind = contact", true},
        Case{"not (kind = mailbox)", false},
        Case{"city = ''", true},
        Case{"city = $null", true},
        Case{"city != ''", false},
        Case{"Department -eq 'Sales' -and alias -like d*", true},
        Case{"upn = primary", true},
        Case{"upn != primary", false},
        Case{"alias = 'primary'", false},
        Case{"first_name < last_name", true},
        Case{"addresses = upn", true},
        Case{"office = upn", false});

    CAPTURE(text);
    CHECK(lists(text) == shown);
}

TEST_CASE("upn != primary lists those whose login name differs", "[addressing][filter]") {
    auto recipient = david();
    recipient.upn = "DAVID@corp.contoso.com";

    CHECK_FALSE(lists("upn != primary", recipient));

    recipient.addresses.insert(recipient.addresses.begin(), address("david@contoso.com"));
    CHECK(lists("upn != primary", recipient));
    CHECK(lists("upn -ne primary", recipient));
    CHECK_FALSE(lists("upn = primary", recipient));
}

TEST_CASE("A list filter that cannot be read says what is wrong", "[addressing][filter]") {
    CHECK_THAT(
        complaint<ListFilter>("departmnt = x"), Catch::Contains("unknown property departmnt"));
    CHECK_THAT(
        complaint<ListFilter>("department Sales"),
        Catch::Contains("= != ~ < or > is expected at character 12"));
    CHECK_THAT(
        complaint<ListFilter>("department ="),
        Catch::Contains("a word, or text in quotes, is expected at character 13"));
    CHECK_THAT(complaint<ListFilter>("department ! x"), Catch::Contains("unexpected '!'"));
    CHECK_THAT(
        complaint<ListFilter>("department = Sales Legal"),
        Catch::Contains("the end is expected at character 20"));
}

}  // namespace mailflow

// What the DNS says of accepted domains, and the relay domains whose mail would come back.
#include "config/mx_answers.hpp"

#include "tests/config/service_fixture.hpp"

#include <catch2/catch.hpp>

#include <map>

namespace mailflow {

using Catch::Contains;

namespace {

using Answer = DnsAnswer<MxRecord>;

AcceptedDomain domain(const std::string& name) {
    const bool wildcard = name.starts_with("*.");
    return {
        .name = name,
        .domain = DomainName::parse(wildcard ? name.substr(2) : name).value(),
        .include_subdomains = wildcard};
}

Answer found(std::vector<MxRecord> records) {
    Answer answer;
    answer.status = DnsStatus::found;
    answer.records = std::move(records);
    return answer;
}

// A service whose DNS is a table; names that are not in it do not answer.
struct DnsFixture : ServiceFixture {
    std::map<std::string, Answer> table;
    std::vector<std::string> asked;
    OrganizationService with_dns{
        {objects,
         recipients,
         {"mail.contoso.com", "default"},
         [this](OrganizationPtr organization) { published.push_back(std::move(organization)); },
         {},
         {},
         {},
         [this](DomainName name) {
             return find(std::move(name));
         }}};

    DnsFixture() { REQUIRE(test.run(with_dns.open({})).has_value()); }

    ChangeOutcome make(
        const std::string& type, const std::string& name, boost::json::object fields) {
        return test.run(with_dns.create({type, name, std::move(fields), author, false}));
    }

  private:
    Task<Answer> find(DomainName name) {
        asked.push_back(name.text());
        const auto known = table.find(name.text());
        if (known == table.end()) {
            co_return Answer();
        }
        co_return known->second;
    }
};

}  // namespace

TEST_CASE("the records to publish name this node", "[config][mx]") {
    const NodeSettings node{"Mail.contoso.com", "default"};
    using Lines = std::vector<std::string>;

    CHECK(
        mx_records_to_publish(domain("contoso.com"), node) ==
        Lines{"contoso.com. IN MX 10 mail.contoso.com."});
    CHECK(
        mx_records_to_publish(domain("*.contoso.com"), node) ==
        Lines{
            "contoso.com. IN MX 10 mail.contoso.com.",
            "*.contoso.com. IN MX 10 mail.contoso.com."});
}

TEST_CASE("what the DNS says is published, missing, elsewhere or unknown", "[config][mx]") {
    const NodeSettings node{"mail.contoso.com", "default"};
    const auto said_of = [&node](const Answer& answer) {
        return std::string(to_text(publication_of(answer, node)));
    };
    Answer no_name;
    no_name.status = DnsStatus::no_such_name;
    Answer no_data;
    no_data.status = DnsStatus::no_such_data;
    const auto both = found({{20, "mail.contoso.com"}, {10, "mx.fabrikam.com"}});

    CHECK(said_of(found({{10, "MAIL.contoso.com"}})) == "published");
    CHECK(said_of(both) == "published");
    CHECK(said_of(found({{10, "mx.fabrikam.com"}})) == "elsewhere");
    CHECK(said_of(found({{0, ""}})) == "elsewhere");  // RFC 7505: a null MX
    CHECK(said_of(no_name) == "missing");
    CHECK(said_of(no_data) == "missing");
    CHECK(said_of(Answer()) == "unknown");
    CHECK(mx_texts(both) == std::vector<std::string>{"10 mx.fabrikam.com", "20 mail.contoso.com"});
}

TEST_CASE("an internal-relay domain whose mail would come back is refused", "[config][mx]") {
    DnsFixture fixture;
    REQUIRE(fixture.make("send-connector", "Internet", {{"address_spaces", "*"}}).ok());
    fixture.table["loop.com"] = found({{10, "mail.contoso.com"}, {20, "backup.example.org"}});
    fixture.table["backup.com"] = found({{20, "mail.contoso.com"}, {10, "first.example.org"}});
    fixture.table["away.com"] = found({{10, "mx.example.org"}});

    const auto loop = fixture.make("accepted-domain", "loop.com", {{"type", "internal-relay"}});
    const auto backup = fixture.make("accepted-domain", "backup.com", {{"type", "internal-relay"}});
    const auto away = fixture.make("accepted-domain", "away.com", {{"type", "internal-relay"}});
    const auto silent = fixture.make("accepted-domain", "silent.com", {{"type", "internal-relay"}});
    const auto asked = fixture.asked;
    const auto other = fixture.make("accepted-domain", "other.com", {});

    CHECK_FALSE(loop.ok());
    CHECK(
        said(loop) ==
        "accepted-domain \"loop.com\", type: mail for recipients unknown here would come back: "
        "only send-connector \"Internet\" takes it, by MX, and the MX of loop.com is this node; "
        "send it to the other system first, with smtpctl send-connector create \"loop.com\" "
        "--address-space \"loop.com\" --smart-host HOST\n");
    CHECK(backup.ok());
    CHECK(away.ok());
    CHECK(silent.ok());
    CHECK_THAT(said(silent), Contains("by MX, and the MX of an accepted domain usually points"));
    CHECK(other.ok());
    CHECK(fixture.asked == asked);  // what was so before is not asked again
}

TEST_CASE("with a smart host for it a relay domain needs no DNS", "[config][mx]") {
    DnsFixture fixture;
    REQUIRE(fixture
                .make(
                    "send-connector",
                    "Inside",
                    {{"address_spaces", "loop.com"}, {"smart_hosts", "192.0.2.7"}})
                .ok());

    const auto made = fixture.make("accepted-domain", "loop.com", {{"type", "internal-relay"}});

    CHECK(made.ok());
    CHECK(said(made) == "");
    CHECK(fixture.asked.empty());
}

}  // namespace mailflow

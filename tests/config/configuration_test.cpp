// A whole configuration as text: out, compared, and back in.
#include "config/configuration_text.hpp"
#include "tests/config/service_fixture.hpp"
#include "tests/support/marked_secrets.hpp"

namespace mailflow {

namespace {

using Fixture = ServiceFixture;
using Status = ChangeOutcome::Status;

ApplyOutcome apply(OrganizationService& service, Fixture& fixture, std::string text, bool what_if) {
    ApplyRequest request{std::move(text), fixture.author, what_if};
    return fixture.test.run(service.apply_toml(std::move(request)));
}

ApplyOutcome apply(Fixture& fixture, std::string text, bool what_if = false) {
    return apply(fixture.service, fixture, std::move(text), what_if);
}

std::string exported(Fixture& fixture, ExportRequest request = {}) {
    return fixture.test.run(fixture.service.export_toml(request)).value();
}

// `+ send-connector Internet`, `~ … port: 25 -> 26`, `- …`, a line each.
std::string lines(const ApplyOutcome& outcome) {
    std::string text;
    for (const auto& difference : outcome.differences) {
        text += difference.kind == ObjectDifference::Kind::created   ? "+ "
                : difference.kind == ObjectDifference::Kind::removed ? "- "
                                                                     : "~ ";
        text += difference.type + " " + difference.name;
        for (const auto& field : difference.fields) {
            text += " " + field.field + ": " + field.before + " -> " + field.after;
        }
        text += "\n";
    }
    return text + said(outcome.result);
}

void fill(Fixture& fixture) {
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());
    REQUIRE(fixture.create("node", "mx2.contoso.com", {{"site", "paris"}}).ok());
    REQUIRE(fixture
                .create(
                    "send-connector",
                    "Internet \"\\ out",
                    {{"address_spaces", {"*;5", "contoso.net"}}, {"comment", "to all"}})
                .ok());
    REQUIRE(fixture.create("mailbox", "alice", {{"display_name", "Alice \xC3\x9C"}}).ok());
    REQUIRE(fixture.create("mailbox", "bob", {}).ok());
    REQUIRE(fixture.create("group", "all", {{"members", {"alice", "bob"}}}).ok());
    REQUIRE(fixture.create("contact", "carol", {{"external_address", "carol@example.org"}}).ok());
}

}  // namespace

TEST_CASE("an export changes nothing where it comes from", "[config][service][apply]") {
    Fixture fixture;
    fill(fixture);
    const auto text = exported(fixture);
    const auto published = fixture.published.size();

    const auto outcome = apply(fixture, text);

    CHECK(lines(outcome) == "");
    CHECK(outcome.result.ok());
    CHECK(fixture.published.size() == published);
    CHECK(exported(fixture) == text);
}

TEST_CASE("an export makes another server the same", "[config][service][apply]") {
    Fixture fixture;
    fill(fixture);
    const auto text = exported(fixture);
    Fixture fresh;
    const auto before = exported(fresh);

    const auto planned = apply(fresh, text, true);
    const auto untouched = exported(fresh);
    const auto outcome = apply(fresh, text);

    CHECK(outcome.result.ok());
    CHECK(lines(planned) == lines(outcome));
    CHECK(untouched == before);
    CHECK(exported(fresh) == text);
}

TEST_CASE("what is not written goes, and comes back", "[config][service][apply]") {
    Fixture fixture;
    const auto empty = exported(fixture);
    fill(fixture);

    const auto outcome = apply(fixture, empty);

    CHECK(
        lines(outcome) ==
        "- accepted-domain fabrikam.com\n- node mx2.contoso.com\n- send-connector Internet \"\\ "
        "out\n- group all\n- contact carol\n- mailbox alice\n- mailbox bob\n");
    CHECK(exported(fixture) == empty);
}

TEST_CASE("types a text does not speak of stay as they are", "[config][service][apply]") {
    Fixture fixture;
    fill(fixture);
    const std::string text =
        "[[send_connector]]\nname = \"Internet \\\"\\\\ out\"\n"
        "address_spaces = [\"*\"]\nport = 26\n";

    const auto outcome = apply(fixture, text);

    CHECK(
        lines(outcome) ==
        "~ send-connector Internet \"\\ out comment: to all ->  address_spaces: smtp:*;5, "
        "smtp:contoso.net;1 -> smtp:*;1 port: 25 -> 26\n");
    CHECK(fixture.service.show("accepted-domain", "fabrikam.com"));
    CHECK(fixture.service.list("receive-connector").size() == 1);
}

TEST_CASE("a shared export leaves receive connectors to each node", "[config][service][apply]") {
    Fixture fixture;
    fill(fixture);
    const auto text = exported(fixture, {.shared = true});
    Fixture fresh;
    OrganizationService other(
        {fresh.objects, fresh.recipients, {"mx2.contoso.com", "paris"}, nullptr});
    REQUIRE(fresh.test.run(other.open({})).has_value());

    const auto outcome = apply(other, fresh, text, false);

    CHECK(text.find("receive_connector") == std::string::npos);
    CHECK(outcome.result.ok());
    CHECK(other.list("receive-connector").size() == 1);
    CHECK(other.list("node").size() == 2);
    CHECK(other.organization()->send_connectors().size() == 1);
}

TEST_CASE("a text that cannot be applied changes nothing", "[config][service][apply]") {
    struct Row {
        std::string text;
        std::string says;
    };

    const std::vector<Row> table = {
        {"name = ", "line 1: "},
        {"[[send_conector]]\nname = \"A\"\n",
         "line 1: there is no object type \"send_conector\"; did you mean "
         "\"send_connector\"?"},
        {"[[send_connector]]\naddress_spaces = [\"*\"]\n",
         "line 1: [[send_connector]] needs a name"},
        {"[send_connector]\nname = \"A\"\n", "write [[send_connector]]"},
        {"[[transport_config]]\n", "write [transport_config]"},
        {"[[send_connector]]\nname = \"A\"\naddress_spaces = [\"*\"]\n[[send_connector]]\nname = "
         "\"a\"\naddress_spaces = [\"*\"]\n",
         "send-connector \"a\": line 4: is there twice"},
        {"[[send_connector]]\nname = \"A\"\naddress_spaces = [1.5]\n",
         "send-connector \"A\", address_spaces: line 3: write a text"},
        {"[[send_connector]]\nname = \"A\"\n", "send-connector \"A\", address_spaces: is required"},
        {"[[send_connector]]\nname = \"A\"\naddress_spaces = [\"*\"]\nsource_servers = "
         "[\"x.contoso.com\"]\n",
         "x.contoso.com is not a known node"},
        {"accepted_domain = []\n", "default"},
        {"[[accepted_domain]]\nname = \"contoso.com\"\ndefault = true\n[[mailbox]]\nname = "
         "\"alice\"\naddresses = [\"SMTP:alice@nowhere.example\"]\n",
         "nowhere.example"},
    };
    for (const auto& row : table) {
        INFO(row.text);
        Fixture fixture;
        const auto before = exported(fixture);

        const auto outcome = apply(fixture, row.text);

        CHECK(outcome.result.status == Status::refused);
        CHECK_THAT(said(outcome.result), Catch::Contains(row.says));
        CHECK(exported(fixture) == before);
    }
}

}  // namespace mailflow

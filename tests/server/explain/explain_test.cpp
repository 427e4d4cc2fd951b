#include "server/explain/explain.hpp"

#include "server/explain/header_changes.hpp"
#include "tests/support/fake_resolver.hpp"
#include "tests/support/receive_fixture.hpp"
#include "transport/route/connector_selection.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

ExplainRequest request_of(std::string_view from, std::string_view to) {
    ExplainRequest request;
    request.client = IpAddress::parse("198.51.100.7").value();
    request.from = ReversePath(EmailAddress::parse(from).value());
    request.to.emplace_back(EmailAddress::parse(to).value());
    return request;
}

struct Explainer {
    Explainer() {
        f.connector().permissions = static_cast<PermissionSet>(Permission::any_recipient);
        SendConnector connector;
        connector.name = "Internet";
        connector.address_spaces = {AddressSpace::parse("*").value()};
        connector.source_servers = {"mx.contoso.com"};
        f.parts.send_connectors.push_back(connector);
        connector.name = "Spare";
        connector.address_spaces = {AddressSpace::parse("*;9").value()};
        f.parts.send_connectors.push_back(connector);
    }

    Result<Explanation> run(ExplainRequest request) {
        f.apply();
        return f.test.run(explain(
            ExplainParts{
                f.test.lane,
                f.directory,
                &resolver,
                f.lane.organization,
                f.lane.address_tools(f.lane.organization),
                {}},
            std::move(request),
            &why));
    }

    ReceiveFixture f;
    FakeResolver resolver;
    std::string why;
};

const Explanation::Check* refusal_of(const Explanation& told) {
    for (const auto& check : told.checks) {
        if (check.refusal) return &check;
    }
    return nullptr;
}

}  // namespace

TEST_CASE("explain names the connector and why the others lost", "[explain]") {
    Explainer e;
    auto other = e.f.connector();
    other.name = "Printers";
    other.remote_ranges = {IpRange::parse("10.0.0.0/8").value()};
    e.f.parts.receive_connectors.push_back(other);
    other.name = "Off";
    other.enabled = false;
    e.f.parts.receive_connectors.push_back(other);
    other.name = "Client";
    other.enabled = true;
    other.bindings = {Endpoint::parse("192.0.2.1:587").value()};
    e.f.parts.receive_connectors.push_back(other);

    const auto told = e.run(request_of("bob@fabrikam.com", "alice@contoso.com")).value();

    CHECK(told.connector == "Default Frontend mx");
    CHECK(told.local == "192.0.2.1:25");
    REQUIRE(told.losers.size() == 3);
    CHECK(told.losers[0].reason == "no remote range holds 198.51.100.7");
    CHECK(told.losers[1].reason == "disabled");
    CHECK(told.losers[2].reason == "not bound to 192.0.2.1:25");
}

TEST_CASE("explain says 421 where no connector takes the client", "[explain]") {
    Explainer e;
    e.f.connector().remote_ranges = {IpRange::parse("10.0.0.0/8").value()};

    const auto told = e.run(request_of("bob@fabrikam.com", "alice@contoso.com")).value();

    CHECK(told.connector.empty());
    REQUIRE(refusal_of(told) != nullptr);
    CHECK(refusal_of(told)->refusal->one_line() == "421 4.3.2 Service not available");
}

TEST_CASE("explain goes through a connector that is named", "[explain]") {
    Explainer e;
    auto request = request_of("bob@fabrikam.com", "alice@contoso.com");
    request.connector = "default frontend MX";
    const auto told = e.run(request).value();
    request.connector = "Nowhere";
    const auto nowhere = e.run(request);

    CHECK(told.connector == "Default Frontend mx");
    REQUIRE_FALSE(nowhere.has_value());
    CHECK(nowhere.error() == Error::not_found);
    CHECK(e.why == "there is no receive connector \"Nowhere\"");
}

TEST_CASE("explain refuses as RCPT would, and names the recipient", "[explain]") {
    Explainer e;

    const auto told = e.run(request_of("bob@fabrikam.com", "nobody@contoso.com")).value();

    CHECK_FALSE(told.is_accepted());
    REQUIRE(refusal_of(told) != nullptr);
    CHECK(refusal_of(told)->stage == "RCPT");
    CHECK(refusal_of(told)->subject == "<nobody@contoso.com>");
    CHECK(refusal_of(told)->refusal->one_line() == "550 5.1.1 User unknown");
    CHECK(told.recipients.empty());
}

TEST_CASE("explain shows next hop, hosts in order and why other connectors lost", "[explain]") {
    Explainer e;
    e.resolver.add_mx("litware.com", 20, "second.litware.com");
    e.resolver.add_mx("litware.com", 10, "first.litware.com");
    e.resolver.add_address("first.litware.com", "203.0.113.10");
    e.resolver.add_address("second.litware.com", "203.0.113.20");

    const auto told = e.run(request_of("bob@fabrikam.com", "carol@litware.com")).value();

    REQUIRE(told.recipients.size() == 1);
    const auto& recipient = told.recipients[0];
    CHECK(recipient.hop->key() == "dns|litware.com|Internet");
    CHECK(recipient.send_connector == "Internet");
    REQUIRE(recipient.losers.size() == 1);
    CHECK(recipient.losers[0].name == "Spare");
    CHECK(recipient.losers[0].reason == to_text(LossReason::costs_more));
    REQUIRE(recipient.targets.size() == 2);
    CHECK(recipient.targets[0].host == "first.litware.com");
    CHECK(recipient.targets[1].endpoint.text() == "203.0.113.20:25");
    CHECK(recipient.tls.starts_with("where a host offers it, else in clear"));
}

TEST_CASE("explain says unknown where the DNS does not answer", "[explain]") {
    Explainer e;
    e.resolver.set_status("litware.com", DnsStatus::temporary);

    const auto told = e.run(request_of("bob@fabrikam.com", "carol@litware.com")).value();

    REQUIRE(told.recipients.size() == 1);
    CHECK(told.recipients[0].hosts.starts_with("unknown: "));
    CHECK(told.is_accepted());
}

TEST_CASE("explain shows a header field before and after", "[explain]") {
    const std::string header = "From: <a@b>\r\nSubject: x\r\n y\r\nBcc: <c@d>\r\n\r\n";
    const std::vector<HeaderEdit> edits = {
        {7, 3, "e@f"}, {header.find("Bcc"), std::string("Bcc: <c@d>\r\n").size(), ""}};

    const auto changes = header_changes(header, "Date: now\r\n", edits);

    REQUIRE(changes.size() == 3);
    CHECK(changes[0].before.empty());
    CHECK(changes[0].after == "Date: now");
    CHECK(changes[1].before == "From: <a@b>");
    CHECK(changes[1].after == "From: <e@f>");
    CHECK(changes[2].before == "Bcc: <c@d>");
    CHECK(changes[2].after.empty());
}

TEST_CASE("an explanation is JSON with every part", "[explain]") {
    Explainer e;

    const auto object =
        to_json(e.run(request_of("bob@fabrikam.com", "a.smith@contoso.com")).value());

    CHECK(object.at("accepted").as_bool());
    CHECK(object.at("receive_connector").as_string() == "Default Frontend mx");
    CHECK(object.at("checks").as_array().size() >= 6);
    const auto& recipient = object.at("recipients").as_array().at(0).as_object();
    CHECK(recipient.at("address").as_string() == "alice@contoso.com");
    CHECK(recipient.at("original").as_string() == "a.smith@contoso.com");
    CHECK(recipient.at("outcome").as_string() == "delivered");
    CHECK(recipient.at("next_hop").as_string() == "mailbox|maildir|");
}

// Hosts with addresses of both families.
#include "tests/transport/deliver/smtp_fixture.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

const std::string kRelayed = "relayed 250 2.0.0 taken";

struct FamiliesFixture : SmtpFixture {
    FamiliesFixture() {
        resolver.add_mx("dual.com", 10, "mx.dual.com");
        resolver.add_address("mx.dual.com", "2001:db8::1");
        resolver.add_address("mx.dual.com", "203.0.113.9");
    }

    // The slower connection comes to its end, too.
    ~FamiliesFixture() {
        agent->close_idle();
        test.advance(std::chrono::minutes(10));
    }

    FamiliesFixture(const FamiliesFixture&) = delete;
    FamiliesFixture& operator=(const FamiliesFixture&) = delete;

    DeliveryReport send() {
        DeliveryJob job;
        job.recipients = {0};
        job.message = std::make_shared<const QueuedMessage>(message({"bob@dual.com"}));
        job.hop = {DeliveryType::dns, "dual.com", "Internet"};
        job.organization = organization;
        return test.run(agent->deliver(std::move(job)));
    }

    const Endpoint v6 = {*IpAddress::parse("2001:db8::1"), 25};
    const Endpoint v4 = {*IpAddress::parse("203.0.113.9"), 25};
};

}  // namespace

TEST_CASE("RFC 8305: a family that does not answer costs a quarter of a second", "[deliver]") {
    FamiliesFixture fixture;
    fixture.network.hang(fixture.v6);
    fixture.network.serve(fixture.v4, {});
    const auto before = fixture.test.clock.monotonic();

    const auto report = fixture.send();
    const auto waited = fixture.test.clock.monotonic() - before;
    const auto second = fixture.send();

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(report.recipients[0].status.remote_address == "203.0.113.9:25");
    CHECK(waited >= std::chrono::milliseconds(250));
    CHECK(waited < std::chrono::seconds(2));
    CHECK(second.reused_connection);
    CHECK(fixture.network.dialogues().size() == 1);
}

TEST_CASE("a family that refuses leads to the other at once", "[deliver]") {
    FamiliesFixture fixture;
    fixture.network.serve(fixture.v4, {});

    const auto report = fixture.send();

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.network.attempts() == std::vector<Endpoint>{fixture.v6, fixture.v4});
}

TEST_CASE("the first family is all that is used when it connects", "[deliver]") {
    FamiliesFixture fixture;
    fixture.network.serve(fixture.v6, {});
    fixture.network.serve(fixture.v4, {});

    const auto report = fixture.send();
    fixture.test.advance(std::chrono::seconds(1));

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.network.attempts() == std::vector<Endpoint>{fixture.v6});
}

TEST_CASE("a refusing greeting on one family leads to the other", "[deliver]") {
    FamiliesFixture fixture;
    PeerScript script;
    script.greeting = "554 5.7.1 no reverse name\r\n";
    fixture.network.serve(fixture.v6, script);
    fixture.network.serve(fixture.v4, {});

    const auto report = fixture.send();

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(report.hosts.size() == 2);
}

TEST_CASE("neither family connects: each was tried once", "[deliver]") {
    FamiliesFixture fixture;

    const auto report = fixture.send();

    CHECK(report.hop_failure);
    CHECK(fixture.network.attempts() == std::vector<Endpoint>{fixture.v6, fixture.v4});
}

TEST_CASE("a connector with a source address uses hosts of its family", "[deliver]") {
    FamiliesFixture fixture;
    fixture.network.serve(fixture.v6, {});
    fixture.network.serve(fixture.v4, {});
    auto connector = make_send_connector("Internet", {"smtp:*"});
    connector.source_address = *IpAddress::parse("192.0.2.7");
    fixture.use(connector);

    const auto report = fixture.send();

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.network.attempts() == std::vector<Endpoint>{fixture.v4});
}

TEST_CASE("the destination names the MX hosts, sorted", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(report.destination == "mx1.fabrikam.com,mx2.fabrikam.com");
    REQUIRE(report.hosts.size() == 1);
    CHECK(report.hosts[0].messages == 1);
    CHECK(report.hosts[0].reply == 250);
}

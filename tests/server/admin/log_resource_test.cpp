#include "server/admin/log_resource.hpp"

#include "tests/config/service_fixture.hpp"
#include "tests/support/memory_files.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace mailflow;

namespace json = boost::json;

namespace {

const std::string kName = "Default Frontend mail.contoso.com";

struct Fixture : ServiceFixture {
    MemoryFiles disk;
    FoldedRunner writer{test.context};
    ProtocolLog log{"log", {writer, disk, test.clock, Log()}};
    LogResource resource{service, log};

    void set_logging(const std::string& value) {
        ChangeRequest request{
            "receive-connector", kName, {{"protocol_log", value}}, {"test", "test"}, false};
        REQUIRE(test.run(service.set(std::move(request))).ok());
    }

    HttpResponse get(std::map<std::string, std::string> query) {
        HttpRequest request;
        request.path = {"v1", "log", "receive"};
        request.query = std::move(query);
        return test.run(resource.handle(std::move(request)));
    }

    json::object page(std::map<std::string, std::string> query) {
        const auto answer = get(std::move(query));
        REQUIRE(answer.status == 200);
        return json::parse(answer.body).as_object();
    }

    // A session of one command.
    void say(const std::string& line) {
        const auto& connector = published.back()->receive_connectors().front();
        const auto session = log.open_session(
            connector, *Endpoint::parse("127.0.0.1:25"), *Endpoint::parse("192.0.2.9:4711"));
        REQUIRE(session != nullptr);
        session->received(line);
    }
};

}  // namespace

TEST_CASE("The protocol log is read by connector, in any case, and goes on", "[admin][log]") {
    Fixture fixture;
    fixture.set_logging("verbose");
    fixture.say("EHLO first");
    fixture.say("EHLO second");

    auto page = fixture.page({{"connector", "default frontend MAIL.contoso.com"}, {"lines", "1"}});
    REQUIRE(page.at("lines").as_array().size() == 1);
    const auto& line = page.at("lines").as_array().front().as_object();
    CHECK(line.at("connector_id").as_string() == kName);
    CHECK(line.at("data") == "EHLO second");
    CHECK(line.at("event") == "<");
    CHECK(line.at("sequence_number") == 0);
    CHECK(line.at("remote_endpoint") == "192.0.2.9:4711");

    fixture.say("EHLO third");
    page = fixture.page({{"after", std::string(page.at("cursor").as_string())}});
    REQUIRE(page.at("lines").as_array().size() == 1);
    CHECK(page.at("lines").as_array().front().at("data") == "EHLO third");
    CHECK(page.at("more") == false);
}

TEST_CASE("A protocol log that is not kept says how to turn it on", "[admin][log]") {
    Fixture fixture;
    fixture.set_logging("none");

    const auto one = fixture.get({{"connector", kName}});
    CHECK(one.status == 409);
    CHECK(
        json::parse(one.body).at("error").as_string().find(
            "smtpctl receive-connector set \"" + kName + "\" --protocol-log verbose") !=
        std::string::npos);
    CHECK(fixture.get({}).status == 409);

    fixture.set_logging("verbose");
    CHECK(fixture.get({{"connector", kName}}).status == 200);
    CHECK(fixture.get({}).status == 200);
}

TEST_CASE("What cannot be asked of the protocol log is refused", "[admin][log]") {
    Fixture fixture;
    fixture.set_logging("verbose");

    CHECK(fixture.get({{"connector", "Printers"}}).status == 404);
    CHECK(fixture.get({{"lines", "1001"}}).status == 400);
    CHECK(fixture.get({{"lines", "x"}}).status == 400);
    CHECK(fixture.get({{"after", "../../etc/passwd:0"}}).status == 400);
    HttpRequest request;
    request.method = HttpMethod::post;
    request.path = {"v1", "log", "receive"};
    CHECK(fixture.test.run(fixture.resource.handle(request)).status == 405);
    request.method = HttpMethod::get;
    request.path = {"v1", "log", "send"};
    CHECK(fixture.test.run(fixture.resource.handle(request)).status == 404);
}

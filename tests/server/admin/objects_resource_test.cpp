#include "server/admin/objects_resource.hpp"

#include "tests/config/service_fixture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

using namespace mailflow;

namespace json = boost::json;

namespace {

struct Fixture : ServiceFixture {
    DnsAnswer<MxRecord> answer;
    int asked = 0;
    ObjectsResource resource{service, test.lane, {&test.lane}, [this](DomainName) {
                                 return look_up();
                             }};

    json::object send(HttpMethod method, std::vector<std::string> path, json::object body = {}) {
        HttpRequest request;
        request.method = method;
        request.path = {"v1", "objects"};
        request.path.insert(request.path.end(), path.begin(), path.end());
        request.body = json::serialize(body);
        const auto response = test.run(resource.handle(std::move(request)));
        REQUIRE(response.status == 200);
        return json::parse(response.body).as_object();
    }

  private:
    Task<DnsAnswer<MxRecord>> look_up() {
        ++asked;
        co_return answer;
    }
};

}  // namespace

TEST_CASE("A new accepted domain is answered with the records to publish", "[admin][mx]") {
    Fixture fixture;

    const auto made = fixture.send(
        HttpMethod::post, {"accepted-domain"}, {{"name", "Tree"}, {"domain", "*.fabrikam.com"}});
    const auto other = fixture.send(
        HttpMethod::post, {"send-connector"}, {{"name", "Out"}, {"address_spaces", "*"}});

    CHECK(
        made.at("object").at("mx_records") == json::array{
                                                  "fabrikam.com. IN MX 10 mail.contoso.com.",
                                                  "*.fabrikam.com. IN MX 10 mail.contoso.com."});
    CHECK_FALSE(other.at("object").as_object().contains("mx_records"));
    CHECK(fixture.asked == 0);
}

TEST_CASE("An accepted domain is shown with what the DNS says", "[admin][mx]") {
    Fixture fixture;
    const std::vector<std::string> path = {"accepted-domain", "CONTOSO.com"};

    const auto unknown = fixture.send(HttpMethod::get, path);
    fixture.answer.status = DnsStatus::no_such_data;
    const auto missing = fixture.send(HttpMethod::get, path);
    fixture.answer.status = DnsStatus::found;
    fixture.answer.records = {{10, "mx.example.org"}};
    const auto elsewhere = fixture.send(HttpMethod::get, path);
    fixture.answer.records.push_back({20, "mail.contoso.com"});
    const auto published = fixture.send(HttpMethod::get, path);

    CHECK(unknown.at("mx_status") == "unknown");
    CHECK(missing.at("mx_status") == "missing");
    CHECK(elsewhere.at("mx_status") == "elsewhere");
    CHECK(elsewhere.at("mx_found") == json::array{"10 mx.example.org"});
    CHECK(published.at("mx_status") == "published");
    CHECK(published.at("mx_records") == json::array{"contoso.com. IN MX 10 mail.contoso.com."});
    CHECK(fixture.asked == 4);
    CHECK(fixture.send(HttpMethod::get, {"remote-domain", "Default"}).at("domain") == "*");
    CHECK(fixture.asked == 4);
}

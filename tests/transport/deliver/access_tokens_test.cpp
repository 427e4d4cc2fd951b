#include "transport/deliver/access_tokens.hpp"

#include "tests/support/run_task.hpp"
#include "tests/support/scripted_fetcher.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

using namespace std::chrono_literals;

namespace {

const std::string kUrl = "https://login.contoso.com/token";

// Sealing is a prefix that names the context.
class PlainSecrets final : public Secrets {
  public:
    std::string seal(std::string_view secret, std::string_view context) override {
        return "sealed:" + std::string(context) + ":" + std::string(secret);
    }

    [[nodiscard]] Result<std::string> open(
        std::string_view sealed, std::string_view context) const override {
        const auto prefix = "sealed:" + std::string(context) + ":";
        if (!sealed.starts_with(prefix)) {
            return Error::corrupt;
        }
        return std::string(sealed.substr(prefix.size()));
    }
};

HttpsAnswer token_answer(const std::string& token, int life) {
    return {
        200,
        "application/json",
        R"({"token_type":"bearer","expires_in":)" + std::to_string(life) + R"(,"access_token":")" +
            token + R"("})"};
}

struct TokenFixture {
    TokenFixture() {
        connector.name = "Internet";
        connector.oauth2.token_url = kUrl;
        connector.oauth2.client_id = "mail flow";
        connector.oauth2.scope = "https://outlook.example/.default";
        connector.oauth2.client_secret =
            secrets.seal("s&cret", secret_context("Internet", "oauth2_client_secret"));
    }

    std::string ask() {
        why.clear();
        auto token = test.run(tokens.token_for(connector, &why));
        return token ? *token : "-";
    }

    TestLane test;
    ScriptedFetcher fetcher;
    PlainSecrets secrets;
    AccessTokens tokens{test.clock, fetcher, secrets};
    SendConnector connector;
    std::string why;
};

}  // namespace

TEST_CASE("RFC 6749 §4.4 a token by client credentials", "[deliver][oauth]") {
    TokenFixture f;
    f.fetcher.answer(kUrl, token_answer("T1", 3600));

    CHECK(f.ask() == "T1");

    REQUIRE(f.fetcher.requests().size() == 1);
    const auto& request = f.fetcher.requests()[0];
    CHECK(request.method == "POST");
    CHECK(request.content_type == "application/x-www-form-urlencoded");
    CHECK(request.trusted_host);
    CHECK(
        request.body ==
        "grant_type=client_credentials&client_id=mail%20flow&client_secret=s%26cret&scope=https%3A"
        "%2F%2Foutlook.example%2F.default");
}

TEST_CASE("RFC 6749 §6 a token by refresh token, and a newer refresh token", "[deliver][oauth]") {
    TokenFixture f;
    f.connector.oauth2.refresh_token =
        f.secrets.seal("R1", secret_context("Internet", "oauth2_refresh_token"));
    f.connector.oauth2.client_secret.clear();
    f.connector.oauth2.scope.clear();
    auto answer = token_answer("T1", 3600);
    answer.body.insert(1, R"("refresh_token":"R2",)");
    f.fetcher.answer(kUrl, answer);

    CHECK(f.ask() == "T1");
    f.test.advance(1h);
    CHECK(f.ask() == "T1");

    REQUIRE(f.fetcher.requests().size() == 2);
    CHECK(
        f.fetcher.requests()[0].body ==
        "grant_type=refresh_token&refresh_token=R1&client_id=mail%20flow");
    CHECK(
        f.fetcher.requests()[1].body ==
        "grant_type=refresh_token&refresh_token=R2&client_id=mail%20flow");
}

TEST_CASE("a token is kept until shortly before it expires", "[deliver][oauth]") {
    TokenFixture f;
    f.fetcher.answer(kUrl, token_answer("T1", 3600));
    CHECK(f.ask() == "T1");
    f.fetcher.answer(kUrl, token_answer("T2", 3600));

    f.test.advance(59min);
    CHECK(f.ask() == "T1");
    f.test.advance(1s);

    CHECK(f.ask() == "T2");
    CHECK(f.fetcher.requests().size() == 2);
}

TEST_CASE("a token that a host refused is not used again", "[deliver][oauth]") {
    TokenFixture f;
    f.fetcher.answer(kUrl, token_answer("T1", 3600));
    CHECK(f.ask() == "T1");
    f.fetcher.answer(kUrl, token_answer("T2", 3600));

    f.tokens.refuse("Internet");
    f.tokens.refuse("Unknown");

    CHECK(f.ask() == "T2");
}

TEST_CASE("a changed connector gets a token of its own", "[deliver][oauth]") {
    TokenFixture f;
    f.fetcher.answer(kUrl, token_answer("T1", 3600));
    CHECK(f.ask() == "T1");
    f.fetcher.answer(kUrl, token_answer("T2", 3600));

    f.connector.oauth2.client_id = "other";

    CHECK(f.ask() == "T2");
}

TEST_CASE("what the token endpoint says against it is passed on", "[deliver][oauth]") {
    struct Case {
        HttpsAnswer answer;
        std::string why;
    };

    const auto one = GENERATE(values<Case>({
        {{400,
          "application/json",
          R"({"error":"invalid_client","error_description":"secret \"expired\"\r\nyesterday"})"},
         "the token endpoint answers with status 400: invalid_client: secret "
         "\\\"expired\\\"\\x0D\\x0Ayesterday"},
        {{500, "text/html", "<html>"}, "the token endpoint answers with status 500"},
        {{200, "text/html", "<html>"},
         "the token endpoint answers with status 200 and no JSON object"},
        {{200, "application/json", "[]"},
         "the token endpoint answers with status 200 and no JSON object"},
        {{200, "application/json", R"({"access_token":"T"})"},
         "the token endpoint gives no bearer token"},
        {{200, "application/json", R"({"access_token":"T","token_type":"mac"})"},
         "the token endpoint gives no bearer token"},
        {{200, "application/json", R"({"access_token":"","token_type":"Bearer"})"},
         "the token endpoint gives no token that can be used"},
        {{200, "application/json", R"({"access_token":"a\u0001b","token_type":"Bearer"})"},
         "the token endpoint gives no token that can be used"},
        {{200, "application/json", R"({"access_token":"T","token_type":"Bearer","expires_in":5})"},
         "the token endpoint gives tokens that live too short"},
    }));
    CAPTURE(one.answer.body);
    TokenFixture f;
    f.fetcher.answer(kUrl, one.answer);

    CHECK(f.ask() == "-");

    CHECK(ascii::equal_ignoring_case(f.why, one.why));
    const auto state = f.tokens.state_of("Internet");
    REQUIRE(state.has_value());
    CHECK_FALSE(state->valid);
}

TEST_CASE("an endpoint that fails is not asked with every message", "[deliver][oauth]") {
    TokenFixture f;
    f.fetcher.fail(kUrl, Error::timed_out, "no answer in time");
    CHECK(f.ask() == "-");
    CHECK(f.why == "no answer in time");
    CHECK(f.ask() == "-");
    CHECK(f.fetcher.requests().size() == 1);
    f.fetcher.answer(kUrl, token_answer("T1", 3600));

    f.test.advance(30s);

    CHECK(f.ask() == "T1");
}

TEST_CASE("one request at a time serves all who ask", "[deliver][oauth]") {
    TokenFixture f;
    f.fetcher.answer(kUrl, token_answer("T1", 3600));
    f.fetcher.hold();
    std::vector<std::string> got;
    const auto ask = [](TokenFixture* fixture, std::vector<std::string>* into) -> Task<void> {
        std::string words;
        auto token = co_await fixture->tokens.token_for(fixture->connector, &words);
        into->push_back(token ? *token : words);
    };
    for (int i = 0; i < 3; ++i) {
        f.test.lane.spawn("ask", ask(&f, &got));
    }
    f.test.poll();
    CHECK(got.empty());

    f.fetcher.release();
    f.test.poll();

    CHECK(got == std::vector<std::string>{"T1", "T1", "T1"});
    CHECK(f.fetcher.requests().size() == 1);
}

TEST_CASE("secrets that do not open are never asked with", "[deliver][oauth]") {
    TokenFixture f;
    f.connector.oauth2.client_secret = "sealed:elsewhere:s";

    CHECK(f.ask() == "-");

    CHECK(f.why == "its secrets cannot be opened with the key of this node");
    CHECK(f.fetcher.requests().empty());
}

TEST_CASE("the state of a token says when, and never what", "[deliver][oauth]") {
    TokenFixture f;
    CHECK_FALSE(f.tokens.state_of("Internet").has_value());
    f.fetcher.answer(kUrl, token_answer("T1", 3600));
    CHECK(f.ask() == "T1");

    const auto state = f.tokens.state_of("Internet");

    REQUIRE(state.has_value());
    CHECK(state->connector == "Internet");
    CHECK(state->valid);
    CHECK(state->expires - state->fetched == 1h);
    CHECK(state->error.empty());
    f.test.advance(2h);
    CHECK_FALSE(f.tokens.state_of("Internet")->valid);
}

}  // namespace mailflow

#include "transport/deliver/mta_sts.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace {

std::string id_of(std::vector<std::string> records) {
    return find_sts_id(records).value_or("-");
}

Result<StsPolicy> parse(const std::string& text) {
    std::string why;
    auto policy = parse_sts_policy(text, &why);
    CHECK(policy.has_value() == why.empty());
    return policy;
}

const std::string kPolicy =
    "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n"
    "mx: backupmx.example.com\nmax_age: 604800\n";

}  // namespace

TEST_CASE("RFC 8461 §3.1 one record that begins with v=STSv1; names the policy", "[deliver][sts]") {
    CHECK(id_of({"v=STSv1; id=20160831085700Z;"}) == "20160831085700Z");
    CHECK(id_of({"v=STSv1;id=1"}) == "1");
    CHECK(id_of({"v=STSv1;\t id=1 ; ext-1.x=va:lue;"}) == "1");
    CHECK(id_of({"v=STSv1; later=x; id=abcDEF0123"}) == "abcDEF0123");
    CHECK(id_of({"v=spf1 -all", "v=STSv1; id=2", "google-site=x"}) == "2");
    CHECK(id_of({"v=STSv1; id=" + std::string(32, 'a')}) == std::string(32, 'a'));
}

TEST_CASE("a record that is not there once, or not well formed, is none", "[deliver][sts]") {
    const auto records = GENERATE(values<std::vector<std::string>>({
        {},
        {"v=STSv1; id=1", "v=STSv1; id=2"},
        {"v=STSv1; id=1", "v=STSv1; broken"},
        {"v=STSv1"},
        {"v=STSv1;"},
        {"v=STSv1; id="},
        {"v=STSv1; id=a-b"},
        {"v=STSv1; id=a b"},
        {"v=STSv1; id=1; id=2"},
        {"v=STSv1; id=1; ; x=1"},
        {"v=STSv1; id=1; x="},
        {"v=STSv1; id=1; -x=1"},
        {"v=STSv1; ID=1"},
        {"v=STSv1 ; id=1"},
        {"V=STSV1; id=1"},
        {" v=STSv1; id=1"},
        {"v=STSv2; id=1"},
        {"id=1; v=STSv1;"},
    }));
    CAPTURE(records);

    CHECK_FALSE(find_sts_id(records).has_value());
}

TEST_CASE("names of the record and of the policy", "[deliver][sts]") {
    CHECK(sts_record_name("example.com") == "_mta-sts.example.com");
    CHECK(sts_policy_url("example.com") == "https://mta-sts.example.com/.well-known/mta-sts.txt");
}

TEST_CASE("RFC 8461 §3.2 the example of a policy", "[deliver][sts]") {
    auto text = kPolicy;
    if (GENERATE(true, false)) {
        for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
            text.replace(at, 1, "\r\n");
        }
    }

    const auto policy = parse(text);

    REQUIRE(policy.has_value());
    CHECK(policy->mode == StsMode::enforce);
    CHECK(
        policy->mx ==
        std::vector<std::string>{"mail.example.com", "*.example.net", "backupmx.example.com"});
    CHECK(policy->expires == UtcTime(std::chrono::seconds(604800)));
}

TEST_CASE("policies are read leniently where the standard is lenient", "[deliver][sts]") {
    SECTION("without a last line end, with blanks and empty lines") {
        const auto policy =
            parse("version:STSv1 \r\n\nmode:  testing\t\nmx:MAIL.Example.COM\nmax_age:1");
        REQUIRE(policy.has_value());
        CHECK(policy->mode == StsMode::testing);
        CHECK(policy->mx == std::vector<std::string>{"mail.example.com"});
    }
    SECTION("unknown fields are ignored, of doubled ones the first counts") {
        const auto policy = parse(
            "mode: none\nnew_thing: a:b:c\nversion: STSv1\nmode: enforce\nmax_age: 5\nmax_age: "
            "9\n");
        REQUIRE(policy.has_value());
        CHECK(policy->mode == StsMode::none);
        CHECK(policy->expires == UtcTime(std::chrono::seconds(5)));
    }
    SECTION("a larger age is the largest") {
        const auto policy = parse("version: STSv1\nmode: none\nmax_age: 9999999999\n");
        REQUIRE(policy.has_value());
        CHECK(policy->expires == UtcTime(kMaxStsAge));
    }
}

TEST_CASE("what is no policy is refused with a reason", "[deliver][sts]") {
    std::string many = "version: STSv1\nmode: enforce\nmax_age: 1\n";
    for (std::size_t i = 0; i <= kMaxStsPatterns; ++i) {
        many += "mx: a.com\n";
    }
    const auto text = GENERATE_COPY(
        as<std::string>{},
        "",
        "<html><body>404 not found</body></html>",
        "mode: enforce\nmx: a.com\nmax_age: 1\n",
        "version: STSv2\nmode: enforce\nmx: a.com\nmax_age: 1\n",
        "version: STSv1\nmode: strict\nmx: a.com\nmax_age: 1\n",
        "version: STSv1\nmx: a.com\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: a.com\n",
        "version: STSv1\nmode: enforce\nmx: a.com\nmax_age: -1\n",
        "version: STSv1\nmode: enforce\nmx: a.com\nmax_age: 1 day\n",
        "version: STSv1\nmode: enforce\nmx: a.com\nmax_age: 99999999999\n",
        "version: STSv1\nmode: enforce\nmax_age: 1\n",
        "version: STSv1\nmode: testing\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: a.*.com\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: *.*.com\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx:\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nnonsense\nmx: a.com\nmax_age: 1\n",
        many,
        kPolicy + std::string(kMaxStsPolicySize, '\n'));
    CAPTURE(text.substr(0, 80));

    CHECK(parse(text).error() == Error::syntax);
}

TEST_CASE("RFC 8461 §4.1 a wildcard stands for exactly one label", "[deliver][sts]") {
    CHECK(sts_pattern_matches("mail.example.com", "MAIL.example.com"));
    CHECK(sts_pattern_matches("*.example.com", "mail.Example.com"));

    CHECK_FALSE(sts_pattern_matches("*.example.com", "example.com"));
    CHECK_FALSE(sts_pattern_matches("*.example.com", "a.b.example.com"));
    CHECK_FALSE(sts_pattern_matches("*.example.com", ".example.com"));
    CHECK_FALSE(sts_pattern_matches("*.example.com", "mailexample.com"));
    CHECK_FALSE(sts_pattern_matches("*.example.com", ""));
    CHECK_FALSE(sts_pattern_matches("mail.example.com", "mail.example.com.evil.net"));
    CHECK_FALSE(sts_pattern_matches("mail.example.com", "*.example.com"));
}

}  // namespace mailflow

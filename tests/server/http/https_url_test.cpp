#include "server/http/https_url.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace mailflow {

TEST_CASE("URLs of policies and token endpoints", "[http]") {
    struct Case {
        std::string text;
        std::string host;
        std::uint16_t port;
        std::string target;
        std::string authority;
    };

    const auto one = GENERATE(values<Case>({
        {"https://mta-sts.contoso.com/.well-known/mta-sts.txt",
         "mta-sts.contoso.com",
         443,
         "/.well-known/mta-sts.txt",
         "mta-sts.contoso.com"},
        {"HTTPS://Login.Contoso.COM", "login.contoso.com", 443, "/", "login.contoso.com"},
        {"https://a.com:8443/x?y=z&w", "a.com", 8443, "/x?y=z&w", "a.com:8443"},
        {"https://a.com?q", "a.com", 443, "/?q", "a.com"},
        {"https://127.0.0.1:8443/t", "127.0.0.1", 8443, "/t", "127.0.0.1:8443"},
        {"https://[::1]/t", "::1", 443, "/t", "[::1]"},
        {"https://[::1]:444/t", "::1", 444, "/t", "[::1]:444"},
    }));
    CAPTURE(one.text);

    const auto url = parse_https_url(one.text);

    REQUIRE(url.has_value());
    CHECK(url->host_text() == one.host);
    CHECK(url->port == one.port);
    CHECK(url->target == one.target);
    CHECK(url->authority() == one.authority);
}

TEST_CASE("what is no https URL", "[http]") {
    const std::string text = GENERATE(
        as<std::string>{},
        "",
        "https://",
        "https:///x",
        "http://a.com/",
        "ftp://a.com/",
        "a.com",
        "https://user@a.com/",
        "https://user:password@a.com/",
        "https://a.com:/",
        "https://a.com:0/",
        "https://a.com:65536/",
        "https://a.com:+1/",
        "https://a.com/#fragment",
        "https://a.com/ x",
        "https://a.com/\r\nX: y",
        "https://a.com/\xC3\xA9",
        "https://a..com/",
        "https://::1/",
        "https://[a.com]/",
        "https://[127.0.0.1]/",
        "https://a.com/" + std::string(kMaxHttpsUrl, 'x'));
    CAPTURE(text.substr(0, 60));

    CHECK_FALSE(parse_https_url(text).has_value());
}

}  // namespace mailflow

#include "server/receive/bare_address.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace mailflow;

TEST_CASE("a path without a domain gets the default one", "[receive][submission]") {
    struct Case {
        const char* line;
        const char* completed;  // null: as it was
    };

    const std::vector<Case> cases = {
        {"RCPT TO:<bob>", "RCPT TO:<bob@contoso.com>"},
        {"rcpt to:<bob> NOTIFY=NEVER", "rcpt to:<bob@contoso.com> NOTIFY=NEVER"},
        {"MAIL FROM:<bob> SIZE=1", "MAIL FROM:<bob@contoso.com> SIZE=1"},
        {"MAIL FROM:<postmaster>", "MAIL FROM:<postmaster@contoso.com>"},
        {"RCPT TO:<\"a@b\">", "RCPT TO:<\"a@b\"@contoso.com>"},
        {"RCPT TO:<\"a\\\">b\">", "RCPT TO:<\"a\\\">b\"@contoso.com>"},
        {"RCPT TO:<Postmaster>", nullptr},
        {"RCPT TO:<bob@fabrikam.com>", nullptr},
        {"RCPT TO:<@a.example:bob@fabrikam.com>", nullptr},
        {"MAIL FROM:<>", nullptr},
        {"MAIL FROM:<> AUTH=<>", nullptr},
        {"MAIL FROM:bob", nullptr},
        {"MAIL FROM:<bob", nullptr},
        {"RCPT TO:<\"bob>", nullptr},
        {"NOOP <bob>", nullptr},
        {"", nullptr},
    };
    for (const auto& one : cases) {
        CAPTURE(one.line);

        const auto completed = complete_bare_address(one.line, "contoso.com");

        CHECK(completed.has_value() == (one.completed != nullptr));
        if (completed && one.completed != nullptr) {
            CHECK(*completed == one.completed);
        }
    }
}

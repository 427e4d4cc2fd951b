#include "transport/org/delivery_target.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

TEST_CASE("delivery targets are read in every spelling and written in one", "[org]") {
    struct Row {
        std::string written;
        std::string canonical;  // empty: refused
    };

    const std::vector<Row> table = {
        {"maildir", "maildir"},
        {" Maildir ", "maildir"},
        {"maildir:%m", "maildir:%m"},
        {"maildir:/var/mail/%d/%u", "maildir:/var/mail/%d/%u"},
        {"maildir:100%%/%m", "maildir:100%%/%m"},
        {"lmtp:unix:/run/dovecot/lmtp", "lmtp:unix:/run/dovecot/lmtp"},
        {"LMTP:UNIX:/run/lmtp", "lmtp:unix:/run/lmtp"},
        {"lmtp:Store.contoso.com:24", "lmtp:store.contoso.com:24"},
        {"lmtp:[2001:db8::1]:24", "lmtp:[IPv6:2001:db8::1]:24"},
        {"smtp:store.contoso.com", "smtp:store.contoso.com"},
        {"smtp:store.contoso.com:2525", "smtp:store.contoso.com:2525"},
        {"smtp:192.0.2.1:2525", "smtp:[192.0.2.1]:2525"},
        {"smtp:[2001:db8::1]", "smtp:[IPv6:2001:db8::1]"},
        {"", ""},
        {"maildir:", ""},
        {"maildir:%x", ""},
        {"maildir:%", ""},
        {"maildir:../%m", ""},
        {"maildir:a/./b", ""},
        {"maildir:a\nb", ""},
        {"lmtp:", ""},
        {"lmtp:store.contoso.com", ""},  // LMTP has no port of its own (RFC 2033 §5)
        {"lmtp:unix:run/lmtp", ""},
        {"lmtp:unix:/", ""},
        {"lmtp:unix:/" + std::string(107, 'x'), ""},
        {"smtp:", ""},
        {"smtp:host:0", ""},
        {"smtp:host:65536", ""},
        {"smtp:host:x", ""},
        {"smtp:no host", ""},
        {"imap:host", ""},
    };
    for (const auto& row : table) {
        INFO(row.written);
        const auto target = parse_delivery_target(row.written);
        CHECK(target.has_value() == !row.canonical.empty());
        if (target) {
            CHECK(to_text(*target) == row.canonical);
            CHECK(parse_delivery_target(to_text(*target)).value() == *target);
        }
    }
}

}  // namespace mailflow

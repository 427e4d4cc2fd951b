#include "transport/org/next_hop.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

TEST_CASE("A next hop's key comes back as the same next hop", "[org][next_hop]") {
    const std::pair<NextHop, std::string> table[] = {
        {{DeliveryType::mailbox, "maildir", ""}, "mailbox|maildir|"},
        {{DeliveryType::dns, "contoso.com", "Internet"}, "dns|contoso.com|Internet"},
        {{DeliveryType::dns, "[192.0.2.1]", "Internet"}, "dns|[192.0.2.1]|Internet"},
        {{DeliveryType::smart_host, "[10.0.0.1],relay.contoso.com", "Backup"},
         "smart-host|[10.0.0.1],relay.contoso.com|Backup"},
        {{DeliveryType::dns, "contoso.com", "a|b||c"}, "dns|contoso.com|a|b||c"},
        {{DeliveryType::other_node, "mx2.contoso.com", "Paris"},
         "other-node|mx2.contoso.com|Paris"},
        {NextHop::unreachable(), "unreachable||"},
        {NextHop::future_release(), "future-release||"},
    };

    for (const auto& [hop, key] : table) {
        INFO(key);
        CHECK(hop.key() == key);
        REQUIRE(NextHop::parse(key).has_value());
        CHECK(NextHop::parse(key).value() == hop);
        CHECK(std::hash<NextHop>{}(NextHop::parse(key).value()) == std::hash<NextHop>{}(hop));
    }
}

TEST_CASE("A text that is no key of a next hop is refused", "[org][next_hop]") {
    const char* table[] = {
        "",
        "dns",
        "dns|contoso.com",
        "dns||Internet",
        "dns|contoso.com|",
        "mailbox|maildir|Internet",
        "mailbox||",
        "smart-host||Backup",
        "pigeon|contoso.com|Internet",
        "DNS|contoso.com|Internet",
        "other-node|mx2.contoso.com|",
        "unreachable|Unreachable|",
        "unreachable||Internet",
        "future-release|Released later|"};

    for (const auto* key : table) {
        INFO(key);
        CHECK_FALSE(NextHop::parse(key).has_value());
    }
}

}  // namespace mailflow

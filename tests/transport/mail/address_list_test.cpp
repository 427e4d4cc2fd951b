#include "transport/mail/address_list.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

// The mailboxes in one line, bare ones with `!`, and `?` at the end when something was passed over.
std::string shown(std::string_view text, std::size_t limit = 100) {
    const auto list = scan_addresses(text, limit);
    std::string line;
    for (const auto& mailbox : list.mailboxes) {
        line += (line.empty() ? "" : " ") + mailbox.address + (mailbox.bare ? "!" : "");
        REQUIRE(mailbox.local_end <= text.size());
    }
    return line + (list.is_whole ? "" : "?");
}

}  // namespace

TEST_CASE("RFC 5322 section 3.4: the mailboxes of an address list", "[mail][addresses]") {
    struct Case {
        const char* text;
        const char* shown;
    };

    const auto given = GENERATE(
        Case{"", ""},
        Case{" \r\n ", ""},
        Case{"alice@example.com", "alice@example.com"},
        Case{" alice@example.com\r\n", "alice@example.com"},
        Case{"alice", "alice!"},
        Case{"<alice>", "alice!"},
        Case{"Alice <alice>", "alice!"},
        Case{"Alice B. Smith <alice@b>", "alice@b"},
        Case{"\"Smith, Alice\" <alice@b>", "alice@b"},
        Case{"\"ceo@x <ceo@x>\" <alice@b>", "alice@b"},
        Case{"\"a\\\"b\" <alice@b>", "alice@b"},
        Case{"alice@b, bob, <carol@d>", "alice@b bob! carol@d"},
        Case{"alice@b,\r\n\tbob", "alice@b bob!"},
        Case{",, alice@b ,,bob@c,", "alice@b bob@c"},
        Case{"alice (a (nested, \\) ) comment) @ (here) b (too)", "alice@b"},
        Case{"(only, a comment)", ""},
        Case{"\"a b\"@example.com", "\"a b\"@example.com"},
        Case{"\"a b\"", "\"a b\"!"},
        Case{"alice@[192.0.2.1]", "alice@[192.0.2.1]"},
        Case{"undisclosed-recipients:;", ""},
        Case{"Friends: alice, Bob <bob@c>; carol@d", "alice! bob@c carol@d"},
        Case{"\"My group\" (x): alice@b;, bob@c", "alice@b bob@c"},
        Case{"<@relay,@other:alice@b>", "alice@b"},
        Case{"J\xc3\xbcrgen <j\xc3\xbcrgen@b>", "j\xc3\xbcrgen@b"});

    CAPTURE(given.text);
    CHECK(shown(given.text) == given.shown);
}

TEST_CASE("What is no address is passed over up to the next comma, and told", "[mail][addresses]") {
    struct Case {
        const char* text;
        const char* shown;
    };

    const auto given = GENERATE(
        Case{"alice smith", "?"},
        Case{"alice smith, bob", "bob!?"},
        Case{"ceo@x <alice@b>", "?"},
        Case{"<alice@b> <ceo@x>", "?"},
        Case{"<alice@b> ceo", "?"},
        Case{"alice@", "?"},
        Case{"@b", "?"},
        Case{"<>", "?"},
        Case{"<alice@b", "?"},
        Case{"<alice@b, bob@c", "?"},
        Case{"alice@b>", "?"},
        Case{"alice@b@c", "?"},
        Case{".alice, a..b, c., d", "d!?"},
        Case{"\"alice@b", "?"},
        Case{"alice@b (ceo@x", "?"},
        Case{"alice@[b", "?"},
        Case{"alice\\@b", "?"},
        Case{"alice@b)", "?"},
        Case{"Friends: alice@b", "alice@b?"},
        Case{"alice@b;", "alice@b?"},
        Case{": alice@b;", "alice@b?"},
        Case{"A: B: alice@b;;", "alice@b?"},
        Case{"alice@b: bob@c;", "bob@c?"},
        Case{
            "ali\x01"
            "ce@b",
            "?"});

    CAPTURE(given.text);
    CHECK(shown(given.text) == given.shown);
}

TEST_CASE("What is no display name may be passed over alone", "[mail][addresses]") {
    const auto first = [](std::string_view text) {
        const auto list = scan_addresses(text, 1, DisplayNames::any);
        CHECK_FALSE(list.is_whole);
        return list.mailboxes.empty() ? "" : list.mailboxes.front().address;
    };

    CHECK(first("ceo@x <alice@b>") == "alice@b");
    CHECK(first("=?utf-8?Q?ceo@x?= <alice@b>") == "alice@b");
    CHECK(first("<alice@b> ceo").empty());
    CHECK(first("<alice@b> <ceo@x>").empty());
}

TEST_CASE("A mailbox says where its parts stand", "[mail][addresses]") {
    const std::string text = " Bob (x)\r\n < \"a b\" (y) @ (z) [192.0.2.1] >";

    const auto mailbox = scan_addresses(text, 1).mailboxes.at(0);

    CHECK(text.substr(mailbox.local_begin, mailbox.local_end - mailbox.local_begin) == "\"a b\"");
    CHECK(
        text.substr(mailbox.domain_begin, mailbox.domain_end - mailbox.domain_begin) ==
        "[192.0.2.1]");
}

TEST_CASE("A bare local part ends where its domain would stand", "[mail][addresses]") {
    const std::string text = " Alice (x) < \"a b\" (y) >, bob ,carol(z)";

    auto completed = text;
    auto list = scan_addresses(text, 100);
    REQUIRE(list.mailboxes.size() == 3);
    for (auto at = list.mailboxes.rbegin(); at != list.mailboxes.rend(); ++at) {
        completed.insert(at->local_end, "@d");
    }

    CHECK(completed == " Alice (x) < \"a b\"@d (y) >, bob@d ,carol@d(z)");
}

TEST_CASE("Attack case 19: no more mailboxes are read than asked for", "[mail][addresses]") {
    std::string many;
    for (int i = 0; i < 50'000; ++i) {
        many += "a,";
    }

    const auto list = scan_addresses(many, 10);

    CHECK(list.mailboxes.size() == 10);
    CHECK_FALSE(list.is_whole);
    CHECK(scan_addresses(std::string(100'000, '('), 10).mailboxes.empty());
    CHECK(scan_addresses(std::string(100'000, '<'), 10).mailboxes.empty());
}

}  // namespace mailflow

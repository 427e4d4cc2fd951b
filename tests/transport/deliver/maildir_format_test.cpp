#include "transport/deliver/maildir_format.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace mailflow {

namespace {

// In pieces of `size` octets.
std::string to_lf(const std::string& text, std::size_t size) {
    CrlfToLf lines;
    std::string result;
    for (std::size_t i = 0; i < text.size(); i += size) {
        lines.convert(std::string_view(text).substr(i, size), result);
    }
    lines.finish(result);
    return result;
}

}  // namespace

TEST_CASE("A mailbox's folder never leaves the root and never hides", "[deliver][maildir]") {
    const std::pair<std::string, std::string> table[] = {
        {"alice", "alice"},
        {"Alice Liddell", "Alice Liddell"},
        {"a.b-c_d+e", "a.b-c_d+e"},
        {"jürgen", "jürgen"},
        {".", "%2E"},
        {"..", "%2E."},
        {".hidden", "%2Ehidden"},
        {"../../etc", "%2E.%2F..%2Fetc"},
        {"a/b", "a%2Fb"},
        {"100%", "100%25"},
        {"%2E", "%252E"},
        {std::string("a\0b", 3), "a%00b"},
        {"a\nb", "a%0Ab"},
    };

    for (const auto& [mailbox, folder] : table) {
        INFO(folder);
        REQUIRE(maildir_folder(mailbox).has_value());
        CHECK(*maildir_folder(mailbox) == folder);
    }
    CHECK_FALSE(maildir_folder("").has_value());
    CHECK_FALSE(maildir_folder(std::string(256, 'a')).has_value());
    CHECK_FALSE(maildir_folder(std::string(100, '/')).has_value());
}

TEST_CASE(
    "A file name is the same at every attempt and differs by recipient", "[deliver][maildir]") {
    const UtcTime accepted{std::chrono::milliseconds(1'767'614'400'999)};
    const QueueId id{42};

    CHECK(
        maildir_file_name(accepted, id, 3, "mail.contoso.com") ==
        "1767614400." + id.text() + ".3.mail.contoso.com");
    CHECK(maildir_file_name(accepted, id, 0, "a/b:c").ends_with(".0.a\\057b\\072c"));
    CHECK(maildir_file_name(accepted, id, 0, std::string(400, 'x')).size() == kMaxFileName);
}

TEST_CASE("A message is known again whatever flags it has been given", "[deliver][maildir]") {
    CHECK(is_maildir_entry_of("1.ID.0.host", "1.ID.0.host"));
    CHECK(is_maildir_entry_of("1.ID.0.host:2,", "1.ID.0.host"));
    CHECK(is_maildir_entry_of("1.ID.0.host:2,FRS", "1.ID.0.host"));
    CHECK(is_maildir_entry_of("1.ID.0.host,S=77:2,S", "1.ID.0.host"));
    CHECK_FALSE(is_maildir_entry_of("1.ID.0.host2", "1.ID.0.host"));
    CHECK_FALSE(is_maildir_entry_of("1.ID.0.hos", "1.ID.0.host"));
    CHECK_FALSE(is_maildir_entry_of("11.ID.0.host", "1.ID.0.host"));
}

TEST_CASE(
    "CRLF becomes LF wherever the pieces are cut; no other octet changes", "[deliver][maildir]") {
    const std::pair<std::string, std::string> table[] = {
        {"", ""},
        {"a\r\nb\r\n", "a\nb\n"},
        {"\r\n\r\n", "\n\n"},
        {"a\rb\r\n", "a\rb\n"},
        {"a\r\r\nb", "a\r\nb"},
        {"a\n\nb", "a\n\nb"},
        {"end\r", "end\r"},
        {std::string("\0\xff\r\n", 4), std::string("\0\xff\n", 3)},
    };

    for (const auto& [wire, disk] : table) {
        for (std::size_t size = 1; size <= 5; ++size) {
            INFO("pieces of " << size);
            CHECK(to_lf(wire, size) == disk);
        }
    }
}

}  // namespace mailflow

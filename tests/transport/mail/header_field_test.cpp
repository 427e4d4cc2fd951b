#include "transport/mail/header_field.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace mailflow {

TEST_CASE("RFC 5322 section 2.2: a field is a name, a colon and a folded value", "[mail][header]") {
    const auto field = HeaderField::parse("Subject : a\r\n\tb\r\n  c \r\n").value();

    CHECK(field.name == "Subject");
    CHECK(field.is("SUBJECT"));
    CHECK(field.folded == " a\r\n\tb\r\n  c ");
    CHECK(field.value() == "a\tb  c");
    CHECK(HeaderField::parse("A:").value().value().empty());
    CHECK(HeaderField::parse("A: b").value().value() == "b");
    CHECK(HeaderField::parse("A:b:c\n").value().value() == "b:c");
}

TEST_CASE("Lines that are no field are refused", "[mail][header]") {
    const auto* text = GENERATE(
        "",
        "\r\n",
        "Subject",
        ":",
        ": value",
        " : value",
        " Subject: a",
        "\tSubject: a",
        "Sub ject: a",
        "S\xc3\xbc: a",
        "S\x01: a",
        "From someone: 1\r\n",
        "A: b\r\nC: d\r\n",
        "A\r\n : b\r\n");

    CAPTURE(text);
    CHECK(HeaderField::parse(text).has_error());
}

TEST_CASE(
    "A header block ends at the empty line or at the first line that is no field",
    "[mail][header]") {
    const auto* end = GENERATE("\r\nBody: no\r\n", "no field\r\nC: d\r\n", "");
    const std::string fields = "A: 1\r\n 2\r\nB: 3\nA: 4\r\n";
    const auto text = fields + end;
    const HeaderBlock block(text);

    std::vector<std::string> values;
    std::string raw;
    for (const auto& field : block) {
        values.push_back(field.value());
        raw += field.raw;
    }

    CHECK(values == std::vector<std::string>{"1 2", "3", "4"});
    CHECK(raw == fields);
    CHECK(block.size() == fields.size());
    CHECK(block.find("b")->value() == "3");
    CHECK(block.find("a")->value() == "1 2");
    CHECK_FALSE(block.find("c"));
}

TEST_CASE("A block that starts with a blank or an empty line holds no field", "[mail][header]") {
    CHECK(HeaderBlock(" A: 1\r\nB: 2\r\n").size() == 0);
    CHECK(HeaderBlock("\r\nA: 1\r\n").size() == 0);
    CHECK(HeaderBlock("").begin() == HeaderBlock::end());
}

TEST_CASE("Folded lines keep to 78 characters where blanks allow it", "[mail][header]") {
    std::string value;
    for (int i = 0; i < 60; ++i) {
        value += "word" + std::to_string(i) + (i % 7 == 0 ? "  " : " ");
    }
    value.pop_back();

    const auto text = fold("Subject", value);

    const auto field = HeaderField::parse(text).value();
    CHECK(field.value() == value);
    std::size_t at = 0;
    while (at < text.size()) {
        const auto end = text.find("\r\n", at);
        CHECK(end - at <= 78);
        CHECK(text.find_first_not_of(" \t", at) < end);
        at = end + 2;
    }
}

TEST_CASE(
    "What cannot be broken stays whole, and no line of blanks comes about", "[mail][header]") {
    const std::string word(200, 'x');

    CHECK(fold("A", word) == "A: " + word + "\r\n");
    CHECK(fold("A", "b " + word + " c") == "A: b\r\n " + word + "\r\n c\r\n");
    CHECK(fold("A", std::string(100, ' ')) == "A: \r\n");
    CHECK(
        fold("A", "b" + std::string(100, ' ') + "c") ==
        "A: b" + std::string(74, ' ') + "\r\n" + std::string(26, ' ') + "c\r\n");
}

TEST_CASE("A value cannot start a field of its own", "[mail][header]") {
    CHECK(fold("Subject", "a\r\nBcc: b\nX: c\rd") == "Subject: a  Bcc: b X: c d\r\n");
    CHECK(unfold("a\r\nb\rc\r\n") == "a b c");
}

}  // namespace mailflow

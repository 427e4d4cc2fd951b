#include "transport/base/encoding.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

TEST_CASE("Base64 gives the vectors of RFC 4648 section 10, both ways", "[base][encoding]") {
    struct Vector {
        std::string bytes;
        std::string text;
    };

    const auto vector = GENERATE(
        Vector{"", ""},
        Vector{"f", "Zg=="},
        Vector{"fo", "Zm8="},
        Vector{"foo", "Zm9v"},
        Vector{"foob", "Zm9vYg=="},
        Vector{"fooba", "Zm9vYmE="},
        Vector{"foobar", "Zm9vYmFy"},
        Vector{std::string("\xff\xfe\x00", 3), "//4A"});

    CHECK(base64_encode(vector.bytes) == vector.text);
    CHECK(base64_decode(vector.text).value() == vector.bytes);
}

TEST_CASE("Base64 with blanks, wrong padding or stray bits is refused", "[base][encoding]") {
    const auto* text = GENERATE(
        "Z",
        "Zg",
        "Zg=",
        "Zg=a",
        "=Zg=",
        "Z===",
        "====",
        "Zm9v\r\n",
        "Zm 9",
        "Zh==",
        "Zm9=",
        "Zm-_",
        "Zg==Zg==");

    CAPTURE(text);
    CHECK_FALSE(base64_decode(text));
}

TEST_CASE("Base64 and hexadecimal carry every byte", "[base][encoding]") {
    std::string bytes;
    for (int i = 0; i < 256; ++i) {
        bytes += static_cast<char>(i);
    }

    CHECK(base64_decode(base64_encode(bytes)).value() == bytes);
    CHECK(hex_decode(hex_encode(bytes)).value() == bytes);
    CHECK(hex_decode("0aFf").value() == "\x0a\xff");
    CHECK_FALSE(hex_decode("0"));
    CHECK_FALSE(hex_decode("0g"));
    CHECK_FALSE(hex_decode(" 0"));
}

}  // namespace mailflow

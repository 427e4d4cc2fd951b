#include "certs/secret_box.hpp"

#include "tests/support/seeded_random.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

SecretBox box_of(unsigned first) {
    SecretBox::Key key{};
    key.front() = static_cast<std::byte>(first);
    return SecretBox(key);
}

}  // namespace

TEST_CASE("what is sealed can be opened with the same key and context", "[certs][secret]") {
    SeededRandom random(1);
    const auto box = box_of(1);
    const auto secret = GENERATE(
        as<std::string>{},
        "",
        "x",
        "a password",
        std::string("\0with\0nul", 9),
        std::string(100000, 'k'));

    const auto sealed = box.seal(secret, "row 1", random);

    CHECK(box_of(1).open(sealed, "row 1").value() == secret);
    if (secret.size() > 4) CHECK(sealed.find(secret) == std::string::npos);
}

TEST_CASE("sealing twice gives two different blobs", "[certs][secret]") {
    SeededRandom random(1);
    const auto box = box_of(1);

    CHECK(box.seal("secret", "row", random) != box.seal("secret", "row", random));
}

TEST_CASE("a blob with any bit changed, cut or extended does not open", "[certs][secret]") {
    SeededRandom random(1);
    const auto box = box_of(1);
    const auto sealed = box.seal("a private key", "row 1", random);

    for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
        auto changed = sealed;
        changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << (i % 8)));
        CAPTURE(i);
        REQUIRE(box.open(changed, "row 1").error() == Error::corrupt);
    }
    for (std::size_t size = 0; size < sealed.size(); ++size)
        REQUIRE(box.open(sealed.substr(0, size), "row 1").error() == Error::corrupt);
    CHECK(box.open(sealed + "x", "row 1").error() == Error::corrupt);
}

TEST_CASE("a blob opens with its own key and in its own row only", "[certs][secret]") {
    SeededRandom random(1);
    const auto sealed = box_of(1).seal("a private key", "row 1", random);

    CHECK(box_of(2).open(sealed, "row 1").error() == Error::corrupt);
    CHECK(box_of(1).open(sealed, "row 2").error() == Error::corrupt);
    CHECK(box_of(1).open(sealed, "").error() == Error::corrupt);
}

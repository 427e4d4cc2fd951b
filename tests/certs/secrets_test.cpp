#include "certs/secrets.hpp"

#include "tests/support/seeded_random.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace mailflow;

namespace {

SecretBox box_of(unsigned first) {
    SecretBox::Key key{};
    key.front() = static_cast<std::byte>(first);
    return SecretBox(key);
}

}  // namespace

TEST_CASE("a sealed secret is text that opens in its own place only", "[certs][secret]") {
    SeededRandom random(1);
    BoxSecrets secrets(random);
    secrets.unlock(box_of(1));
    const auto context = secret_context("Internet", "password");

    const auto sealed = secrets.seal("open sesame", context);

    CHECK(is_sealed(sealed));
    CHECK(sealed.find("sesame") == std::string::npos);
    CHECK(secrets.open(sealed, context).value() == "open sesame");
    CHECK(secrets.open(sealed, secret_context("Other", "password")).error() == Error::corrupt);
    CHECK(
        secrets.open(sealed, secret_context("Internet", "oauth2_client_secret")).error() ==
        Error::corrupt);
}

TEST_CASE("text that was not sealed with this key does not open", "[certs][secret]") {
    SeededRandom random(1);
    BoxSecrets secrets(random);
    secrets.unlock(box_of(1));
    BoxSecrets elsewhere(random);
    elsewhere.unlock(box_of(2));
    const auto sealed = secrets.seal("open sesame", "a place");
    const auto text = GENERATE_COPY(
        as<std::string>{},
        "",
        "sealed:",
        "sealed:!!!",
        "sealed:QUJD",
        "open sesame",
        sealed.substr(7),
        sealed.substr(0, sealed.size() - 4));

    CHECK(secrets.open(text, "a place").error() == Error::corrupt);
    CHECK(elsewhere.open(sealed, "a place").error() == Error::corrupt);
}

TEST_CASE("nothing is sealed or opened before the key is read", "[certs][secret]") {
    SeededRandom random(1);
    BoxSecrets secrets(random);

    CHECK_THROWS_AS(secrets.seal("open sesame", "a place"), std::logic_error);
    CHECK(secrets.open("sealed:QUJD", "a place").error() == Error::corrupt);
}

#include "server/receive/password.hpp"

#include "tests/support/run_task.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace mailflow {

namespace {

template <std::size_t N>
std::string base64_of(const std::array<std::uint8_t, N>& key) {
    return base64_encode({reinterpret_cast<const char*>(key.data()), key.size()});
}

}  // namespace

TEST_CASE("RFC 7677 §3 the verifier of pencil", "[receive][auth]") {
    const auto salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").value();

    const auto verifier = make_verifier("pencil", salt, 4096);

    CHECK(verifier.iterations == 4096);
    CHECK(verifier.salt == salt);
    CHECK(base64_of(verifier.stored_key) == "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
    CHECK(base64_of(verifier.server_key) == "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

TEST_CASE("a password fits its own verifier and no other one", "[receive][auth]") {
    const auto verifier = make_verifier("pencil", "salt of pencil", 4096);

    CHECK(check_password(verifier, "pencil"));
    for (const auto* other : {"", "pencil ", "Pencil", "penci", "pencils"}) {
        CAPTURE(other);
        CHECK_FALSE(check_password(verifier, other));
    }
    CHECK_FALSE(check_password(make_verifier("pencil", "another salt", 4096), "pencils"));
}

TEST_CASE(
    "a decoy looks like a verifier, is the same at every try, and nothing fits",
    "[receive][auth]") {
    const auto decoy = decoy_verifier("secret", "eve@contoso.com");

    CHECK(decoy == decoy_verifier("secret", "eve@contoso.com"));
    CHECK(decoy.salt != decoy_verifier("secret", "eva@contoso.com").salt);
    CHECK(decoy.salt != decoy_verifier("another", "eve@contoso.com").salt);
    CHECK(decoy.iterations == kPasswordIterations);
    CHECK(decoy.salt.size() == kSaltLength);
    CHECK(decoy.stored_key != decoy.server_key);
    CHECK_FALSE(check_password(decoy, ""));
    CHECK(
        decoy_account("secret", "a").size() ==
        decoy_account("secret", std::string(300, 'a')).size());
}

TEST_CASE("a password is prepared and salted before it is kept", "[receive][auth]") {
    TestLane test;
    FoldedRunner worker(test.context);
    const auto hash = [&](std::string password) {
        return test.run(hash_password(worker, test.random, std::move(password)));
    };

    const auto first = hash("I\xC2\xADX").value();
    const auto second = hash("IX").value();

    CHECK(first.iterations == kPasswordIterations);
    CHECK(first.salt.size() == kSaltLength);
    CHECK(first.salt != second.salt);
    CHECK(check_password(first, "IX"));
    CHECK(check_password(second, "IX"));
    CHECK(hash("").error() == Error::syntax);
    CHECK(hash("a\x07").error() == Error::syntax);
    CHECK(hash(std::string(kMaxPasswordLength + 1, 'a')).error() == Error::syntax);
    CHECK(hash(std::string(kMaxPasswordLength, 'a')).has_value());
}

}  // namespace mailflow

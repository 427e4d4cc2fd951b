#include "certs/key_file.hpp"

#include "tests/support/memory_files.hpp"
#include "tests/support/seeded_random.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

const std::string kPath = "/var/secret.key";

struct Fixture {
    Fixture() { REQUIRE(files.make_directory("/var")); }

    void write(const std::string& text) { REQUIRE((*files.create(kPath))->append(text)); }

    MemoryFiles files;
    SeededRandom random{1};
    std::string why;
};

}  // namespace

TEST_CASE("a key that was made can be read again, also after a crash", "[certs][key]") {
    Fixture fixture;
    REQUIRE(fixture.files.sync_directory("/"));
    const auto box = make_key_file(fixture.files, kPath, fixture.random, fixture.why);
    REQUIRE(box.has_value());
    const auto sealed = box->seal("secret", "row", fixture.random);

    fixture.files.crash();
    const auto again = read_key_file(fixture.files, kPath, fixture.why);

    REQUIRE(again.has_value());
    CHECK(again->open(sealed, "row").value() == "secret");
    CHECK(fixture.files.contents().size() == 1);
}

TEST_CASE("a key file is never overwritten", "[certs][key]") {
    Fixture fixture;
    fixture.write("something\n");

    const auto box = make_key_file(fixture.files, kPath, fixture.random, fixture.why);

    CHECK(box.error() == Error::already_exists);
    CHECK(fixture.files.contents().at(kPath) == "something\n");
}

TEST_CASE("half a key is never there, whatever step fails", "[certs][key]") {
    for (std::uint64_t step = 1;; ++step) {
        Fixture fixture;
        REQUIRE(fixture.files.sync_directory("/"));
        fixture.files.fail_call(step, Error::disk_full);
        const auto box = make_key_file(fixture.files, kPath, fixture.random, fixture.why);
        const bool came = fixture.files.has_failed();
        fixture.files.fail_call(0, {});
        if (!came) {
            REQUIRE(step > 4);
            break;
        }
        CAPTURE(step);
        if (!box) CHECK(fixture.why.find(kPath) != std::string::npos);

        fixture.files.crash();
        const auto contents = fixture.files.contents();
        const auto found = contents.find(kPath);
        if (found != contents.end()) CHECK(found->second.size() == 65);
        // The next start makes one, or reads the one that is there.
        if (found == contents.end())
            CHECK(make_key_file(fixture.files, kPath, fixture.random, fixture.why).has_value());
    }
}

TEST_CASE("what is no key file is refused by name", "[certs][key]") {
    const std::string digits(64, 'a');
    const auto text = GENERATE_COPY(
        as<std::string>{},
        "",
        "\n",
        "abc\n",
        digits + "\r\n",
        digits + "a\n",
        digits + "\n\n",
        digits.substr(1) + "g\n",
        digits.substr(2) + "\n");
    Fixture fixture;
    fixture.write(text);

    const auto box = read_key_file(fixture.files, kPath, fixture.why);

    CHECK(box.error() == Error::corrupt);
    CHECK(fixture.why == "the key file /var/secret.key is damaged: it should hold 64 hex digits");
}

TEST_CASE("a key file that is not there is named", "[certs][key]") {
    Fixture fixture;

    const auto box = read_key_file(fixture.files, kPath, fixture.why);

    CHECK(box.error() == Error::not_found);
    CHECK(fixture.why == "the key file /var/secret.key cannot be read: not found");
}

#include "storage/state_lock.hpp"

#include "tests/support/temp_directory.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

namespace mailflow {

TEST_CASE(
    "Attack case 37: a second holder of a state directory is refused and told who has it",
    "[storage][files]") {
    const TempDirectory directory;
    const auto first = StateLock::take(directory.path());
    REQUIRE(first);

    const auto second = StateLock::take(directory.path());

    REQUIRE(!second);
    CHECK(second.error().code == Error::locked);
    CHECK(second.error().text.find("process " + std::to_string(::getpid())) != std::string::npos);
    CHECK(second.error().text.find(directory.path()) != std::string::npos);
}

TEST_CASE("A state directory that was let go can be taken again", "[storage][files]") {
    const TempDirectory directory;

    for (int i = 0; i < 2; ++i) {
        const auto lock = StateLock::take(directory.path());
        CHECK(lock);
    }
}

TEST_CASE("A state directory that is missing is named", "[storage][files]") {
    const auto lock = StateLock::take("/no/such/folder");

    REQUIRE(!lock);
    CHECK(lock.error().text.find("/no/such/folder/lock") != std::string::npos);
}

}  // namespace mailflow

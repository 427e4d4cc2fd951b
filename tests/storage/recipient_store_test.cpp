#include "tests/conformance/recipient_store_conformance.hpp"
#include "tests/storage/organization_fixture.hpp"
#include "tests/support/memory_recipient_store.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

TEST_CASE("recipients in SQLite keep the port's promises", "[storage][conformance]") {
    OrganizationFixture fixture;
    check_recipient_store(fixture.test, fixture.database->recipients());
}

TEST_CASE("recipients in memory keep the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryRecipientStore store;
    check_recipient_store(test, store);
}

}  // namespace mailflow

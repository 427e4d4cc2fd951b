#include "tests/conformance/certificate_store_conformance.hpp"
#include "tests/storage/organization_fixture.hpp"
#include "tests/support/memory_certificate_store.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

TEST_CASE("certificates in SQLite keep the port's promises", "[storage][conformance]") {
    OrganizationFixture fixture;
    check_certificate_store(fixture.test, fixture.database->certificates());
}

TEST_CASE("certificates in memory keep the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryCertificateStore store;
    check_certificate_store(test, store);
}

TEST_CASE("certificates outlive a restart and count in the versions", "[storage]") {
    OrganizationFixture fixture;
    const auto mail = certificate_of("aa", "Mail", 2000);
    REQUIRE(fixture.test.run(
        fixture.database->certificates().add(mail, {"uid=0(root)", "certificate import"})));

    fixture.reopen();

    const auto all = fixture.test.run(fixture.database->certificates().read_all()).value();
    CHECK(all == std::vector<CertificateRecord>{mail});
    const auto history = fixture.test.run(fixture.database->objects().history(10)).value();
    REQUIRE(history.size() == 1);
    CHECK(history[0].author.what == "certificate import");
}

TEST_CASE("a certificate that cannot be added leaves no version behind", "[storage]") {
    OrganizationFixture fixture;
    auto& store = fixture.database->certificates();
    REQUIRE(fixture.test.run(store.add(certificate_of("aa", "Mail", 1), {"w", "first"})));

    REQUIRE_FALSE(fixture.test.run(store.add(certificate_of("aa", "Mail", 1), {"w", "second"})));
    REQUIRE_FALSE(fixture.test.run(store.remove("bb", {"w", "third"})));

    CHECK(fixture.test.run(fixture.database->objects().history(10)).value().size() == 1);
}

}  // namespace mailflow

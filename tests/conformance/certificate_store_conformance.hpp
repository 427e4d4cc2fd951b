// What every CertificateStore promises. Called from a TEST_CASE with a fresh, empty store; each
// section is one promise.
#pragma once

#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/certificate_store.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

inline CertificateRecord certificate_of(
    const std::string& thumbprint, const std::string& name, int created) {
    CertificateRecord record;
    record.thumbprint = thumbprint;
    record.name = name;
    record.chain = "-----BEGIN CERTIFICATE-----\n" + name + "\n-----END CERTIFICATE-----\n";
    record.private_key = std::string("\1sealed\0octets", 14);
    record.services = static_cast<CertificateUses>(CertificateUse::smtp);
    record.created = UtcTime(std::chrono::milliseconds(created));
    return record;
}

inline void check_certificate_store(TestLane& test, CertificateStore& store) {
    const ChangeAuthor author{"uid=0(root)", "test"};
    const auto all = [&] {
        return test.run(store.read_all()).value();
    };
    const auto mail = certificate_of("aa", "Mail", 2000);
    REQUIRE(test.run(store.add(mail, author)));

    SECTION("certificates come back whole, the oldest first") {
        auto without_key = certificate_of("cc", "Without key", 1000);
        without_key.private_key.clear();
        without_key.services = 0;
        const auto same_time = certificate_of("bb", "Same time", 2000);
        REQUIRE(test.run(store.add(same_time, author)));
        REQUIRE(test.run(store.add(without_key, author)));

        CHECK(all() == std::vector<CertificateRecord>{without_key, mail, same_time});
    }
    SECTION("a taken thumbprint or name is refused and changes nothing") {
        const auto by_thumbprint = test.run(store.add(certificate_of("aa", "Other", 1), author));
        const auto by_name = test.run(store.add(certificate_of("bb", "MAIL", 1), author));

        CHECK(by_thumbprint.error() == Error::already_exists);
        CHECK(by_name.error() == Error::already_exists);
        CHECK(all() == std::vector<CertificateRecord>{mail});
    }
    SECTION("name, services and key can be changed, nothing else") {
        auto changed = certificate_of("aa", "Mail 2026", 5000);
        changed.private_key = "sealed anew";
        changed.services = 3;
        changed.chain = "something else";

        REQUIRE(test.run(store.replace(changed, author)));

        changed.chain = mail.chain;
        changed.created = mail.created;
        CHECK(all() == std::vector<CertificateRecord>{changed});
    }
    SECTION("a change keeps to certificates that are there and names that are free") {
        const auto other = certificate_of("bb", "Other", 3000);
        REQUIRE(test.run(store.add(other, author)));
        auto taking = other;
        taking.name = "mail";

        const auto taken = test.run(store.replace(taking, author));
        const auto unknown = test.run(store.replace(certificate_of("cc", "New", 1), author));

        CHECK(taken.error() == Error::already_exists);
        CHECK(unknown.error() == Error::not_found);
        CHECK(all() == std::vector<CertificateRecord>{mail, other});
    }
    SECTION("a removed certificate is gone and leaves its name to others") {
        REQUIRE(test.run(store.remove("aa", author)));

        CHECK(all().empty());
        CHECK(test.run(store.remove("aa", author)).error() == Error::not_found);
        CHECK(test.run(store.add(certificate_of("bb", "Mail", 1), author)));
    }
}

}  // namespace mailflow

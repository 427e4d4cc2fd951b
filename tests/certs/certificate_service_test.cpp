#include "certs/certificate_service.hpp"

#include "tests/support/memory_certificate_store.hpp"
#include "tests/support/memory_files.hpp"
#include "tests/support/memory_log.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/test_certificates.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

using Kind = CertificateWarning::Kind;

constexpr auto kBoth = CertificateUses{3};

struct Fixture {
    Fixture() {
        REQUIRE(files.make_directory("/var"));
        start();
    }

    // As after a new start of the daemon.
    void start() {
        service = std::make_unique<CertificateService>(CertificateService::Parts{
            store,
            files,
            runner,
            test.clock,
            random,
            "/var/secret.key",
            "mail.contoso.com",
            Log(log)});
    }

    Result<> open() {
        why.clear();
        return test.run(service->open(&why));
    }

    [[nodiscard]] std::vector<CertificateRecord> records() {
        return test.run(store.read_all()).value();
    }

    Organization organization(std::vector<ReceiveConnector> connectors) {
        Organization::Parts parts;
        parts.node.fqdn = "mail.contoso.com";
        parts.receive_connectors = std::move(connectors);
        return Organization(std::move(parts));
    }

    // Kind and subject of each warning of a build, and days where they matter.
    std::set<std::string> warnings(const std::vector<ReceiveConnector>& connectors) {
        static_cast<void>(service->build(organization(connectors)));
        std::set<std::string> texts;
        for (const auto& warning : service->warnings()) {
            static const std::vector<std::string> kNames{
                "none", "self-signed", "expired", "expiring", "unusable"};
            CHECK_FALSE(warning.text.empty());
            texts.insert(
                kNames.at(static_cast<std::size_t>(warning.kind)) + " " + warning.subject +
                (warning.kind == Kind::expiring ? " " + std::to_string(warning.days_threshold)
                                                : ""));
        }
        return texts;
    }

    // A certificate whose key the box of this service has sealed.
    CertificateRecord add(const std::string& name, const TestCertificate& certificate) {
        CertificateRecord record;
        record.thumbprint = facts_of(*certificate.certificate).thumbprint;
        record.name = name;
        record.chain = certificate.pem();
        record.private_key =
            service->secret_box().seal(to_der(*certificate.key), record.thumbprint, random);
        record.services = kBoth;
        record.created = test.clock.now();
        REQUIRE(test.run(store.add(record, {"test", "import"})));
        return record;
    }

    MemoryFiles files;
    MemoryCertificateStore store;
    MemoryLog log;
    TestLane test;
    FoldedRunner runner{test.context};
    SeededRandom random{1};
    std::unique_ptr<CertificateService> service;
    std::string why;
};

ReceiveConnector connector_of(const std::string& name) {
    ReceiveConnector connector;
    connector.name = name;
    return connector;
}

// Test certificates carry the system's time, the service runs on the test's clock: days from the
// one's now that are `days` less an hour from the other's.
int days_until(const Fixture& fixture, int days) {
    return static_cast<int>(std::chrono::round<std::chrono::days>(
                                fixture.test.clock.now() - 1h - std::chrono::system_clock::now())
                                .count()) +
           days;
}

// The same time of the day for both.
void align(Fixture& fixture) {
    const auto ahead = std::chrono::system_clock::now() - fixture.test.clock.now();
    const auto rest = std::chrono::floor<Duration>(ahead) % std::chrono::days(1);
    fixture.test.clock.advance(rest + (rest < 0ms ? Duration(24h) : Duration(0)) + 1h);
}

}  // namespace

TEST_CASE("the first start makes a key file and a certificate for SMTP and HTTPS", "[certs]") {
    Fixture fixture;

    REQUIRE(fixture.open());

    const auto records = fixture.records();
    REQUIRE(records.size() == 1);
    CHECK(records[0].name == "Self-signed");
    CHECK(records[0].services == kBoth);
    CHECK(records[0].created == fixture.test.clock.now());
    CHECK(records[0].private_key.find("PRIVATE KEY") == std::string::npos);
    CHECK(parse_private_key(records[0].private_key) == nullptr);
    CHECK(fixture.store.authors().at(0).who == "mailflowd");
    CHECK(fixture.files.contents().count("/var/secret.key") == 1);
    CHECK(fixture.log.count(records[0].thumbprint) == 1);
    REQUIRE(fixture.service->certificates().size() == 1);
    CHECK(
        fixture.service->certificates()[0].facts.names ==
        std::vector<std::string>{"mail.contoso.com"});
    CHECK(fixture.service->certificates()[0].key != nullptr);
}

TEST_CASE("a later start uses what is there", "[certs]") {
    Fixture fixture;
    REQUIRE(fixture.open());
    const auto before = fixture.records();
    const auto key = fixture.files.contents();

    fixture.start();
    REQUIRE(fixture.open());

    CHECK(fixture.records() == before);
    CHECK(fixture.files.contents() == key);
    const auto connector = connector_of("Default");
    const auto contexts = fixture.service->build(fixture.organization({connector}));
    CHECK(contexts->server_context(connector) != nullptr);
}

TEST_CASE(
    "attack case 37: without the right key file nothing starts, and its name is said", "[certs]") {
    Fixture fixture;
    REQUIRE(fixture.open());
    const auto before = fixture.records();
    fixture.start();

    SECTION("missing") {
        REQUIRE(fixture.files.remove("/var/secret.key"));
        CHECK(fixture.open().error() == Error::not_found);
        CHECK(
            fixture.why ==
            "the key file /var/secret.key is missing, and organization.db holds private keys "
            "sealed with it: restore it from the backup");
        CHECK_FALSE(fixture.files.exists("/var/secret.key"));
    }
    SECTION("of somebody else") {
        REQUIRE(fixture.files.remove("/var/secret.key"));
        REQUIRE((*fixture.files.create("/var/secret.key"))->append(std::string(64, 'a') + "\n"));
        CHECK(fixture.open().error() == Error::corrupt);
        CHECK(fixture.why.find("the key file /var/secret.key does not fit") == 0);
    }
    SECTION("damaged") {
        REQUIRE(fixture.files.remove("/var/secret.key"));
        REQUIRE((*fixture.files.create("/var/secret.key"))->append("abc"));
        CHECK(fixture.open().error() == Error::corrupt);
        CHECK(fixture.why.find("/var/secret.key is damaged") != std::string::npos);
    }
    SECTION("unreadable") {
        fixture.files.fail_call(
            1, boost::system::errc::make_error_code(boost::system::errc::permission_denied));
        CHECK_FALSE(fixture.open());
        CHECK(fixture.why.find("the key file /var/secret.key cannot be read") == 0);
    }
    CHECK(fixture.records() == before);
}

TEST_CASE("a first start that fails says why and leaves nothing half done", "[certs]") {
    Fixture fixture;

    SECTION("the store cannot be read") {
        fixture.store.fail_with(Error::store_failed);
        CHECK(fixture.open().error() == Error::store_failed);
        CHECK_FALSE(fixture.files.exists("/var/secret.key"));
    }
    SECTION("the key file cannot be made") {
        fixture.files.fail_call(2, Error::disk_full);
        CHECK(fixture.open().error() == Error::disk_full);
        CHECK(fixture.why.find("/var/secret.key") != std::string::npos);
        CHECK(fixture.records().empty());
    }
    CHECK_FALSE(fixture.why.empty());
    fixture.store.fail_with({});
    fixture.files.fail_call(0, {});
    CHECK(fixture.open());
}

TEST_CASE("a damaged certificate does not keep the others from working", "[certs]") {
    Fixture fixture;
    REQUIRE(fixture.open());
    const auto good = make_test_certificate({});
    auto damaged_chain = fixture.add("Damaged chain", make_test_certificate({}));
    auto wrong_key = fixture.add("Wrong key", make_test_certificate({}));
    auto swapped = fixture.add("Swapped", make_test_certificate({}));
    wrong_key.private_key =
        fixture.service->secret_box().seal(to_der(*good.key), wrong_key.thumbprint, fixture.random);
    swapped.private_key = damaged_chain.private_key;
    REQUIRE(fixture.test.run(fixture.store.replace(wrong_key, {"t", "t"})));
    REQUIRE(fixture.test.run(fixture.store.replace(swapped, {"t", "t"})));
    REQUIRE(fixture.test.run(fixture.store.remove(damaged_chain.thumbprint, {"t", "t"})));
    damaged_chain.chain.resize(damaged_chain.chain.size() / 2);
    REQUIRE(fixture.test.run(fixture.store.add(damaged_chain, {"t", "t"})));

    fixture.start();
    REQUIRE(fixture.open());

    const auto warnings = fixture.warnings({connector_of("Default")});
    CHECK(warnings.count("unusable Damaged chain") == 1);
    CHECK(warnings.count("unusable Wrong key") == 1);
    CHECK(warnings.count("unusable Swapped") == 1);
    CHECK(warnings.count("self-signed Default") == 1);
}

TEST_CASE("a change of the store shows after a reload", "[certs]") {
    Fixture fixture;
    REQUIRE(fixture.open());
    fixture.add("Second", make_test_certificate({}));
    CHECK(fixture.service->certificates().size() == 1);

    REQUIRE(fixture.test.run(fixture.service->reload()));

    CHECK(fixture.service->certificates().size() == 2);
    fixture.store.fail_with(Error::store_failed);
    CHECK(fixture.test.run(fixture.service->reload()).error() == Error::store_failed);
    CHECK(fixture.service->certificates().size() == 2);
}

TEST_CASE("ticket keys turn when their time has come", "[certs][tickets]") {
    Fixture fixture;
    REQUIRE(fixture.open());
    const auto connector = connector_of("Default");
    CHECK(fixture.service->rotation_due() == fixture.test.clock.now());
    static_cast<void>(fixture.service->build(fixture.organization({connector})));
    const auto due = fixture.service->rotation_due();
    CHECK(due == fixture.test.clock.now() + 8h);

    fixture.test.clock.advance(1h);
    static_cast<void>(fixture.service->build(fixture.organization({connector})));
    CHECK(fixture.service->rotation_due() == due);
    fixture.test.clock.advance(7h);
    static_cast<void>(fixture.service->build(fixture.organization({connector})));

    CHECK(fixture.service->rotation_due() == due + 8h);
}

TEST_CASE("what is wrong with certificates is said", "[certs]") {
    Fixture fixture;
    REQUIRE(fixture.open());
    auto pinned = connector_of("Pinned");
    pinned.certificate = "gone";
    auto off = pinned;
    off.name = "Off";
    off.enabled = false;
    auto plain = pinned;
    plain.name = "Plain";
    plain.tls = TlsMode::none;

    CHECK(
        fixture.warnings({connector_of("Default"), pinned, off, plain}) ==
        std::set<std::string>{"self-signed Default", "none Pinned"});
}

TEST_CASE("certificates that end soon are named in time, and again when it gets worse", "[certs]") {
    struct Case {
        int days;
        std::string warning;
    };

    const auto one = GENERATE(values<Case>({
        {40, ""},
        {29, "expiring Mail 30"},
        {13, "expiring Mail 14"},
        {6, "expiring Mail 7"},
        {1, "expiring Mail 1"},
        {-1, "expired Mail"},
    }));
    CAPTURE(one.days);
    Fixture fixture;
    align(fixture);
    REQUIRE(fixture.open());
    REQUIRE(fixture.test.run(fixture.store.remove(fixture.records()[0].thumbprint, {"t", "t"})));
    fixture.add(
        "Mail",
        make_test_certificate(
            {"mail",
             "DNS:mail.contoso.com",
             KeyKind::ecdsa,
             days_until(fixture, -90),
             days_until(fixture, one.days)}));
    REQUIRE(fixture.test.run(fixture.service->reload()));

    auto warnings = fixture.warnings({connector_of("Default")});

    CHECK(warnings.erase("self-signed Default") == 1);
    CHECK(warnings == (one.warning.empty() ? std::set<std::string>{} : std::set{one.warning}));
}

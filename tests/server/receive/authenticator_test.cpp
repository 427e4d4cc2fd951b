#include "server/receive/authenticator.hpp"

#include "server/receive/password.hpp"
#include "tests/support/memory_directory.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/sasl_client.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

namespace {

using Kind = AuthStep::Kind;

const std::string kBinding(32, '\x5a');

// Counts the jobs; `hold` keeps them until they are let go.
class CountingRunner final : public TaskRunner {
  public:
    explicit CountingRunner(asio::io_context& context)
        : runner_(context) {}

    void post(UniqueFunction job) override {
        ++jobs;
        if (hold) {
            held_.push_back(std::move(job));
        } else {
            runner_.post(std::move(job));
        }
    }

    void let_go() {
        hold = false;
        for (auto& job : std::exchange(held_, {}))
            runner_.post(std::move(job));
    }

    int jobs = 0;
    bool hold = false;

  private:
    FoldedRunner runner_;
    std::deque<UniqueFunction> held_;
};

struct Fixture {
    Fixture() {
        directory.add_mailbox("alice", {"alice@contoso.com", "sales@contoso.com"});
        directory.set_verifier("alice", pencil());
        directory.add_mailbox("bob", {"bob@contoso.com"});
        directory.set_verifier("bob", pencil());
        directory.add_mailbox("dave", {"dave@contoso.com"});  // without a password
        Organization::Parts parts;
        parts.accepted_domains.push_back(
            {.name = "contoso.com",
             .domain = DomainName::parse("contoso.com").value(),
             .is_default = true});
        parts.transport.auth_failure_limit_per_source = 4;
        parts.transport.auth_failure_limit_per_account = 100;
        organization = std::make_shared<const Organization>(std::move(parts));
    }

    static const ScramVerifier& pencil() {
        static const auto verifier = make_verifier("pencil", "0123456789abcdef");
        return verifier;
    }

    [[nodiscard]] std::unique_ptr<AuthExchange> begin(
        const std::string& mechanism, std::vector<std::string> names = {}) {
        return authenticator.begin(
            mechanism, {IpAddress::parse(source).value(), organization, binding, std::move(names)});
    }

    AuthStep step(AuthExchange& exchange, std::optional<std::string> octets) {
        return test.run(exchange.step(std::move(octets)));
    }

    AuthStep plain(
        const std::string& login, const std::string& password, const std::string& as = {}) {
        const auto exchange = begin("PLAIN");
        const auto response = as + std::string(1, '\0') + login + std::string(1, '\0') + password;
        return step(*exchange, response);
    }

    // The whole exchange, with the client's last empty answer.
    AuthStep scram(const std::string& login, const std::string& password, bool plus = false) {
        const auto* mechanism = plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
        auto properties = sasl_credentials(login, password);
        if (plus) {
            properties[GSASL_CB_TLS_EXPORTER] = base64_encode(kBinding);
        }
        SaslClient client(mechanism, properties);
        const auto exchange = begin(mechanism);
        auto result = step(*exchange, client.step(""));
        challenges.clear();
        while (result.kind == Kind::challenge) {
            challenges.push_back(result.octets);
            const auto answer = client.step(result.octets);
            result = step(*exchange, answer);
        }
        convinced = client.is_content();
        return result;
    }

    TestLane test;
    MemoryDirectory directory;
    CountingRunner worker{test.context};
    AuthGuard guard;
    AuthGate gate{guard, test.lane, test.lane};
    OrganizationPtr organization;
    std::string source = "192.0.2.1";
    std::string binding;
    Authenticator authenticator{{directory, worker, gate, "the secret of this test"}};
    std::vector<std::string> challenges;
    bool convinced = false;
};

std::string salt_of(const std::string& server_first) {
    const auto at = server_first.find(",s=");
    return server_first.substr(at, server_first.find(",i=") - at);
}

}  // namespace

TEST_CASE("there is no exchange of a mechanism nobody knows", "[receive][auth]") {
    Fixture fixture;

    CHECK(fixture.begin("CRAM-MD5") == nullptr);
    CHECK(fixture.begin("") == nullptr);
    CHECK(fixture.begin("plain") != nullptr);
}

TEST_CASE("PLAIN logs in by any name of a mailbox", "[receive][auth]") {
    Fixture fixture;
    const auto* login = GENERATE("alice", "ALICE@contoso.com", "sales@contoso.com");
    CAPTURE(login);

    const auto result = fixture.plain(login, "pencil");

    CHECK(result.kind == Kind::success);
    REQUIRE(result.account != nullptr);
    CHECK(result.account->name == "alice");
    CHECK(result.login == login);
    CHECK(fixture.worker.jobs == 1);
    CHECK(fixture.guard.sources() == 0);
}

TEST_CASE("LOGIN logs in, asked or not", "[receive][auth]") {
    Fixture fixture;
    const auto exchange = fixture.begin("LOGIN");
    const bool initial = GENERATE(true, false);

    if (!initial) {
        CHECK(fixture.step(*exchange, std::nullopt).octets == "Username:");
    }
    const auto asked = fixture.step(*exchange, "alice");
    CHECK(asked.kind == Kind::challenge);
    CHECK(asked.octets == "Password:");
    const auto result = fixture.step(*exchange, "pencil");

    CHECK(result.kind == Kind::success);
    CHECK(result.account->name == "alice");
}

TEST_CASE(
    "SCRAM logs in without password work of ours, and proves that we know alice too",
    "[receive][auth]") {
    Fixture fixture;
    const bool plus = GENERATE(false, true);
    fixture.binding = plus ? kBinding : "";

    const auto result = fixture.scram("alice", "pencil", plus);

    CHECK(result.kind == Kind::success);
    CHECK(result.account->name == "alice");
    CHECK(result.login == "alice");
    CHECK(fixture.convinced);
    CHECK(fixture.challenges.size() == 2);
    CHECK(fixture.worker.jobs == 0);
    CHECK(fixture.guard.sources() == 0);
    CHECK(fixture.guard.known() == 1);
}

TEST_CASE("RFC 4954 §4 the answer to the server's last message is empty", "[receive][auth]") {
    Fixture fixture;
    SaslClient client("SCRAM-SHA-256", sasl_credentials("alice", "pencil"));
    const auto exchange = fixture.begin("SCRAM-SHA-256");
    auto result = fixture.step(*exchange, client.step(""));
    result = fixture.step(*exchange, client.step(result.octets));
    REQUIRE(result.octets.starts_with("v="));

    result = fixture.step(*exchange, "more");

    CHECK(result.kind == Kind::failure);
}

TEST_CASE("a downgrade and a wrong binding fail", "[receive][auth]") {
    Fixture fixture;
    fixture.binding = kBinding;
    const auto downgraded = fixture.begin("SCRAM-SHA-256");
    CHECK(fixture.step(*downgraded, "y,,n=alice,r=abc").kind == Kind::failure);

    fixture.binding = std::string(32, 'x');
    CHECK(fixture.scram("alice", "pencil", true).kind == Kind::failure);
}

TEST_CASE("attack case 22: who does not exist fails like who does", "[receive][auth][attack-22]") {
    Fixture fixture;
    fixture.source = "127.0.0.1";
    Organization::Parts parts;
    parts.accepted_domains = fixture.organization->accepted_domains();
    parts.transport.auth_failure_exempt_ranges = {IpRange::parse("127.0.0.0/8").value()};
    fixture.organization = std::make_shared<const Organization>(std::move(parts));
    const auto* login = GENERATE("alice", "dave", "nobody", "dave@contoso.com", "x@contoso.com");
    CAPTURE(login);

    SECTION("by PLAIN: one job on the worker, no account") {
        const auto result = fixture.plain(login, "pencils");

        CHECK(result.kind == Kind::failure);
        CHECK(result.octets.empty());
        CHECK(result.account == nullptr);
        CHECK(fixture.worker.jobs == 1);
    }
    SECTION("by SCRAM: a salt that stays, as many rounds, failure at the end") {
        CHECK(fixture.scram(login, "pencils").kind == Kind::failure);
        REQUIRE(fixture.challenges.size() == 1);
        const auto first = fixture.challenges[0];
        CHECK(fixture.scram(login, "pencils").kind == Kind::failure);
        const auto second = fixture.challenges[0];

        CHECK(salt_of(first) == salt_of(second));
        CHECK(salt_of(first).size() == salt_of(second).size());
        CHECK(first.ends_with(",i=" + std::to_string(kPasswordIterations)));
        CHECK(first != second);
    }
}

TEST_CASE("a mailbox without a password takes none", "[receive][auth]") {
    Fixture fixture;

    CHECK(fixture.plain("dave", "pencil").kind == Kind::failure);
    CHECK(fixture.plain("dave", "").kind == Kind::failure);
    CHECK(fixture.scram("dave", "pencil").kind == Kind::failure);
}

TEST_CASE("an unknown alias has the salt of the address it would stand for", "[receive][auth]") {
    Fixture fixture;
    const auto salt = [&fixture](const std::string& login) {
        fixture.scram(login, "x");
        return salt_of(fixture.challenges.at(0));
    };

    CHECK(salt("nobody") == salt("NOBODY@contoso.com"));
    CHECK(salt("CONTOSO\\nobody") != salt("noone"));
}

TEST_CASE("nobody acts as another", "[receive][auth]") {
    Fixture fixture;

    CHECK(fixture.plain("alice", "pencil", "sales@contoso.com").kind == Kind::success);
    CHECK(fixture.plain("alice", "pencil", "ALICE").kind == Kind::success);
    CHECK(fixture.plain("alice", "pencil", "bob").kind == Kind::failure);
    CHECK(fixture.plain("alice", "pencil", "bob@contoso.com").kind == Kind::failure);
    auto properties = sasl_credentials("alice", "pencil");
    properties[GSASL_AUTHZID] = "bob";
    SaslClient client("SCRAM-SHA-256", properties);
    const auto exchange = fixture.begin("SCRAM-SHA-256");
    auto result = fixture.step(*exchange, client.step(""));
    result = fixture.step(*exchange, client.step(result.octets));

    CHECK(result.kind == Kind::failure);
    CHECK(result.reason == "may not act as another");
}

TEST_CASE(
    "attack case 22: a source at its limit is refused without password work",
    "[receive][auth][attack-22]") {
    Fixture fixture;
    for (int i = 0; i < 4; ++i)
        CHECK(fixture.plain("alice", "wrong").kind == Kind::failure);
    const auto jobs = fixture.worker.jobs;

    const auto plain = fixture.plain("alice", "pencil");
    const auto scram = fixture.scram("alice", "pencil");

    CHECK(plain.kind == Kind::failure);
    CHECK(plain.reason == "too many failed log-ins");
    CHECK(fixture.worker.jobs == jobs);
    CHECK(scram.kind == Kind::failure);
    CHECK(scram.reason == "too many failed log-ins");
    REQUIRE(fixture.challenges.size() == 1);  // it heard alice's own salt
    CHECK(salt_of(fixture.challenges[0]) == ",s=" + base64_encode("0123456789abcdef"));
    fixture.source = "192.0.2.2";
    CHECK(fixture.plain("alice", "pencil").kind == Kind::success);
}

TEST_CASE("failures of SCRAM and of unknown logins count like any others", "[receive][auth]") {
    Fixture fixture;
    CHECK(fixture.scram("alice", "wrong").kind == Kind::failure);
    CHECK(fixture.scram("nobody", "wrong").kind == Kind::failure);
    CHECK(fixture.plain("nobody", "wrong").kind == Kind::failure);
    CHECK(fixture.plain("dave", "wrong").kind == Kind::failure);

    CHECK(fixture.plain("alice", "pencil").reason == "too many failed log-ins");
}

TEST_CASE("a client that gives up or goes is not counted", "[receive][auth]") {
    Fixture fixture;
    for (int i = 0; i < 10; ++i) {
        const auto exchange = fixture.begin("SCRAM-SHA-256");
        CHECK(fixture.step(*exchange, "n,,n=alice,r=abc").kind == Kind::challenge);
    }

    CHECK(fixture.guard.sources() == 0);
    CHECK(fixture.plain("alice", "pencil").kind == Kind::success);
}

TEST_CASE("nobody is refused or counted while the directory cannot answer", "[receive][auth]") {
    Fixture fixture;
    fixture.directory.fail_with(make_error_code(Error::unavailable));

    CHECK(fixture.plain("alice", "pencil").kind == Kind::unavailable);
    CHECK(fixture.scram("alice", "pencil").kind == Kind::unavailable);
    const auto exchange = fixture.begin("EXTERNAL", {"alice@contoso.com"});
    CHECK(fixture.step(*exchange, "").kind == Kind::unavailable);
    CHECK(fixture.guard.sources() == 0);

    fixture.directory.fail_with({});
    CHECK(fixture.plain("alice", "pencil").kind == Kind::success);
}

TEST_CASE("a password over the limit is not worked on", "[receive][auth]") {
    Fixture fixture;

    CHECK(fixture.plain("alice", std::string(kMaxPasswordLength + 1, 'a')).kind == Kind::failure);

    CHECK(fixture.worker.jobs == 0);
}

TEST_CASE("the checks that wait for the worker are bounded", "[receive][auth]") {
    Fixture fixture;
    fixture.source = "127.0.0.1";
    Organization::Parts parts;
    parts.transport.auth_failure_exempt_ranges = {IpRange::parse("127.0.0.0/8").value()};
    fixture.organization = std::make_shared<const Organization>(std::move(parts));
    fixture.worker.hold = true;
    const std::string response("\0alice\0wrong", 12);
    std::vector<std::unique_ptr<AuthExchange>> exchanges;
    std::vector<Kind> ends;
    for (std::size_t i = 0; i < kMaxPasswordChecks; ++i) {
        exchanges.push_back(fixture.begin("PLAIN"));
        asio::co_spawn(
            fixture.test.context,
            exchanges.back()->step(response),
            [&ends](const std::exception_ptr&, const AuthStep& step) {
                ends.push_back(step.kind);
            });
    }
    fixture.test.poll();
    REQUIRE(fixture.authenticator.checks_away() == kMaxPasswordChecks);

    CHECK(fixture.plain("alice", "pencil").kind == Kind::unavailable);

    fixture.worker.let_go();
    fixture.test.poll();
    CHECK(ends == std::vector<Kind>(kMaxPasswordChecks, Kind::failure));
    CHECK(fixture.authenticator.checks_away() == 0);
    CHECK(fixture.plain("alice", "pencil").kind == Kind::success);
}

TEST_CASE("EXTERNAL logs in whom the client certificate names", "[receive][auth]") {
    struct Case {
        std::vector<std::string> names;
        std::optional<std::string> response;
        std::string account;  // empty: fails
    };

    const auto given = GENERATE(values<Case>({
        {{"alice@contoso.com"}, "", "alice"},
        {{"ALICE@contoso.com", "sales@contoso.com"}, "", "alice"},
        {{"stranger@fabrikam.com", "alice@contoso.com"}, "", "alice"},
        {{"alice@contoso.com"}, "sales@contoso.com", "alice"},
        {{"alice@contoso.com"}, "alice", "alice"},
        {{"alice@contoso.com", "bob@contoso.com"}, "bob@contoso.com", "bob"},
        {{"dave@contoso.com"}, "", "dave"},
        {{"alice@contoso.com", "bob@contoso.com"}, "", ""},
        {{"alice@contoso.com"}, "bob@contoso.com", ""},
        {{"stranger@fabrikam.com"}, "", ""},
        {{"stranger@fabrikam.com"}, "alice@contoso.com", ""},
        {{"alice"}, "", ""},
        {{}, "", ""},
        {{}, "alice@contoso.com", ""},
    }));
    CAPTURE(given.names, given.response);
    Fixture fixture;
    const auto exchange = fixture.begin("EXTERNAL", given.names);

    const auto result = fixture.step(*exchange, given.response);

    if (given.account.empty()) {
        CHECK(result.kind == Kind::failure);
        CHECK(result.account == nullptr);
    } else {
        CHECK(result.kind == Kind::success);
        REQUIRE(result.account != nullptr);
        CHECK(result.account->name == given.account);
    }
}

}  // namespace mailflow

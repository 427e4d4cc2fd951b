#include "transport/smtp/sasl.hpp"

#include "tests/support/sasl_client.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace mailflow::smtp {

namespace {

using Kind = SaslStep::Kind;

const std::string kBinding(32, '\x5a');

// RFC 7677 §3: user `user`, password `pencil`.
struct Pencil {
    std::string salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").value();
    std::string stored_key = base64_decode("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=").value();
    std::string server_key = base64_decode("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=").value();

    [[nodiscard]] ScramSecrets secrets() const { return {4096, salt, stored_key, server_key}; }
};

SaslExchange exchange_of(SaslMechanism mechanism, std::string binding = {}) {
    return {mechanism, std::move(binding)};
}

// Runs SCRAM to its end with the secrets of `pencil`.
SaslStep run_scram(SaslExchange& server, SaslClient& client, const ScramSecrets& secrets) {
    auto step = server.step(client.step(""));
    if (step.kind == Kind::needs_secrets) {
        step = server.provide(secrets);
    }
    if (step.kind == Kind::challenge) {
        const auto proof = client.step(step.octets);
        step = server.step(proof);
    }
    if (step.kind == Kind::finished) {
        client.step(step.octets);
    }
    return step;
}

std::string nul(std::string text) {
    for (auto& c : text) {
        if (c == '|') c = '\0';
    }
    return text;
}

}  // namespace

TEST_CASE("mechanisms are known by name without case, and no others", "[smtp][sasl]") {
    CHECK(parse_sasl_mechanism("plain") == SaslMechanism::plain);
    CHECK(parse_sasl_mechanism("LOGIN") == SaslMechanism::login);
    CHECK(parse_sasl_mechanism("Scram-Sha-256") == SaslMechanism::scram_sha_256);
    CHECK(parse_sasl_mechanism("SCRAM-SHA-256-PLUS") == SaslMechanism::scram_sha_256_plus);
    CHECK(parse_sasl_mechanism("EXTERNAL") == SaslMechanism::external);
    for (const auto* name :
         {"", "CRAM-MD5", "SCRAM-SHA-1", "ANONYMOUS", "PLAI", "PLAIN ", "GSSAPI"}) {
        CHECK_FALSE(parse_sasl_mechanism(name));
    }
}

TEST_CASE("RFC 4616 PLAIN gives login, password and authorization", "[smtp][sasl]") {
    struct Case {
        std::string response;
        std::string login;
        std::string password;
        std::string authorization;
    };

    const auto good = GENERATE(values<Case>({
        {"|tim|tanstaaftanstaaf", "tim", "tanstaaftanstaaf", "tim"},
        {"Ursel|Kurt|xipj3plmq", "Kurt", "xipj3plmq", "Ursel"},
        {"|a@contoso.com| blank s ", "a@contoso.com", " blank s ", "a@contoso.com"},
        // RFC 4013 §3: a soft hyphen goes, ª becomes a, a no-break space a space.
        {"|I\xC2\xADX|p\xC2\xAA\xC2\xA0w", "IX", "pa w", "IX"},
    }));
    CAPTURE(good.response);
    const bool initial = GENERATE(true, false);
    auto server = exchange_of(SaslMechanism::plain);

    if (!initial) {
        const auto asked = server.step(std::nullopt);
        CHECK(asked.kind == Kind::challenge);
        CHECK(asked.octets.empty());
    }
    const auto step = server.step(nul(good.response));

    CHECK(step.kind == Kind::check_password);
    CHECK(server.login() == good.login);
    CHECK(server.password() == good.password);
    CHECK(server.authorization() == good.authorization);
}

TEST_CASE("malformed PLAIN fails", "[smtp][sasl]") {
    const auto response = GENERATE(
        as<std::string>{},
        "tim",
        "|tim",
        "||password",
        "|tim|",
        "|tim|pass|word",
        "|tim|pass\x01word",
        "|tim|\xFF\xFE",
        "|\xFF|password",
        "z\x07|tim|password",
        "|\xC2\xAD|password",
        "|" + std::string(321, 'a') + "|password",
        std::string(321, 'a') + "|tim|password",
        "|tim|" + std::string(5000, 'a'));
    CAPTURE(response);
    auto server = exchange_of(SaslMechanism::plain);

    const auto step = server.step(nul(response));

    CHECK(step.kind == Kind::failed);
    CHECK_FALSE(step.reason.empty());
}

TEST_CASE("LOGIN asks for the name and the password", "[smtp][sasl]") {
    const bool initial = GENERATE(true, false);
    auto server = exchange_of(SaslMechanism::login);

    if (!initial) {
        const auto asked = server.step(std::nullopt);
        CHECK(asked.kind == Kind::challenge);
        CHECK(base64_encode(asked.octets) == "VXNlcm5hbWU6");
    }
    const auto asked = server.step("al\xC2\xADice");
    CHECK(asked.kind == Kind::challenge);
    CHECK(base64_encode(asked.octets) == "UGFzc3dvcmQ6");
    const auto step = server.step("se cret");

    CHECK(step.kind == Kind::check_password);
    CHECK(server.login() == "alice");
    CHECK(server.password() == "se cret");
    CHECK(server.authorization().empty());
}

TEST_CASE("malformed LOGIN fails", "[smtp][sasl]") {
    struct Case {
        std::string login;
        std::string password;
    };

    const auto bad = GENERATE(values<Case>(
        {{"", "secret"},
         {"alice", ""},
         {"al|ice", "secret"},
         {"alice", "sec|ret"},
         {"alice", "\xFF"},
         {"\x07", "secret"},
         {std::string(321, 'a'), "secret"},
         {std::string(5000, 'a'), "secret"},
         {"alice", std::string(5000, 'a')}}));
    CAPTURE(bad.login, bad.password);
    auto server = exchange_of(SaslMechanism::login);

    static_cast<void>(server.step(std::nullopt));
    auto step = server.step(nul(bad.login));
    if (step.kind == Kind::challenge) {
        step = server.step(nul(bad.password));
    }

    CHECK(step.kind == Kind::failed);
}

TEST_CASE("RFC 4422 EXTERNAL gives the identity, or none", "[smtp][sasl]") {
    SECTION("an empty initial response stands for the certificate's own identity") {
        auto server = exchange_of(SaslMechanism::external);
        CHECK(server.step("").kind == Kind::check_identity);
        CHECK(server.authorization().empty());
    }
    SECTION("without one it is asked for") {
        auto server = exchange_of(SaslMechanism::external);
        const auto asked = server.step(std::nullopt);
        CHECK(asked.kind == Kind::challenge);
        CHECK(asked.octets.empty());
        CHECK(server.step("alice@contoso.com").kind == Kind::check_identity);
        CHECK(server.authorization() == "alice@contoso.com");
    }
    SECTION("a NUL or a name without end fails") {
        const auto bad = GENERATE(std::string("a\0b", 3), std::string(400, 'a'));
        auto server = exchange_of(SaslMechanism::external);
        CHECK(server.step(bad).kind == Kind::failed);
    }
}

TEST_CASE("RFC 7677 SCRAM-SHA-256 convinces both sides", "[smtp][sasl]") {
    auto server = exchange_of(SaslMechanism::scram_sha_256);
    SaslClient client("SCRAM-SHA-256", sasl_credentials("user", "pencil"));

    const auto step = run_scram(server, client, Pencil().secrets());

    CHECK(step.kind == Kind::finished);
    CHECK(client.is_content());
    CHECK(server.login() == "user");
}

TEST_CASE("SCRAM may begin with an empty challenge", "[smtp][sasl]") {
    auto server = exchange_of(SaslMechanism::scram_sha_256);
    SaslClient client("SCRAM-SHA-256", sasl_credentials("user", "pencil"));

    const auto asked = server.step(std::nullopt);
    CHECK(asked.kind == Kind::challenge);
    CHECK(asked.octets.empty());

    CHECK(run_scram(server, client, Pencil().secrets()).kind == Kind::finished);
}

TEST_CASE("SCRAM with a wrong password or wrong secrets fails", "[smtp][sasl]") {
    const Pencil pencil;
    auto wrong = pencil.secrets();
    const std::string other_key(32, 'x');
    const auto fault = GENERATE(0, 1, 2, 3);
    CAPTURE(fault);
    if (fault == 1) wrong.stored_key = other_key;
    if (fault == 2) wrong.iterations = 8192;
    if (fault == 3) wrong.salt = "another salt";
    auto server = exchange_of(SaslMechanism::scram_sha_256);
    SaslClient client("SCRAM-SHA-256", sasl_credentials("user", fault == 0 ? "pencils" : "pencil"));

    CHECK(run_scram(server, client, wrong).kind == Kind::failed);
}

TEST_CASE(
    "a server that does not know the server key does not convince the client", "[smtp][sasl]") {
    const Pencil pencil;
    auto wrong = pencil.secrets();
    const std::string other_key(32, 'x');
    wrong.server_key = other_key;
    auto server = exchange_of(SaslMechanism::scram_sha_256);
    SaslClient client("SCRAM-SHA-256", sasl_credentials("user", "pencil"));

    run_scram(server, client, wrong);

    CHECK_FALSE(client.is_content());
}

TEST_CASE("SCRAM tells the login and whom it wants to act as, unescaped", "[smtp][sasl]") {
    auto server = exchange_of(SaslMechanism::scram_sha_256);
    auto properties = sasl_credentials("a=b,c\xC2\xAD", "pencil");
    properties[GSASL_AUTHZID] = "boss";
    SaslClient client("SCRAM-SHA-256", properties);

    const auto step = server.step(client.step(""));

    CHECK(step.kind == Kind::needs_secrets);
    CHECK(server.login() == "a=b,c");
    CHECK(server.authorization() == "boss");
}

TEST_CASE("malformed or unfitting SCRAM messages fail", "[smtp][sasl]") {
    SECTION("client-first") {
        const auto message = GENERATE(
            as<std::string>{},
            "n",
            "n,,",
            "n,,n=,r=abc",
            "n,,n=user",
            "n,,r=abc,n=user",
            "n,,m=ext,n=user,r=abc",
            "n,,n=us=XXer,r=abc",
            "n,,n=user=2,r=abc",
            "n,a=b=2c,n=user,r=abc",
            "n,,n=\xFF,r=abc",
            "x,,n=user,r=abc",
            "n,,n=" + std::string(321, 'a') + ",r=abc",
            "n,a=" + std::string(321, 'a') + ",n=user,r=abc",
            "n,,n=user,r=" + std::string(5000, 'a'),
            // RFC 5802 §6: binding is asked for under the other name.
            "p=tls-exporter,,n=user,r=abc");
        CAPTURE(message);
        auto server = exchange_of(SaslMechanism::scram_sha_256);

        CHECK(server.step(message).kind == Kind::failed);
    }
    SECTION("client-final") {
        const auto fault = GENERATE(0, 1, 2, 3, 4, 5);
        CAPTURE(fault);
        auto server = exchange_of(SaslMechanism::scram_sha_256);
        SaslClient client("SCRAM-SHA-256", sasl_credentials("user", "pencil"));
        static_cast<void>(server.step(client.step("")));
        auto message = client.step(server.provide(Pencil().secrets()).octets);
        if (fault == 0) message.clear();
        if (fault == 1) message.resize(message.size() / 2);
        if (fault == 2) message.replace(message.find("r=") + 2, 4, "abcd");  // another nonce
        if (fault == 3) message.replace(message.find("c=") + 2, 4, "eSws");  // `y,,` now
        if (fault == 4) message = message.substr(0, message.find(",p="));
        if (fault == 5) message += std::string(5000, 'x');

        CHECK(server.step(message).kind == Kind::failed);
    }
    SECTION("nothing, again and again") {
        auto server = exchange_of(SaslMechanism::scram_sha_256);
        auto step = server.step(std::nullopt);
        for (int i = 0; i < 10 && step.kind == Kind::challenge; ++i)
            step = server.step("");

        CHECK(step.kind == Kind::failed);
    }
}

TEST_CASE("RFC 9266 SCRAM-SHA-256-PLUS binds the login to the TLS session", "[smtp][sasl]") {
    auto properties = sasl_credentials("user", "pencil");
    properties[GSASL_CB_TLS_EXPORTER] = base64_encode(kBinding);

    SECTION("with the same octets on both sides it succeeds") {
        auto server = exchange_of(SaslMechanism::scram_sha_256_plus, kBinding);
        SaslClient client("SCRAM-SHA-256-PLUS", properties);

        CHECK(run_scram(server, client, Pencil().secrets()).kind == Kind::finished);
        CHECK(client.is_content());
    }
    SECTION("with others somebody sits between") {
        auto server = exchange_of(SaslMechanism::scram_sha_256_plus, std::string(32, '\x5b'));
        SaslClient client("SCRAM-SHA-256-PLUS", properties);

        CHECK(run_scram(server, client, Pencil().secrets()).kind == Kind::failed);
    }
    SECTION("without any it fails at once") {
        auto server = exchange_of(SaslMechanism::scram_sha_256_plus);
        SaslClient client("SCRAM-SHA-256-PLUS", properties);

        CHECK(run_scram(server, client, Pencil().secrets()).kind == Kind::failed);
    }
    SECTION("another kind of binding, or none, fails") {
        const auto* message = GENERATE(
            "p=tls-unique,,n=user,r=abc",
            "p=tls-server-end-point,,n=user,r=abc",
            "n,,n=user,r=abc",
            "y,,n=user,r=abc");
        CAPTURE(message);
        auto server = exchange_of(SaslMechanism::scram_sha_256_plus, kBinding);

        CHECK(server.step(message).kind == Kind::failed);
    }
}

TEST_CASE(
    "RFC 5802 §6 a client that thinks we cannot bind fails where we offered it", "[smtp][sasl]") {
    auto offered = exchange_of(SaslMechanism::scram_sha_256, kBinding);
    auto not_offered = exchange_of(SaslMechanism::scram_sha_256);
    auto cannot = exchange_of(SaslMechanism::scram_sha_256, kBinding);

    CHECK(offered.step("y,,n=user,r=abc").kind == Kind::failed);
    CHECK(not_offered.step("y,,n=user,r=abc").kind == Kind::needs_secrets);
    CHECK(cannot.step("n,,n=user,r=abc").kind == Kind::needs_secrets);
}

TEST_CASE("RFC 4013 passwords are prepared before they are kept", "[smtp][sasl]") {
    CHECK(prepare_password("pencil").value() == "pencil");
    CHECK(prepare_password("I\xC2\xADX").value() == "IX");
    CHECK(prepare_password("\xE2\x85\xA8").value() == "IX");
    CHECK(
        prepare_password(" a\xC2\xA0"
                         "b ")
            .value() == " a b ");
    for (const auto* bad :
         {"",
          "\x07",
          "\xD8\xA7"
          "1",
          "\xFF",
          "\xC2\xAD",
          "\xF0\x9F\x98\x80"}) {
        CAPTURE(bad);
        CHECK(prepare_password(bad).error() == Error::syntax);
    }
    CHECK(prepare_password(std::string("a\0b", 3)).error() == Error::syntax);
}

TEST_CASE("an exchange that is over is not stepped", "[smtp][sasl]") {
    auto server = exchange_of(SaslMechanism::plain);
    static_cast<void>(server.step("nonsense"));

    CHECK_THROWS_AS(server.step(""), std::logic_error);
}

}  // namespace mailflow::smtp

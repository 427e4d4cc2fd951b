#include "transport/smtp/sasl_client.hpp"

#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"
#include "transport/smtp/sasl.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

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

SaslClientSecrets password_of(const std::string& user, const std::string& password) {
    SaslClientSecrets secrets;
    secrets.username = user;
    secrets.password = password;
    return secrets;
}

SaslClientSecrets token_of(const std::string& user, const std::string& token) {
    SaslClientSecrets secrets;
    secrets.username = user;
    secrets.access_token = token;
    return secrets;
}

// `^` for the separator of OAuth, `|` for NUL.
std::string octets(std::string text) {
    for (auto& c : text) {
        c = c == '^' ? '\x01' : c == '|' ? '\0' : c;
    }
    return text;
}

// Up to the server's challenge with salt and nonce.
std::string server_first(SaslExchange& server, SaslClient& client, const Pencil& pencil) {
    const auto begun = client.begin();
    REQUIRE(begun.has_value());
    auto step = server.step(**begun);
    REQUIRE(step.kind == Kind::needs_secrets);
    step = server.provide(pencil.secrets());
    REQUIRE(step.kind == Kind::challenge);
    return step.octets;
}

}  // namespace

TEST_CASE("the strongest mechanism that is offered and safe is chosen", "[smtp][sasl]") {
    struct Case {
        std::string offered;
        bool encrypted;
        bool binding;
        bool token;
        std::string chosen;  // empty: none
    };

    const auto one = GENERATE(values<Case>({
        {"PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", true, true, false, "SCRAM-SHA-256-PLUS"},
        {"PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", true, false, false, "SCRAM-SHA-256"},
        {"LOGIN PLAIN scram-sha-256", true, true, false, "SCRAM-SHA-256"},
        {"LOGIN plain", true, true, false, "PLAIN"},
        {"Login", true, true, false, "LOGIN"},
        {"PLAIN LOGIN", false, false, false, ""},
        {"PLAIN LOGIN SCRAM-SHA-256", false, false, false, "SCRAM-SHA-256"},
        {"CRAM-MD5 NTLM GSSAPI", true, true, false, ""},
        {"", true, true, false, ""},
        {"XOAUTH2 OAUTHBEARER", true, false, false, ""},
        {"PLAIN XOAUTH2 OAUTHBEARER", true, false, true, "OAUTHBEARER"},
        {"PLAIN LOGIN XOAUTH2", true, false, true, "XOAUTH2"},
        {"PLAIN LOGIN SCRAM-SHA-256", true, true, true, ""},
        {"XOAUTH2", false, false, true, ""},
    }));
    CAPTURE(one.offered, one.encrypted);
    std::vector<std::string> offered;
    for (std::size_t at = 0; at < one.offered.size();) {
        const auto end = std::min(one.offered.find(' ', at), one.offered.size());
        offered.push_back(one.offered.substr(at, end - at));
        at = end + 1;
    }
    auto secrets = one.token ? token_of("user", "token") : password_of("user", "pencil");
    secrets.channel_binding = one.binding ? kBinding : "";

    const auto chosen = choose_mechanism(offered, secrets, one.encrypted, false);

    CHECK((chosen ? std::string(name_of(*chosen)) : "") == one.chosen);
    const auto unguarded = choose_mechanism(offered, secrets, false, true);
    const auto guarded = choose_mechanism(offered, secrets, true, false);
    CHECK((unguarded == guarded));
}

TEST_CASE("without a name or a secret no mechanism is chosen", "[smtp][sasl]") {
    const std::vector<std::string> offered = {"PLAIN", "SCRAM-SHA-256", "XOAUTH2"};

    CHECK_FALSE(choose_mechanism(offered, password_of("", "pencil"), true, false).has_value());
    CHECK_FALSE(choose_mechanism(offered, password_of("user", ""), true, false));
    CHECK_FALSE(choose_mechanism(offered, token_of("", "token"), true, false));
}

TEST_CASE("RFC 4616 PLAIN says everything at once", "[smtp][sasl]") {
    SaslClient client(ClientMechanism::plain, password_of("tim", "tanstaaftanstaaf"));

    const auto begun = client.begin();

    REQUIRE(begun.has_value());
    CHECK(**begun == octets("|tim|tanstaaftanstaaf"));
    CHECK(client.is_server_proved());
    // Whoever asks for more does not speak PLAIN.
    CHECK(client.answer("").error() == Error::syntax);
    CHECK_FALSE(client.is_server_proved());
}

TEST_CASE("our server takes what our client says by PLAIN and LOGIN", "[smtp][sasl]") {
    const bool plain = GENERATE(true, false);
    SaslExchange server(plain ? SaslMechanism::plain : SaslMechanism::login, "");
    SaslClient client(
        plain ? ClientMechanism::plain : ClientMechanism::login,
        password_of(
            "alice@contoso.com",
            "s\xC3\xA9"
            "cret, =very"));

    const auto begun = client.begin();
    REQUIRE(begun.has_value());
    auto step = server.step(*begun);
    while (step.kind == Kind::challenge) {
        const auto answer = client.answer(step.octets);
        REQUIRE(answer);
        step = server.step(*answer);
    }

    CHECK(step.kind == Kind::check_password);
    CHECK(server.login() == "alice@contoso.com");
    CHECK(
        server.password() ==
        "s\xC3\xA9"
        "cret, =very");
    CHECK(client.is_server_proved());
}

TEST_CASE("LOGIN answers in order, whatever the questions are called", "[smtp][sasl]") {
    SaslClient client(ClientMechanism::login, password_of("alice", "secret"));

    CHECK_FALSE(client.begin().value().has_value());
    CHECK(client.answer(octets("User Name|")).value() == "alice");
    CHECK_FALSE(client.is_server_proved());
    CHECK(client.answer("").value() == "secret");

    CHECK(client.is_server_proved());
    CHECK(client.answer("Password:").error() == Error::syntax);
}

TEST_CASE("SCRAM with our server proves both sides", "[smtp][sasl]") {
    const bool plus = GENERATE(true, false);
    const Pencil pencil;
    SaslExchange server(
        plus ? SaslMechanism::scram_sha_256_plus : SaslMechanism::scram_sha_256,
        plus ? kBinding : "");
    auto secrets = password_of("user", "pencil");
    secrets.channel_binding = plus ? kBinding : "";
    SaslClient client(
        plus ? ClientMechanism::scram_sha_256_plus : ClientMechanism::scram_sha_256, secrets);

    const auto challenge = server_first(server, client, pencil);
    const auto proof = client.answer(challenge);
    REQUIRE(proof);
    const auto end = server.step(*proof);
    REQUIRE(end.kind == Kind::finished);
    CHECK_FALSE(client.is_server_proved());
    const auto last = client.answer(end.octets);

    CHECK(last.value().empty());
    CHECK(client.is_server_proved());
}

TEST_CASE("a channel between two others does not carry SCRAM-SHA-256-PLUS", "[smtp][sasl]") {
    const Pencil pencil;
    SaslExchange server(SaslMechanism::scram_sha_256_plus, kBinding);
    auto secrets = password_of("user", "pencil");
    secrets.channel_binding = std::string(32, '\x41');
    SaslClient client(ClientMechanism::scram_sha_256_plus, secrets);

    const auto proof = client.answer(server_first(server, client, pencil));
    REQUIRE(proof);
    const auto end = server.step(*proof);

    CHECK(end.kind == Kind::failed);
}

TEST_CASE("a server that does not know the password cannot prove itself", "[smtp][sasl]") {
    Pencil pencil;
    pencil.server_key = std::string(32, 'x');
    SaslExchange server(SaslMechanism::scram_sha_256, "");
    SaslClient client(ClientMechanism::scram_sha_256, password_of("user", "pencil"));

    const auto proof = client.answer(server_first(server, client, pencil));
    REQUIRE(proof);
    const auto end = server.step(*proof);
    REQUIRE(end.kind == Kind::finished);
    const auto last = client.answer(end.octets);

    CHECK(last.error() == Error::conflict);
    CHECK_FALSE(client.is_server_proved());
}

TEST_CASE("a server's first SCRAM message is distrusted", "[smtp][sasl]") {
    struct Case {
        std::string challenge;  // after `r=`, our nonce
        Error error;
    };

    const auto bad = GENERATE(values<Case>({
        {"more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", Error::conflict},
        {"more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", Error::conflict},
        {"more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001", Error::syntax},
        {"more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999", Error::syntax},
        {"more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-4096", Error::syntax},
        {"more,s=W22ZaJ0SNY7soEsUEjb6gQ==", Error::syntax},
        {"more,s=,i=4096", Error::syntax},
        {"more,i=4096", Error::syntax},
        {"more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" + std::string(5000, 'x'), Error::syntax},
    }));
    CAPTURE(bad.challenge);
    SaslClient client(ClientMechanism::scram_sha_256, password_of("user", "pencil"));
    const auto begun = client.begin();
    const auto nonce = (**begun).substr((**begun).find("r="));

    const auto answer = client.answer(nonce + bad.challenge);

    CHECK(answer.error() == bad.error);
    CHECK(client.answer("").error() == Error::syntax);
    CHECK_FALSE(client.is_server_proved());
}

TEST_CASE("a SCRAM challenge with another's nonce is refused", "[smtp][sasl]") {
    SaslClient client(ClientMechanism::scram_sha_256, password_of("user", "pencil"));
    REQUIRE(client.begin().has_value());

    const auto answer = client.answer("r=foreign,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");

    CHECK_FALSE(answer);
}

TEST_CASE("RFC 5802 §7 an error of the server ends SCRAM without a proof", "[smtp][sasl]") {
    const Pencil pencil;
    SaslExchange server(SaslMechanism::scram_sha_256, "");
    SaslClient client(ClientMechanism::scram_sha_256, password_of("user", "pencil"));
    REQUIRE(client.answer(server_first(server, client, pencil)));

    CHECK(client.answer("e=invalid-proof").value().empty());

    CHECK_FALSE(client.is_server_proved());
}

TEST_CASE("RFC 7628 §4.1 OAUTHBEARER carries name, host, port and token", "[smtp][sasl]") {
    auto secrets = token_of("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    secrets.host = "server.example.com";
    secrets.port = 587;
    SaslClient client(ClientMechanism::oauthbearer, secrets);

    const auto begun = client.begin();

    // The example of SMTP in RFC 7628 §4.3, with the token of §4.1.
    REQUIRE(begun.has_value());
    CHECK(
        base64_encode(**begun) ==
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyI"
        "HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
    CHECK(client.is_server_proved());
}

TEST_CASE("a name cannot end the header of OAUTHBEARER", "[smtp][sasl]") {
    SaslClient client(ClientMechanism::oauthbearer, token_of("a,b=c@x.com", "token"));

    CHECK(*client.begin().value() == octets("n,a=a=2Cb=3Dc@x.com,^auth=Bearer token^^"));
}

TEST_CASE("XOAUTH2 is said as Google and Microsoft document it", "[smtp][sasl]") {
    SaslClient client(
        ClientMechanism::xoauth2,
        token_of("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"));

    const auto begun = client.begin();

    REQUIRE(begun.has_value());
    CHECK(
        base64_encode(**begun) ==
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSF"
        "JoZG1semRHRXVZMjl0Q2cBAQ==");
}

TEST_CASE("a refused token is acknowledged as each mechanism wants it", "[smtp][sasl]") {
    SaslClient bearer(ClientMechanism::oauthbearer, token_of("user", "old"));
    SaslClient other(ClientMechanism::xoauth2, token_of("user", "old"));
    REQUIRE(bearer.begin().has_value());
    REQUIRE(other.begin().has_value());

    CHECK(bearer.answer("{\"status\":\"invalid_token\"}").value() == octets("^"));
    CHECK(other.answer("{\"status\":\"401\"}").value().empty());

    CHECK_FALSE(bearer.is_server_proved());
    CHECK_FALSE(other.is_server_proved());
    CHECK(bearer.answer("").error() == Error::syntax);
}

TEST_CASE("secrets that would say something else are not sent", "[smtp][sasl]") {
    CHECK_FALSE(
        SaslClient(ClientMechanism::plain, password_of(octets("a|b"), "x")).begin().has_value());
    CHECK_FALSE(
        SaslClient(ClientMechanism::plain, password_of("a", octets("x|y"))).begin().has_value());
    CHECK_FALSE(
        SaslClient(ClientMechanism::login, password_of(octets("a|"), "x")).begin().has_value());
    CHECK_FALSE(SaslClient(ClientMechanism::xoauth2, token_of("a", octets("t^auth=x")))
                    .begin()
                    .has_value());
    CHECK_FALSE(
        SaslClient(ClientMechanism::xoauth2, token_of(octets("a^"), "t")).begin().has_value());
    CHECK_FALSE(
        SaslClient(ClientMechanism::oauthbearer, token_of("a", "t\r\n")).begin().has_value());
}

}  // namespace mailflow::smtp

#include "transport/smtp/sasl_client.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"
#include "transport/smtp/gsasl_handles.hpp"
#include "transport/smtp/sasl.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace mailflow::smtp {

namespace {

constexpr char kSeparator = '\x01';  // kvsep of OAUTHBEARER, and of XOAUTH2

bool is_scram(ClientMechanism mechanism) {
    return mechanism == ClientMechanism::scram_sha_256 ||
           mechanism == ClientMechanism::scram_sha_256_plus;
}

bool is_oauth(ClientMechanism mechanism) {
    return mechanism == ClientMechanism::oauthbearer || mechanism == ClientMechanism::xoauth2;
}

// What can stand in a credential without being taken for the end of it.
bool has_controls(std::string_view text) {
    return std::any_of(text.begin(), text.end(), ascii::is_control);
}

// RFC 5801 §4 saslname: `,` and `=` would end it.
std::string sasl_name(std::string_view name) {
    std::string escaped;
    for (const char c : name) {
        if (c == ',') {
            escaped += "=2C";
        } else if (c == '=') {
            escaped += "=3D";
        } else {
            escaped += c;
        }
    }
    return escaped;
}

// RFC 7628 §3.1
//   client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
//   kvpair      = key "=" value kvsep
std::string oauth_bearer(const SaslClientSecrets& secrets) {
    auto response = "n,a=" + sasl_name(secrets.username) + "," + kSeparator;
    if (!secrets.host.empty()) {
        response += "host=" + secrets.host + kSeparator;
    }
    if (secrets.port != 0) {
        response += "port=" + std::to_string(secrets.port) + kSeparator;
    }
    return response + "auth=Bearer " + secrets.access_token + kSeparator + kSeparator;
}

// Google's and Microsoft's: no RFC, the same in both.
std::string xoauth2(const SaslClientSecrets& secrets) {
    return "user=" + secrets.username + kSeparator + "auth=Bearer " + secrets.access_token +
           kSeparator + kSeparator;
}

// RFC 5802 §5.1 `i=`, of a server's first message; nothing: there is none that is a number.
std::optional<std::uint64_t> iterations_of(std::string_view server_first) {
    for (const auto attribute : ascii::split(server_first, ',')) {
        if (attribute.starts_with("i=")) {
            return ascii::parse_number(attribute.substr(2));
        }
    }
    return std::nullopt;
}

Error error_of(int code) {
    return code == GSASL_AUTHENTICATION_ERROR ? Error::conflict : Error::syntax;
}

}  // namespace

std::string_view name_of(ClientMechanism mechanism) noexcept {
    switch (mechanism) {
        case ClientMechanism::scram_sha_256_plus: return "SCRAM-SHA-256-PLUS";
        case ClientMechanism::scram_sha_256: return "SCRAM-SHA-256";
        case ClientMechanism::plain: return "PLAIN";
        case ClientMechanism::login: return "LOGIN";
        case ClientMechanism::oauthbearer: return "OAUTHBEARER";
        case ClientMechanism::xoauth2: break;
    }
    return "XOAUTH2";
}

std::optional<ClientMechanism> choose_mechanism(
    std::span<const std::string> offered,
    const SaslClientSecrets& secrets,
    bool encrypted,
    bool allow_plain) {
    // Strongest first.
    constexpr std::array kAll = {
        ClientMechanism::scram_sha_256_plus,
        ClientMechanism::scram_sha_256,
        ClientMechanism::plain,
        ClientMechanism::login,
        ClientMechanism::oauthbearer,
        ClientMechanism::xoauth2};
    const bool has_token = !secrets.access_token.empty();
    if (secrets.username.empty() || (!has_token && secrets.password.empty())) {
        return std::nullopt;
    }
    for (const auto mechanism : kAll) {
        // RFC 4954 §4, RFC 7628 §4: what can be used again by who reads it is not said in clear.
        const bool is_readable = !is_scram(mechanism);
        const bool is_usable =
            is_oauth(mechanism) == has_token && (!is_readable || encrypted || allow_plain) &&
            (mechanism != ClientMechanism::scram_sha_256_plus || !secrets.channel_binding.empty());
        const bool is_offered =
            std::any_of(offered.begin(), offered.end(), [mechanism](const std::string& name) {
                return ascii::equal_ignoring_case(name, name_of(mechanism));
            });
        if (is_usable && is_offered) {
            return mechanism;
        }
    }
    return std::nullopt;
}

class SaslClient::State {
  public:
    State(ClientMechanism kind, SaslClientSecrets with)
        : mechanism_(kind)
        , secrets_(std::move(with)) {}

    ~State() {
        explicit_bzero(secrets_.password.data(), secrets_.password.size());
        explicit_bzero(secrets_.access_token.data(), secrets_.access_token.size());
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Result<std::optional<std::string>> begin();
    Result<std::string> answer(std::string_view challenge);

    [[nodiscard]] bool is_proved() const noexcept { return proved_; }

  private:
    enum class Stage : std::uint8_t { new_exchange, begun, first_answered, proof_sent, over };

    [[nodiscard]] bool has_bad_secrets() const;
    void start_session();
    Result<std::string> answer_login(std::string_view challenge);
    Result<std::string> answer_scram(std::string_view challenge);
    Result<std::string> answer_server_first(std::string_view challenge);
    Result<std::string> answer_server_final(std::string_view challenge);
    [[nodiscard]] std::string give_up() const;

    ClientMechanism mechanism_;
    SaslClientSecrets secrets_;
    gsasl::Library library_;
    gsasl::Session session_;
    Stage stage_ = Stage::new_exchange;
    bool proved_ = false;
};

bool SaslClient::State::has_bad_secrets() const {
    if (is_oauth(mechanism_)) {
        return has_controls(secrets_.username) || has_controls(secrets_.access_token) ||
               has_controls(secrets_.host);
    }
    // RFC 4616 §2: NUL ends a name; the library takes it for the end of the text everywhere.
    return secrets_.username.find('\0') != std::string::npos ||
           secrets_.password.find('\0') != std::string::npos;
}

void SaslClient::State::start_session() {
    library_ = gsasl::make_library();
    Gsasl_session* made = nullptr;
    const std::string name(name_of(mechanism_));
    if (gsasl_client_start(library_.get(), name.c_str(), &made) != GSASL_OK) {
        throw std::runtime_error("GNU SASL lacks a mechanism");
    }
    session_.reset(made);
    gsasl_property_set(made, GSASL_AUTHID, secrets_.username.c_str());
    gsasl_property_set(made, GSASL_PASSWORD, secrets_.password.c_str());
    // Deviation: without -PLUS we say `n`, not `y` (RFC 5802 §6), also when we could have bound the
    // channel: GNU SASL's client takes a binding it cannot use for a failure. Who can take -PLUS
    // out of a reply inside TLS holds a certificate that the connector's TLS level let pass.
    if (mechanism_ == ClientMechanism::scram_sha_256_plus) {
        const auto binding = base64_encode(secrets_.channel_binding);
        gsasl_property_set(made, GSASL_CB_TLS_EXPORTER, binding.c_str());
    }
}

Result<std::optional<std::string>> SaslClient::State::begin() {
    if (stage_ != Stage::new_exchange) {
        throw std::logic_error("a SASL exchange was begun twice");
    }
    stage_ = Stage::begun;
    if (has_bad_secrets()) {
        return Error::syntax;
    }
    if (is_oauth(mechanism_)) {
        proved_ = true;
        return std::optional(
            mechanism_ == ClientMechanism::oauthbearer ? oauth_bearer(secrets_)
                                                       : xoauth2(secrets_));
    }
    start_session();
    if (mechanism_ == ClientMechanism::login) {
        return std::optional<std::string>();
    }
    auto first = gsasl::run(session_, std::nullopt);
    if (first.code != GSASL_OK && first.code != GSASL_NEEDS_MORE) {
        return error_of(first.code);
    }
    proved_ = mechanism_ == ClientMechanism::plain;
    return std::optional(std::move(first.octets));
}

Result<std::string> SaslClient::State::answer(std::string_view challenge) {
    if (stage_ == Stage::over || challenge.size() > kMaxSaslChallenge) {
        stage_ = Stage::over;
        proved_ = false;
        return Error::syntax;
    }
    if (mechanism_ == ClientMechanism::login) {
        return answer_login(challenge);
    }
    if (is_scram(mechanism_)) {
        return answer_scram(challenge);
    }
    // PLAIN has said all it has; OAuth is told why it failed.
    stage_ = Stage::over;
    proved_ = false;
    if (is_oauth(mechanism_)) {
        return give_up();
    }
    return Error::syntax;
}

// RFC 7628 §3.2.3: a kvsep ends the exchange, the server's 535 follows. XOAUTH2: an empty line.
std::string SaslClient::State::give_up() const {
    return mechanism_ == ClientMechanism::oauthbearer ? std::string(1, kSeparator) : std::string();
}

// What servers ask for differs in words, never in order.
Result<std::string> SaslClient::State::answer_login(std::string_view challenge) {
    auto given = gsasl::run(session_, challenge);
    if (given.code != GSASL_OK && given.code != GSASL_NEEDS_MORE) {
        stage_ = Stage::over;
        return error_of(given.code);
    }
    proved_ = stage_ == Stage::first_answered;
    stage_ = proved_ ? Stage::over : Stage::first_answered;
    return std::move(given.octets);
}

Result<std::string> SaslClient::State::answer_scram(std::string_view challenge) {
    auto answered =
        stage_ == Stage::begun ? answer_server_first(challenge) : answer_server_final(challenge);
    if (!answered) {
        stage_ = Stage::over;
    }
    return answered;
}

Result<std::string> SaslClient::State::answer_server_first(std::string_view challenge) {
    // RFC 7677 §4: fewer iterations make the proof a gift to who guesses passwords; far more keep
    // us busy for nothing.
    const auto iterations = iterations_of(challenge);
    if (!iterations || *iterations > kMaxScramIterations) {
        return Error::syntax;
    }
    if (*iterations < kMinScramIterations) {
        return Error::conflict;
    }
    auto proof = gsasl::run(session_, challenge);
    if (proof.code != GSASL_NEEDS_MORE) {
        return error_of(proof.code);
    }
    stage_ = Stage::proof_sent;
    return std::move(proof.octets);
}

Result<std::string> SaslClient::State::answer_server_final(std::string_view challenge) {
    stage_ = Stage::over;
    // RFC 5802 §7 server-error: nothing is proved, its reply says the rest.
    if (challenge.starts_with("e=")) {
        return std::string();
    }
    const auto end = gsasl::run(session_, challenge);
    if (end.code != GSASL_OK) {
        return Error::conflict;
    }
    proved_ = true;
    return std::string();
}

SaslClient::SaslClient(ClientMechanism mechanism, SaslClientSecrets secrets)
    : state_(std::make_unique<State>(mechanism, std::move(secrets))) {}

SaslClient::~SaslClient() = default;
SaslClient::SaslClient(SaslClient&&) noexcept = default;
SaslClient& SaslClient::operator=(SaslClient&&) noexcept = default;

Result<std::optional<std::string>> SaslClient::begin() {
    return state_->begin();
}

Result<std::string> SaslClient::answer(std::string_view challenge) {
    return state_->answer(challenge);
}

bool SaslClient::is_server_proved() const noexcept {
    return state_->is_proved();
}

}  // namespace mailflow::smtp

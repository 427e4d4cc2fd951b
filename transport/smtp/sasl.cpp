#include "transport/smtp/sasl.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"
#include "transport/smtp/gsasl_handles.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace mailflow::smtp {

namespace {

using Kind = SaslStep::Kind;

struct Mechanism {
    SaslMechanism mechanism;
    const char* name;
};

constexpr std::array<Mechanism, 5> kMechanisms = {{
    {SaslMechanism::plain, "PLAIN"},
    {SaslMechanism::login, "LOGIN"},
    {SaslMechanism::scram_sha_256, "SCRAM-SHA-256"},
    {SaslMechanism::scram_sha_256_plus, "SCRAM-SHA-256-PLUS"},
    {SaslMechanism::external, "EXTERNAL"},
}};

// What clients of LOGIN wait for, octet for octet; no standard says so, every client does.
constexpr std::string_view kAskName = "Username:";
constexpr std::string_view kAskPassword = "Password:";

// SCRAM without an initial response: an empty challenge, client-first, secrets, client-final.
// Whoever answers challenges with nothing again and again is not waited for.
constexpr int kMaxRounds = 4;

const char* name_of(SaslMechanism mechanism) {
    const auto found =
        std::find_if(kMechanisms.begin(), kMechanisms.end(), [mechanism](const Mechanism& known) {
            return known.mechanism == mechanism;
        });
    return found->name;
}

bool is_scram(SaslMechanism mechanism) {
    return mechanism == SaslMechanism::scram_sha_256 ||
           mechanism == SaslMechanism::scram_sha_256_plus;
}

// For the log; what the client hears is the same for all.
std::string_view reason_of(int code) {
    switch (code) {
        case GSASL_MECHANISM_PARSE_ERROR: return "malformed response";
        case GSASL_SASLPREP_ERROR: return "name or password that RFC 4013 prohibits";
        case GSASL_AUTHENTICATION_ERROR: return "wrong proof or channel binding";
        case GSASL_NO_CB_TLS_EXPORTER:
        case GSASL_NO_CB_TLS_UNIQUE: return "channel binding that is not offered";
        default: return "failed exchange";
    }
}

SaslStep failed(std::string_view reason) {
    return {Kind::failed, {}, reason};
}

using Library = gsasl::Library;
using Session = gsasl::Session;
using gsasl::run;
using gsasl::take;

// The library asks whether a name and a password, or an identity, are good. That is answered
// elsewhere and later: it hears yes, so that its part ends here, and the driver hears the question.
int answer_validation(Gsasl*, Gsasl_session*, Gsasl_property property) {
    const bool asks = property == GSASL_VALIDATE_SIMPLE || property == GSASL_VALIDATE_EXTERNAL;
    return asks ? GSASL_OK : GSASL_NO_CALLBACK;
}

Library make_library() {
    auto library = gsasl::make_library();
    gsasl_callback_set(library.get(), answer_validation);
    return library;
}

std::optional<std::string> prepare(const char* text, Gsasl_saslprep_flags flags) {
    char* prepared = nullptr;
    if (gsasl_saslprep(text, flags, &prepared, nullptr) != GSASL_OK) {
        return std::nullopt;
    }
    return take(prepared, std::strlen(prepared));
}

// Nothing when RFC 4013 prohibits it or nothing remains. Characters that are newer than the tables
// are refused, in what is kept and in what is compared: the library does so in every name and
// password that comes by SCRAM and PLAIN. Both flags, for the 2.2 of Debian 12 takes the one for
// the other.
std::optional<std::string> prepare(const std::string& text) {
    if (text.find('\0') != std::string::npos || !prepare(text.c_str(), GSASL_ALLOW_UNASSIGNED)) {
        return std::nullopt;
    }
    auto prepared = prepare(text.c_str(), static_cast<Gsasl_saslprep_flags>(0));
    return !prepared || prepared->empty() ? std::nullopt : prepared;
}

// RFC 5802 §5.1: `=` in a name stands before 2C or 3D, and nowhere else. The library takes others
// as they are.
bool has_bad_escape(std::string_view client_first) {
    for (const auto attribute : ascii::split(client_first, ',')) {
        const bool is_name = attribute.starts_with("n=") || attribute.starts_with("a=");
        for (auto at = attribute.find('=', 2); is_name && at != std::string_view::npos;
             at = attribute.find('=', at + 1)) {
            const auto code = attribute.substr(at + 1, 2);
            if (code != "2C" && code != "3D") {
                return true;
            }
        }
    }
    return false;
}

}  // namespace

std::optional<SaslMechanism> parse_sasl_mechanism(std::string_view name) noexcept {
    const auto* const found =
        std::find_if(kMechanisms.begin(), kMechanisms.end(), [name](const Mechanism& known) {
            return ascii::equal_ignoring_case(known.name, name);
        });
    return found == kMechanisms.end() ? std::nullopt : std::optional(found->mechanism);
}

Result<std::string> prepare_password(std::string_view password) {
    auto prepared = prepare(std::string(password));
    if (!prepared) {
        return Error::syntax;
    }
    return *std::move(prepared);
}

class SaslExchange::State {
  public:
    State(SaslMechanism kind, std::string channel_binding)
        : mechanism_(kind)
        , binding_(std::move(channel_binding))
        , library_(make_library())
        , session_(start()) {}

    ~State() { explicit_bzero(password.data(), password.size()); }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    SaslStep step(std::optional<std::string_view> response);
    SaslStep provide(const ScramSecrets& secrets);

    std::string login;
    std::string authorization;
    std::string password;

  private:
    [[nodiscard]] Session start() const;
    void set(Gsasl_property property, const std::string& value) const;
    [[nodiscard]] std::string get(Gsasl_property property) const;
    SaslStep step_scram(std::optional<std::string_view> response);
    SaslStep step_login(std::optional<std::string_view> response);
    SaslStep judge(gsasl::Output output);
    SaslStep take_credentials();
    [[nodiscard]] bool take_names();

    SaslMechanism mechanism_;
    std::string binding_;
    Library library_;
    Session session_;
    std::string client_first_;  // SCRAM: kept from needs_secrets to provide()
    bool has_secrets_ = false;
    bool asked_name_ = false;  // LOGIN: the library has said its first prompt
    int rounds_ = 0;
    bool over_ = false;
};

Session SaslExchange::State::start() const {
    Gsasl_session* made = nullptr;
    if (gsasl_server_start(library_.get(), name_of(mechanism_), &made) != GSASL_OK) {
        throw std::runtime_error("GNU SASL lacks a mechanism");
    }
    Session result(made);
    if (is_scram(mechanism_) && !binding_.empty()) {
        const auto value = base64_encode(binding_);
        gsasl_property_set(result.get(), GSASL_CB_TLS_EXPORTER, value.c_str());
    }
    return result;
}

void SaslExchange::State::set(Gsasl_property property, const std::string& value) const {
    if (gsasl_property_set(session_.get(), property, value.c_str()) != GSASL_OK) {
        throw std::bad_alloc();
    }
}

std::string SaslExchange::State::get(Gsasl_property property) const {
    const auto* const value = gsasl_property_fast(session_.get(), property);
    return value == nullptr ? std::string() : value;
}

SaslStep SaslExchange::State::step(std::optional<std::string_view> response) {
    if (over_) {
        throw std::logic_error("a SASL exchange that is over was stepped");
    }
    if (!client_first_.empty()) {
        throw std::logic_error("a SASL exchange that waits for secrets was stepped");
    }
    if (++rounds_ > kMaxRounds || (response && response->size() > kMaxSaslResponse)) {
        over_ = true;
        return failed(rounds_ > kMaxRounds ? "too many responses" : "response too long");
    }
    auto result = is_scram(mechanism_)                 ? step_scram(response)
                  : mechanism_ == SaslMechanism::login ? step_login(response)
                                                       : judge(run(session_, response));
    over_ = result.kind != Kind::challenge && result.kind != Kind::needs_secrets;
    return result;
}

// The library asks for the secrets in the middle of its step and cannot wait for them. So the first
// message goes through a session that only tells whose they are, and, once they are there, through
// another one.
SaslStep SaslExchange::State::step_scram(std::optional<std::string_view> response) {
    if (has_secrets_ || !response || response->empty()) {
        return judge(run(session_, response));
    }
    // RFC 5802 §6: who binds the channel names the mechanism that does.
    if (mechanism_ == SaslMechanism::scram_sha_256 && response->starts_with('p')) {
        return failed("channel binding under the name of the mechanism without");
    }
    if (has_bad_escape(*response)) {
        return failed("malformed response");
    }
    const auto probe = run(session_, response);
    if (probe.code != GSASL_NEEDS_MORE) {
        return failed(reason_of(probe.code));
    }
    if (!take_names()) {
        return failed("name that is too long or that RFC 4013 prohibits");
    }
    client_first_ = *response;
    return {Kind::needs_secrets, {}, {}};
}

SaslStep SaslExchange::State::provide(const ScramSecrets& secrets) {
    if (client_first_.empty() || has_secrets_) {
        throw std::logic_error("a SASL exchange was given secrets it did not ask for");
    }
    has_secrets_ = true;
    session_ = start();
    set(GSASL_SCRAM_ITER, std::to_string(secrets.iterations));
    set(GSASL_SCRAM_SALT, base64_encode(secrets.salt));
    set(GSASL_SCRAM_STOREDKEY, base64_encode(secrets.stored_key));
    set(GSASL_SCRAM_SERVERKEY, base64_encode(secrets.server_key));
    return step(std::exchange(client_first_, {}));
}

SaslStep SaslExchange::State::step_login(std::optional<std::string_view> response) {
    if (!asked_name_) {
        asked_name_ = true;
        auto asked = judge(run(session_, std::nullopt));
        // A name in the initial response answers the question that was not asked yet.
        if (!response || response->empty()) {
            asked.octets = kAskName;
            return asked;
        }
    }
    auto result = judge(run(session_, response));
    if (result.kind == Kind::challenge) {
        result.octets = kAskPassword;
    }
    return result;
}

SaslStep SaslExchange::State::judge(gsasl::Output output) {
    if (output.code == GSASL_NEEDS_MORE) {
        return {Kind::challenge, std::move(output.octets), {}};
    }
    if (output.code != GSASL_OK) {
        return failed(reason_of(output.code));
    }
    if (is_scram(mechanism_)) {
        return {Kind::finished, std::move(output.octets), {}};
    }
    if (mechanism_ == SaslMechanism::external) {
        authorization = get(GSASL_AUTHZID);
        return authorization.size() > kMaxSaslName ? failed("name too long")
                                                   : SaslStep{Kind::check_identity, {}, {}};
    }
    return take_credentials();
}

// The library has prepared what came by PLAIN, but not what came by LOGIN; twice does no harm.
SaslStep SaslExchange::State::take_credentials() {
    if (!take_names()) {
        return failed("name that is empty, too long or that RFC 4013 prohibits");
    }
    auto prepared = prepare(get(GSASL_PASSWORD));
    if (!prepared) {
        return failed("password that is empty or that RFC 4013 prohibits");
    }
    password = *std::move(prepared);
    return {Kind::check_password, {}, {}};
}

bool SaslExchange::State::take_names() {
    auto prepared = prepare(get(GSASL_AUTHID));
    if (!prepared || prepared->size() > kMaxSaslName) {
        return false;
    }
    login = *std::move(prepared);
    authorization = get(GSASL_AUTHZID);
    if (!authorization.empty()) {
        auto prepared_too = prepare(authorization);
        if (!prepared_too) {
            return false;
        }
        authorization = *std::move(prepared_too);
    }
    return authorization.size() <= kMaxSaslName;
}

SaslExchange::SaslExchange(SaslMechanism mechanism, std::string channel_binding)
    : state_(std::make_unique<State>(mechanism, std::move(channel_binding))) {}

SaslExchange::~SaslExchange() = default;
SaslExchange::SaslExchange(SaslExchange&&) noexcept = default;
SaslExchange& SaslExchange::operator=(SaslExchange&&) noexcept = default;

SaslStep SaslExchange::step(std::optional<std::string_view> response) {
    return state_->step(response);
}

SaslStep SaslExchange::provide(const ScramSecrets& secrets) {
    return state_->provide(secrets);
}

const std::string& SaslExchange::login() const noexcept {
    return state_->login;
}

const std::string& SaslExchange::authorization() const noexcept {
    return state_->authorization;
}

const std::string& SaslExchange::password() const noexcept {
    return state_->password;
}

}  // namespace mailflow::smtp

#include "server/receive/authenticator.hpp"

#include "server/receive/password.hpp"
#include "transport/base/ascii.hpp"
#include "transport/smtp/sasl.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

using Kind = AuthStep::Kind;
using SaslKind = smtp::SaslStep::Kind;

// Names of one certificate that are looked up.
constexpr std::size_t kMaxCertificateNames = 16;

constexpr std::string_view kTooMany = "too many failed log-ins";

template <std::size_t N>
std::string_view octets_of(const std::array<std::uint8_t, N>& key) {
    return {reinterpret_cast<const char*>(key.data()), key.size()};
}

// One text for the spellings of one login that is nobody's. A bare alias and `DOMAIN\alias` stand
// for the address of a mailbox that was made without further ado.
std::string canonical_login(const std::string& login, const Organization& organization) {
    auto text = ascii::to_lower(login);
    if (text.find('@') != std::string::npos || organization.accepted_domains().empty()) {
        return text;
    }
    text.erase(0, text.find('\\') + 1);
    return text + "@" + organization.default_domain().domain.text();
}

bool is_name_of(const MailRecipient& account, std::string_view text) {
    const auto same = [text](std::string_view name) {
        return ascii::equal_ignoring_case(name, text);
    };
    return same(account.upn) || same(account.alias) ||
           std::any_of(
               account.addresses.begin(), account.addresses.end(), [&](const auto& address) {
                   return same(address.text());
               });
}

}  // namespace

// From AUTH to its end. Whatever goes wrong with an unknown login goes wrong in the same place as
// with a known one: `account_` without `allowed_` is as good as nobody.
class Authenticator::Exchange final : public AuthExchange {
  public:
    Exchange(Authenticator& authenticator, smtp::SaslMechanism mechanism, AuthPeer peer)
        : authenticator_(authenticator)
        , peer_(std::move(peer))
        , sasl_(mechanism, peer_.channel_binding) {}

    ~Exchange() override { end_try(AuthTryEnd::given_up); }

    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    Task<AuthStep> step(std::optional<std::string> client_octets) override;

  private:
    Task<AuthStep> provide_secrets();
    Task<AuthStep> judge_password();
    Task<AuthStep> judge_certificate();
    Task<bool> look_up();
    Task<bool> begin_try(std::string account);
    Task<Result<MailRecipientPtr>> find_certified();
    void end_try(AuthTryEnd outcome) noexcept;
    [[nodiscard]] AuthStep success();
    [[nodiscard]] AuthStep failure(std::string_view reason);
    [[nodiscard]] AuthStep unavailable();

    [[nodiscard]] Parts& parts() noexcept { return authenticator_.parts_; }

    Authenticator& authenticator_;
    AuthPeer peer_;
    smtp::SaslExchange sasl_;
    std::string login_;
    MailRecipientPtr account_;  // null: nobody's login
    ScramVerifier verifier_;    // the account's, or a decoy
    bool allowed_ = false;      // the account may log in, when it proves itself
    std::string_view reason_;   // why not
    AuthTry try_;
    bool try_open_ = false;
    bool proved_ = false;  // SCRAM: all that is left is the client's empty answer
};

Task<AuthStep> Authenticator::Exchange::step(std::optional<std::string> client_octets) {
    if (proved_) {
        co_return client_octets && client_octets->empty()
            ? success()
            : failure("answer to the server's last message");
    }
    auto result = sasl_.step(client_octets);
    AuthStep next;
    switch (result.kind) {
        case SaslKind::challenge:
            next.kind = Kind::challenge;
            next.octets = std::move(result.octets);
            break;
        case SaslKind::needs_secrets: next = co_await provide_secrets(); break;
        case SaslKind::check_password: next = co_await judge_password(); break;
        case SaslKind::check_identity: next = co_await judge_certificate(); break;
        case SaslKind::finished:
            // Nobody proves a decoy's secrets.
            proved_ = true;
            next.kind = Kind::challenge;
            next.octets = std::move(result.octets);
            break;
        case SaslKind::failed: next = failure(reason_.empty() ? result.reason : reason_); break;
    }
    next.login = login_;
    co_return next;
}

Task<AuthStep> Authenticator::Exchange::provide_secrets() {
    const bool known = co_await look_up();
    if (!known) {
        co_return unavailable();
    }
    // A login that may not go on hears its own salt and count all the same, and fails at the end.
    const auto decoy = decoy_verifier(parts().secret, canonical_login(login_, *peer_.organization));
    const auto& keys = allowed_ ? verifier_ : decoy;
    const auto result = sasl_.provide(
        {verifier_.iterations,
         verifier_.salt,
         octets_of(keys.stored_key),
         octets_of(keys.server_key)});
    if (result.kind != SaslKind::challenge) {
        co_return failure(result.reason);
    }
    co_return AuthStep{Kind::challenge, result.octets, {}, {}, {}};
}

Task<AuthStep> Authenticator::Exchange::judge_password() {
    if (sasl_.password().size() > kMaxPasswordLength) {
        login_ = sasl_.login();
        co_return failure("password too long");
    }
    const bool known = co_await look_up();
    if (!known) {
        co_return unavailable();
    }
    if (reason_ == kTooMany) {
        co_return failure(reason_);
    }
    if (authenticator_.checks_away_ >= kMaxPasswordChecks) {
        co_return unavailable();
    }
    const auto check = [this] {
        return check_password(verifier_, sasl_.password());
    };
    ++authenticator_.checks_away_;
    const bool fits = co_await offload(parts().worker, check);
    --authenticator_.checks_away_;
    if (!allowed_) {
        co_return failure(reason_);
    }
    co_return fits ? success() : failure("wrong password");
}

Task<AuthStep> Authenticator::Exchange::judge_certificate() {
    login_ = sasl_.authorization();
    if (peer_.certificate_names.empty()) {
        co_return failure("no client certificate that names anybody");
    }
    auto found = co_await find_certified();
    if (!found) {
        co_return unavailable();
    }
    account_ = std::move(*found);
    const auto& first = peer_.certificate_names.front();
    if (login_.empty()) {
        login_ = first;
    }
    const auto canonical = canonical_login(first, *peer_.organization);
    const auto account = account_ != nullptr ? ascii::to_lower(account_->name)
                                             : decoy_account(parts().secret, canonical);
    const bool may_try = co_await begin_try(account);
    if (!may_try) {
        co_return failure(reason_);
    }
    if (account_ == nullptr) {
        co_return failure("client certificate that names no mailbox of ours, or another one");
    }
    co_return success();
}

// The one mailbox that the certificate names; of several, the one the client wants to act as.
Task<Result<MailRecipientPtr>> Authenticator::Exchange::find_certified() {
    MailRecipientPtr account;
    const auto& wanted = sasl_.authorization();
    const auto count = std::min(peer_.certificate_names.size(), kMaxCertificateNames);
    for (std::size_t i = 0; i < count; ++i) {
        const auto& name = peer_.certificate_names[i];
        if (name.find('@') == std::string::npos) {
            continue;  // an alias is no name that a certificate authority has checked
        }
        auto found = co_await parts().directory.find_login(name);
        if (!found) {
            co_return found.error();
        }
        const bool fits = *found != nullptr && (wanted.empty() || is_name_of(**found, wanted));
        if (fits && account != nullptr && account->name != (*found)->name) {
            co_return MailRecipientPtr();
        }
        if (fits) {
            account = std::move(*found);
        }
    }
    co_return account;
}

// Whose login it is and whether it may go on; false when that could not be found out.
Task<bool> Authenticator::Exchange::look_up() {
    login_ = sasl_.login();
    auto found = co_await parts().directory.find_login(login_);
    if (!found) {
        co_return false;
    }
    account_ = std::move(*found);
    const auto canonical = canonical_login(login_, *peer_.organization);
    const auto account = account_ != nullptr ? ascii::to_lower(account_->name)
                                             : decoy_account(parts().secret, canonical);
    const bool may_try = co_await begin_try(account);
    const bool has_password = account_ != nullptr && account_->verifier;
    verifier_ = has_password ? *account_->verifier : decoy_verifier(parts().secret, canonical);
    // RFC 4616 §2, RFC 5802 §5.1: acting as another is no right anybody has.
    const auto& wanted = sasl_.authorization();
    const bool as_itself = wanted.empty() || ascii::equal_ignoring_case(wanted, login_) ||
                           (account_ != nullptr && is_name_of(*account_, wanted));
    if (may_try) {
        reason_ = account_ == nullptr ? "unknown login"
                  : !has_password     ? "mailbox without a password"
                  : !as_itself        ? "may not act as another"
                                      : "";
    }
    allowed_ = reason_.empty();
    co_return true;
}

Task<bool> Authenticator::Exchange::begin_try(std::string account) {
    try_ = {peer_.client, std::move(account)};
    const auto verdict = co_await parts().gate.begin(try_, peer_.organization);
    try_open_ = verdict == AuthTryVerdict::allowed;
    if (!try_open_) {
        reason_ = kTooMany;
    }
    co_return try_open_;
}

void Authenticator::Exchange::end_try(AuthTryEnd outcome) noexcept {
    if (std::exchange(try_open_, false)) {
        parts().gate.end(try_, peer_.organization, outcome);
    }
}

AuthStep Authenticator::Exchange::success() {
    end_try(AuthTryEnd::succeeded);
    return {Kind::success, {}, account_, login_, {}};
}

AuthStep Authenticator::Exchange::failure(std::string_view reason) {
    end_try(AuthTryEnd::failed);
    return {Kind::failure, {}, nullptr, login_, reason};
}

AuthStep Authenticator::Exchange::unavailable() {
    end_try(AuthTryEnd::given_up);
    return {Kind::unavailable, {}, nullptr, login_, "the directory or the worker cannot answer"};
}

Authenticator::Authenticator(Parts parts)
    : parts_(std::move(parts)) {}

std::unique_ptr<AuthExchange> Authenticator::begin(std::string_view mechanism, AuthPeer peer) {
    const auto known = smtp::parse_sasl_mechanism(mechanism);
    if (!known) {
        return nullptr;
    }
    return std::make_unique<Exchange>(*this, *known, std::move(peer));
}

}  // namespace mailflow

#include "certs/tls_context_set.hpp"

#include "certs/certificate_selection.hpp"
#include "certs/client_context.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

namespace mailflow {

namespace {

// RFC 9325 §4.2: forward secrecy and authenticated encryption only. ECDSA first, as it is cheaper;
// a client that puts ChaCha20 first has no AES in hardware and gets it.
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kSignatures =
    "ECDSA+SHA256:ed25519:ECDSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";
constexpr const char* kGroups = "X25519:P-256:P-384";
// From OpenSSL 3.5 on.
constexpr const char* kGroupsWithPostQuantum = "X25519MLKEM768:X25519:P-256:P-384";
// 112 bits: RSA of 2,048 bits and more, no SHA-1.
constexpr int kSecurityLevel = 2;
constexpr long kMaxClientChain = 32L * 1024;
// Replies are short: a buffer for a record of 16 KiB would be made and dropped for each.
constexpr long kMaxRecord = 4L * 1024;

constexpr std::uint64_t kOptions = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;

using SessionKind = std::array<unsigned char, 32>;

using Contexts = std::map<std::string, TlsContextPtr, std::less<>>;

// What the call-backs of one context need. Owned by the OpenSSL context itself, which sessions keep
// alive longer than the set.
struct ContextState {
    TicketKeysPtr tickets;
    // By the names clients may ask for; null when the certificate is pinned.
    std::shared_ptr<const Contexts> by_name;
    const SSL_CTX* own = nullptr;  // of these, the one with the certificates this context has
};

void free_state(void*, void* state, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<ContextState*>(state);
}

int state_index() {
    static const int kIndex = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_state);
    return kIndex;
}

const ContextState& state_of(SSL* ssl) noexcept {
    return *static_cast<const ContextState*>(
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), state_index()));
}

void check(bool done) {
    if (!done) {
        throw std::runtime_error(
            "could not set TLS up: " + take_openssl_error("OpenSSL gives no reason"));
    }
}

// ---- call-backs of a handshake, on the lane of the session

// RFC 7301 §3.2: a client that speaks something else, and only that, is turned away: it may have
// been led here by somebody who wants its request read as SMTP. Decisions 2.12.
int choose_protocol(
    SSL*,
    const unsigned char** chosen,
    unsigned char* chosen_size,
    const unsigned char* offered,
    unsigned offered_size,
    void*) {
    std::string_view rest(reinterpret_cast<const char*>(offered), offered_size);
    while (!rest.empty()) {
        const auto size = static_cast<unsigned char>(rest.front());
        const auto name = rest.substr(1, size);
        if (name == "smtp" || name == "esmtp") {
            *chosen = reinterpret_cast<const unsigned char*>(name.data());
            *chosen_size = size;
            return SSL_TLSEXT_ERR_OK;
        }
        rest.remove_prefix(std::min<std::size_t>(rest.size(), std::size_t{size} + 1));
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

const TlsContextPtr* find_context(const Contexts& by_name, std::string_view server_name) {
    const auto name = ascii::to_lower(server_name);
    auto found = by_name.find(name);
    const auto dot = name.find('.');
    if (found == by_name.end() && dot != std::string::npos && dot > 0) {
        found = by_name.find("*" + name.substr(dot));
    }
    return found == by_name.end() ? nullptr : &found->second;
}

// RFC 6066 §3: a name we have no certificate for is no reason to give up.
int choose_certificate(SSL* ssl, int*, void*) {
    const auto* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const auto& state = state_of(ssl);
    if (name == nullptr || !state.by_name) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    const auto* context = find_context(*state.by_name, name);
    if (context == nullptr) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    if (context->get() != state.own) {
        // Only the certificate changes: what the connector says, and where a session may be
        // resumed, OpenSSL has taken from the context the handshake began with.
        SSL_set_SSL_CTX(ssl, context->get());
    }
    return SSL_TLSEXT_ERR_OK;
}

int protect_ticket(
    SSL* ssl,
    unsigned char* name,
    unsigned char* nonce,
    EVP_CIPHER_CTX* cipher,
    EVP_MAC_CTX* mac,
    int sealing) {
    const auto& keys = *state_of(ssl).tickets;
    const TicketKeys::Ticket ticket{name, nonce, cipher, mac};
    return static_cast<int>(sealing != 0 ? keys.seal(ticket) : keys.open(ticket));
}

// The handshake goes on; that the certificate is worth nothing is kept as the verify result.
int note_only(int, X509_STORE_CTX*) {
    return 1;
}

// ---- making contexts

TlsContextPtr make_context(const TrustStorePtr& trust, std::unique_ptr<ContextState> state) {
    TlsContextPtr context(made(SSL_CTX_new(TLS_server_method())), SSL_CTX_free);
    auto* const raw = context.get();
    check(SSL_CTX_set_ex_data(raw, state_index(), state.get()) == 1);
    static_cast<void>(state.release());
    // RFC 8996: nothing below TLS 1.2.
    check(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1);
    SSL_CTX_set_security_level(raw, kSecurityLevel);
    SSL_CTX_set_options(raw, kOptions);
    // A chain is sent as it is stored; else OpenSSL would build and verify one at each handshake.
    SSL_CTX_set_mode(raw, SSL_MODE_NO_AUTO_CHAIN);
    check(SSL_CTX_set_cipher_list(raw, kCiphers12) == 1);
    check(SSL_CTX_set_ciphersuites(raw, kCiphers13) == 1);
    check(SSL_CTX_set1_sigalgs_list(raw, kSignatures) == 1);
    if (SSL_CTX_set1_groups_list(raw, kGroupsWithPostQuantum) != 1) {
        ERR_clear_error();
        check(SSL_CTX_set1_groups_list(raw, kGroups) == 1);
    }
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(raw, kMaxClientChain);
    check(SSL_CTX_set_max_send_fragment(raw, kMaxRecord) == 1);
    SSL_CTX_set_verify_depth(raw, static_cast<int>(kMaxChain));
    SSL_CTX_set1_cert_store(raw, trust.get());
    SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
    return context;
}

void set_tickets(SSL_CTX* context, bool gives) {
    if (!gives) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        check(SSL_CTX_set_num_tickets(context, 0) == 1);
        return;
    }
    // Decisions 2.15.
    check(SSL_CTX_set_num_tickets(context, 1) == 1);
    SSL_CTX_set_timeout(context, std::chrono::seconds(kTicketLife).count());
    check(SSL_CTX_set_tlsext_ticket_key_evp_cb(context, protect_ticket) == 1);
}

void set_client_certificates(SSL_CTX* context, ClientCertificates wanted) {
    if (wanted == ClientCertificates::request) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_only);
    } else if (wanted == ClientCertificates::require) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
}

using Choice = std::vector<std::size_t>;

}  // namespace

bool gives_tickets(const ReceiveConnector& connector) noexcept {
    return !has_group(connector, PermissionGroup::anonymous) || connector.auth_mechanisms != 0;
}

// What of a connector decides about its context.
struct TlsContextSet::Entry {
    std::string certificate;
    std::string fqdn;
    ClientCertificates client_certificates = ClientCertificates::none;
    bool tickets = false;
    TlsContextPtr context;

    [[nodiscard]] bool fits(const ReceiveConnector& connector) const {
        return certificate == connector.certificate && fqdn == connector.fqdn &&
               client_certificates == connector.client_certificates &&
               tickets == gives_tickets(connector);
    }

    // A session may be resumed where it could have been made, also after a change elsewhere.
    [[nodiscard]] SessionKind session_kind() const {
        const auto text = certificate + "\n" + fqdn + "\n" +
                          std::to_string(static_cast<int>(client_certificates));
        SessionKind kind{};
        check(
            EVP_Digest(text.data(), text.size(), kind.data(), nullptr, EVP_sha256(), nullptr) == 1);
        return kind;
    }
};

// Makes the contexts of a set; gone when they are made.
class TlsContextSet::Builder {
  public:
    Builder(const Parts& parts, std::vector<std::string>& problems)
        : parts_(parts)
        , problems_(problems) {}

    void fill_names() {
        auto by_name = std::make_shared<Contexts>();
        for (const auto& certificate : parts_.certificates) {
            for (const auto& name : certificate.facts.names) {
                // A wildcard taken as a name finds the certificates that have it.
                const auto context = context_of(choose({{}, name, {}, {}}, name));
                if (context) {
                    by_name->emplace(name, context);
                }
            }
        }
        by_name_ = std::move(by_name);
    }

    // The context of a kind of connector; null when there is no certificate for it.
    TlsContextPtr make(const Entry& entry) {
        const auto choice = select_certificates(
            parts_.certificates, {entry.certificate, {}, entry.fqdn, parts_.node_fqdn}, parts_.now);
        auto state = std::make_unique<ContextState>();
        state->tickets = parts_.tickets;
        if (entry.certificate.empty()) {
            state->by_name = by_name_;
            const auto same = by_choice_.find(choice);
            state->own = same == by_choice_.end() ? nullptr : same->second.get();
        }
        auto context = make_context(parts_.trust, std::move(state));
        set_tickets(context.get(), entry.tickets);
        set_client_certificates(context.get(), entry.client_certificates);
        const auto kind = entry.session_kind();
        check(
            SSL_CTX_set_session_id_context(
                context.get(), kind.data(), static_cast<unsigned>(kind.size())) == 1);
        if (entry.certificate.empty()) {
            SSL_CTX_set_tlsext_servername_callback(context.get(), choose_certificate);
        }
        return use(*context, choice) ? context : nullptr;
    }

  private:
    // What is chosen when a client asks for `name`; nothing when no certificate has it.
    [[nodiscard]] Choice choose(const CertificateWish& wish, std::string_view name) const {
        auto choice = select_certificates(parts_.certificates, wish, parts_.now);
        const bool has_name = std::any_of(choice.begin(), choice.end(), [&](std::size_t position) {
            return match_name(parts_.certificates[position].facts, name) != NameMatch::none;
        });
        return has_name ? choice : Choice();
    }

    // One for each set of certificates, whatever name leads to it.
    TlsContextPtr context_of(const Choice& choice) {
        if (choice.empty()) {
            return nullptr;
        }
        const auto found = by_choice_.find(choice);
        if (found != by_choice_.end()) {
            return found->second;
        }
        auto state = std::make_unique<ContextState>();
        state->tickets = parts_.tickets;
        auto context = make_context(parts_.trust, std::move(state));
        auto kept = use(*context, choice) ? context : nullptr;
        by_choice_.emplace(choice, kept);
        return kept;
    }

    // True when at least one of them can be used.
    bool use(SSL_CTX& context, const Choice& choice) {
        bool any = false;
        for (const auto position : choice) {
            const auto& certificate = parts_.certificates[position];
            const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> others(
                made(sk_X509_new_null()), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
            for (const auto& other : certificate.chain->others) {
                sk_X509_push(others.get(), other.get());
            }
            const bool used = SSL_CTX_use_cert_and_key(
                                  &context,
                                  certificate.chain->leaf.get(),
                                  certificate.key.get(),
                                  others.get(),
                                  1) == 1;
            any = any || used;
            if (!used) {
                note(certificate, take_openssl_error("OpenSSL does not take it"));
            }
        }
        return any;
    }

    void note(const StoredCertificate& certificate, const std::string& reason) {
        auto problem = "certificate \"" + certificate.name + "\" cannot be used: " + reason;
        if (std::find(problems_.begin(), problems_.end(), problem) == problems_.end()) {
            problems_.push_back(std::move(problem));
        }
    }

    const Parts& parts_;
    std::vector<std::string>& problems_;
    std::shared_ptr<const Contexts> by_name_;
    std::map<Choice, TlsContextPtr> by_choice_;
};

TlsContextSet::TlsContextSet(const Parts& parts, std::vector<std::string>& problems) {
    make_clients(parts, problems);
    Builder builder(parts, problems);
    builder.fill_names();
    for (const auto& connector : parts.connectors) {
        const bool is_there =
            std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
                return entry.fits(connector);
            });
        if (connector.tls == TlsMode::none || is_there) {
            continue;
        }
        Entry entry{
            connector.certificate,
            connector.fqdn,
            connector.client_certificates,
            gives_tickets(connector),
            nullptr};
        entry.context = builder.make(entry);
        entries_.push_back(std::move(entry));
    }
}

void TlsContextSet::make_clients(const Parts& parts, std::vector<std::string>& problems) {
    std::string why;
    client_ = make_client_context(parts.trust, nullptr, &why).value();
    for (const auto& connector : parts.send_connectors) {
        const auto& wanted = connector.certificate;
        if (wanted.empty() || clients_.contains(wanted)) {
            continue;
        }
        const auto found = std::find_if(
            parts.certificates.begin(), parts.certificates.end(), [&wanted](const auto& one) {
                return ascii::equal_ignoring_case(one.name, wanted) ||
                       ascii::equal_ignoring_case(one.facts.thumbprint, wanted);
            });
        const bool is_there = found != parts.certificates.end() && found->key && found->chain;
        Result<TlsContextPtr> context = Error::not_found;
        why = "there is no such certificate with its key";
        if (is_there) {
            context = make_client_context(parts.trust, &*found, &why);
        }
        if (!context) {
            problems.push_back(
                "send connector \"" + connector.name + "\" sends no certificate: \"" + wanted +
                "\": " + why);
        }
        clients_.emplace(wanted, context ? *context : client_);
    }
}

TlsContextPtr TlsContextSet::client_context(const SendConnector* connector) const {
    const auto found =
        connector == nullptr ? clients_.end() : clients_.find(connector->certificate);
    return found == clients_.end() ? client_ : found->second;
}

TlsContextSet::~TlsContextSet() = default;

TlsContextPtr TlsContextSet::server_context(const ReceiveConnector& connector) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.fits(connector);
    });
    return found == entries_.end() ? nullptr : found->context;
}

}  // namespace mailflow

#include "certs/certificate.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <climits>
#include <ctime>

namespace mailflow {

namespace {

struct FreeNames {
    void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};

BioPtr reader_of(std::string_view text) {
    const auto size = static_cast<int>(std::min<std::size_t>(text.size(), INT_MAX));
    return BioPtr(made(BIO_new_mem_buf(text.data(), size)));
}

std::string digest_of(const X509& certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    X509_digest(&certificate, EVP_sha256(), digest.data(), &size);
    return hex_encode({reinterpret_cast<const char*>(digest.data()), size});
}

std::string text_of_name(const X509_NAME* name) {
    const BioPtr text(made(BIO_new(BIO_s_mem())));
    constexpr unsigned long kFlags =
        XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
    X509_NAME_print_ex(text.get(), name, 0, kFlags);
    return text_of(*text);
}

UtcTime time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        return {};
    }
    const std::chrono::year_month_day day(
        std::chrono::year(parts.tm_year + 1900),
        std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
        std::chrono::day(static_cast<unsigned>(parts.tm_mday)));
    return std::chrono::sys_days(day) + std::chrono::hours(parts.tm_hour) +
           std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
}

KeyKind kind_of(X509& certificate) {
    const auto* key = X509_get0_pubkey(&certificate);
    switch (key == nullptr ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key)) {
        case EVP_PKEY_EC: return KeyKind::ecdsa;
        case EVP_PKEY_RSA: return KeyKind::rsa;
        case EVP_PKEY_ED25519: return KeyKind::ed25519;
        default: return KeyKind::other;
    }
}

void add_name(const ASN1_STRING* text, std::vector<std::string>& names) {
    const std::string_view octets(
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
        static_cast<std::size_t>(ASN1_STRING_length(text)));
    if (!octets.empty() && octets.find('\0') == std::string_view::npos) {
        names.push_back(ascii::to_lower(octets));
    }
}

// RFC 9525 §2: the names of a server are those of subjectAltName; the common name counts only where
// an old certificate has no other.
std::vector<std::string> names_of(X509& certificate) {
    std::vector<std::string> names;
    const std::unique_ptr<GENERAL_NAMES, FreeNames> alternative(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    const int count = alternative ? sk_GENERAL_NAME_num(alternative.get()) : 0;
    for (int i = 0; i < count; ++i) {
        const auto* name = sk_GENERAL_NAME_value(alternative.get(), i);
        if (name->type == GEN_DNS) {
            add_name(name->d.dNSName, names);
        }
    }
    if (!names.empty()) {
        return names;
    }
    const auto* subject = X509_get_subject_name(&certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) {
        add_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), names);
    }
    return names;
}

}  // namespace

Result<ParsedChain> parse_chain(std::string_view pem) {
    const auto reader = reader_of(pem);
    ParsedChain chain;
    while (auto* const certificate = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
        X509Ptr owned(certificate);
        if (!chain.leaf) {
            chain.leaf = std::move(owned);
        } else if (chain.others.size() + 1 < kMaxChain) {
            chain.others.push_back(std::move(owned));
        } else {
            return Error::too_large;
        }
    }
    // The end of the text shows as an error too; any other one is a damaged certificate.
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!chain.leaf || !at_end) {
        return Error::syntax;
    }
    return chain;
}

CertificateFacts facts_of(X509& leaf) {
    CertificateFacts facts;
    facts.thumbprint = digest_of(leaf);
    facts.subject = text_of_name(X509_get_subject_name(&leaf));
    facts.issuer = text_of_name(X509_get_issuer_name(&leaf));
    facts.names = names_of(leaf);
    facts.key = kind_of(leaf);
    facts.not_before = time_of(X509_get0_notBefore(&leaf));
    facts.not_after = time_of(X509_get0_notAfter(&leaf));
    facts.self_signed = (X509_get_extension_flags(&leaf) & EXFLAG_SS) != 0;
    ERR_clear_error();
    return facts;
}

std::string to_pem(X509& certificate) {
    const BioPtr text(made(BIO_new(BIO_s_mem())));
    PEM_write_bio_X509(text.get(), &certificate);
    return text_of(*text);
}

std::string to_der(EVP_PKEY& key) {
    // Cleared when it goes, as it is a key.
    const BioPtr octets(made(BIO_new(BIO_s_secmem())));
    if (i2d_PKCS8PrivateKey_bio(octets.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        ERR_clear_error();
        return {};
    }
    return text_of(*octets);
}

PrivateKeyPtr parse_private_key(std::string_view der) {
    const auto* octets = reinterpret_cast<const unsigned char*>(der.data());
    auto* const key = d2i_AutoPrivateKey(nullptr, &octets, static_cast<long>(der.size()));
    ERR_clear_error();
    return key == nullptr ? nullptr : own_key(key);
}

TrustStorePtr make_system_trust() {
    TrustStorePtr trust(made(X509_STORE_new()), X509_STORE_free);
    X509_STORE_set_default_paths(trust.get());
    ERR_clear_error();
    return trust;
}

bool leads_to_trusted_root(const ParsedChain& chain, X509_STORE& trust) {
    const std::unique_ptr<X509_STORE_CTX, void (*)(X509_STORE_CTX*)> judge(
        made(X509_STORE_CTX_new()), X509_STORE_CTX_free);
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> others(
        made(sk_X509_new_null()), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
    for (const auto& certificate : chain.others) {
        sk_X509_push(others.get(), certificate.get());
    }
    X509_STORE_CTX_init(judge.get(), &trust, chain.leaf.get(), others.get());
    X509_STORE_CTX_set_purpose(judge.get(), X509_PURPOSE_SSL_SERVER);
    X509_STORE_CTX_set_flags(judge.get(), X509_V_FLAG_NO_CHECK_TIME);
    const bool leads = X509_verify_cert(judge.get()) == 1;
    ERR_clear_error();
    return leads;
}

}  // namespace mailflow

#include "transport/net/tls_facts.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/ip_address.hpp"

#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <string_view>

namespace mailflow {

namespace {

// A certificate of a peer may hold anything.
constexpr int kMaxNames = 64;
// Of a server, which may serve many domains.
constexpr int kMaxServerNames = 1000;
constexpr std::size_t kMaxText = 512;

struct FreeOpenssl {
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }

    void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }

    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};

// OpenSSL's names of groups differ between versions and from the registry's.
std::string group_text(const char* name) {
    const std::string_view given = name == nullptr ? "" : name;
    if (given == "x25519") return "X25519";
    if (given == "x448") return "X448";
    if (given == "secp256r1" || given == "prime256v1") return "P-256";
    if (given == "secp384r1") return "P-384";
    if (given == "secp521r1") return "P-521";
    return std::string(given);
}

std::string group_of(SSL& ssl) {
    auto group = SSL_get_negotiated_group(&ssl);
    if (group == NID_undef && SSL_is_server(&ssl) != 0 && SSL_session_reused(&ssl) == 0) {
        // Of a TLS 1.2 handshake OpenSSL 3.0 says only what it would choose, which is what it did.
        group = SSL_get_shared_group(&ssl, 0);
    }
    if (group == NID_undef) {
        return {};
    }
    const auto* name = SSL_group_to_name(&ssl, static_cast<int>(group));
    return group_text(name != nullptr ? name : OBJ_nid2sn(static_cast<int>(group)));
}

// RFC 9266 §2: tls-exporter, with an empty context.
// Deviation: none on TLS 1.2, where tls-unique (RFC 5929 §3) is broken and tls-exporter needs the
// extended master secret, which a peer may lack.
std::string channel_binding_of(SSL& ssl) {
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    std::array<unsigned char, 32> binding{};
    if (SSL_version(&ssl) < TLS1_3_VERSION ||
        SSL_export_keying_material(
            &ssl, binding.data(), binding.size(), kLabel.data(), kLabel.size(), nullptr, 0, 1) !=
            1) {
        return {};
    }
    return {reinterpret_cast<const char*>(binding.data()), binding.size()};
}

// RFC 2253 text, non-ASCII characters as UTF-8, controls escaped.
std::string subject_of(const X509& certificate) {
    const std::unique_ptr<BIO, FreeOpenssl> text(BIO_new(BIO_s_mem()));
    if (!text) {
        return {};
    }
    constexpr unsigned long kFlags =
        XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
    X509_NAME_print_ex(text.get(), X509_get_subject_name(&certificate), 0, kFlags);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(text.get(), &data);
    return size <= 0 ? std::string()
                     : std::string(data, std::min(static_cast<std::size_t>(size), kMaxText));
}

// What could be taken for something else when it is shown or compared is no address: controls, and
// the NUL that ends a C string early.
void add_email(const ASN1_STRING* text, std::vector<std::string>& into) {
    const std::string_view octets(
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
        static_cast<std::size_t>(ASN1_STRING_length(text)));
    const bool is_plain = std::all_of(octets.begin(), octets.end(), [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet > 0x20 && octet != 0x7f;
    });
    if (!octets.empty() && octets.size() <= kMaxText && is_plain) {
        into.emplace_back(octets);
    }
}

// RFC 5280 §4.2.1.6 rfc822Name; RFC 8398 §3 SmtpUTF8Mailbox; the UPN of Windows domains.
std::vector<std::string> emails_of(const X509& certificate) {
    std::vector<std::string> emails;
    const std::unique_ptr<GENERAL_NAMES, FreeOpenssl> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    const int count = names ? std::min(sk_GENERAL_NAME_num(names.get()), kMaxNames) : 0;
    for (int i = 0; i < count; ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_EMAIL) {
            add_email(name->d.rfc822Name, emails);
        } else if (name->type == GEN_OTHERNAME) {
            const auto kind = OBJ_obj2nid(name->d.otherName->type_id);
            const auto* value = name->d.otherName->value;
            if ((kind == NID_ms_upn || kind == NID_id_on_SmtpUTF8Mailbox) &&
                value->type == V_ASN1_UTF8STRING) {
                add_email(value->value.utf8string, emails);
            }
        }
    }
    return emails;
}

// RFC 6125 §6.4: lower case; a name with octets no DNS name on a wire of ours has is none.
void add_name(const ASN1_STRING* text, std::vector<std::string>& into) {
    const std::string_view octets(
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
        static_cast<std::size_t>(ASN1_STRING_length(text)));
    const bool is_plain =
        std::all_of(octets.begin(), octets.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (!octets.empty() && octets.size() <= kMaxText && is_plain) {
        into.push_back(ascii::to_lower(octets));
    }
}

void add_address(const ASN1_STRING* octets, std::vector<std::string>& into) {
    const auto* data = ASN1_STRING_get0_data(octets);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(octets));
    IpAddress::Bytes bytes{};
    if (size == 4) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < size; ++i)
            value = (value << 8) | data[i];
        into.push_back(IpAddress::v4(value).text());
    } else if (size == bytes.size()) {
        std::copy_n(data, size, bytes.begin());
        into.push_back(IpAddress::v6(bytes).text());
    }
}

// RFC 5280 §4.2.1.6 dNSName and iPAddress.
void read_names(const X509& certificate, TlsFacts& facts) {
    const std::unique_ptr<GENERAL_NAMES, FreeOpenssl> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    const int count = names ? std::min(sk_GENERAL_NAME_num(names.get()), kMaxServerNames) : 0;
    for (int i = 0; i < count; ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) {
            add_name(name->d.dNSName, facts.peer_names);
        } else if (name->type == GEN_IPADD) {
            add_address(name->d.iPAddress, facts.peer_addresses);
        }
    }
}

UtcTime time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
    const auto day = std::chrono::year(parts.tm_year + 1900) /
                     std::chrono::month(static_cast<unsigned>(parts.tm_mon) + 1) /
                     std::chrono::day(static_cast<unsigned>(parts.tm_mday));
    return std::chrono::sys_days(day) + std::chrono::hours(parts.tm_hour) +
           std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
}

ChainProblem problem_of(long result) noexcept {
    switch (result) {
        case X509_V_OK: return ChainProblem::none;
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID: return ChainProblem::dates;
        case X509_V_ERR_HOSTNAME_MISMATCH: return ChainProblem::name;
        case X509_V_ERR_DANE_NO_MATCH: return ChainProblem::tlsa;
        default: return ChainProblem::untrusted;
    }
}

// What a client may judge its server by.
void read_server(SSL& ssl, const X509& certificate, TlsFacts& facts) {
    read_names(certificate, facts);
    facts.peer_not_before = time_of(X509_get0_notBefore(&certificate));
    facts.peer_not_after = time_of(X509_get0_notAfter(&certificate));
    const auto result = SSL_get_verify_result(&ssl);
    facts.problem = problem_of(result);
    if (result != X509_V_OK) facts.verify_error = X509_verify_cert_error_string(result);
}

// RFC 6066 §3: an ASCII name. A client may send any octets, and logs show them.
std::string server_name_of(SSL& ssl) {
    const auto* given = SSL_get_servername(&ssl, TLSEXT_NAMETYPE_host_name);
    const std::string_view name = given == nullptr ? "" : given;
    const bool is_plain =
        std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    return is_plain ? std::string(name) : std::string();
}

std::string text_or_empty(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

std::string TlsFacts::text() const {
    auto all = version + " " + cipher;
    if (!group.empty()) {
        all += " " + group;
    }
    return all;
}

TlsFacts read_tls_facts(SSL& ssl) {
    TlsFacts facts;
    facts.version = SSL_get_version(&ssl);
    facts.cipher = text_or_empty(SSL_get_cipher_name(&ssl));
    facts.group = group_of(ssl);
    facts.server_name = server_name_of(ssl);
    facts.resumed = SSL_session_reused(&ssl) != 0;
    facts.channel_binding = channel_binding_of(ssl);
    const std::unique_ptr<X509, FreeOpenssl> peer(SSL_get1_peer_certificate(&ssl));
    if (peer) {
        facts.peer_subject = subject_of(*peer);
        facts.peer_verified = SSL_get_verify_result(&ssl) == X509_V_OK;
        if (SSL_is_server(&ssl) != 0) {
            facts.peer_emails = emails_of(*peer);
        } else {
            read_server(ssl, *peer, facts);
        }
    }
    return facts;
}

}  // namespace mailflow

#include "transport/ports/records/tls_records.hpp"

namespace mailflow {

const char* to_text(TlsResultType type) noexcept {
    switch (type) {
        case TlsResultType::success: return "success";
        case TlsResultType::starttls_not_supported: return "starttls-not-supported";
        case TlsResultType::certificate_host_mismatch: return "certificate-host-mismatch";
        case TlsResultType::certificate_expired: return "certificate-expired";
        case TlsResultType::certificate_not_trusted: return "certificate-not-trusted";
        case TlsResultType::validation_failure: return "validation-failure";
        case TlsResultType::tlsa_invalid: return "tlsa-invalid";
        case TlsResultType::dnssec_invalid: return "dnssec-invalid";
        case TlsResultType::dane_required: return "dane-required";
        case TlsResultType::sts_policy_fetch_error: return "sts-policy-fetch-error";
        case TlsResultType::sts_policy_invalid: return "sts-policy-invalid";
        case TlsResultType::sts_webpki_invalid: return "sts-webpki-invalid";
    }
    return "";
}

const char* to_text(TlsPolicyType type) noexcept {
    switch (type) {
        case TlsPolicyType::tlsa: return "tlsa";
        case TlsPolicyType::sts: return "sts";
        case TlsPolicyType::no_policy_found: return "no-policy-found";
    }
    return "";
}

const char* to_text(StsMode mode) noexcept {
    switch (mode) {
        case StsMode::none: return "none";
        case StsMode::testing: return "testing";
        case StsMode::enforce: return "enforce";
    }
    return "";
}

}  // namespace mailflow

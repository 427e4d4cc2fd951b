#include "transport/deliver/tls_demand.hpp"

#include "transport/base/encoding.hpp"

namespace mailflow {

const char* to_text(TlsLevel level) noexcept {
    switch (level) {
        case TlsLevel::none: return "none";
        case TlsLevel::opportunistic: return "opportunistic";
        case TlsLevel::encryption_only: return "encryption-only";
        case TlsLevel::certificate_validation: return "certificate-validation";
        case TlsLevel::domain_validation: return "domain-validation";
        case TlsLevel::dane: return "dane";
    }
    return "";
}

const char* to_text(TlsSource source) noexcept {
    switch (source) {
        case TlsSource::nobody: return "nobody";
        case TlsSource::memory: return "memory";
        case TlsSource::connector: return "connector";
        case TlsSource::message: return "message";
        case TlsSource::dane: return "dane";
        case TlsSource::mta_sts: return "mta-sts";
    }
    return "";
}

std::string TlsDemand::key() const {
    std::string text = to_text(level);
    if (names.empty() && tlsa.empty() && policy_id.empty() && !testing) return text;
    for (const auto& name : names)
        text.append(" ").append(name);
    for (const auto& record : tlsa) {
        text += ' ' + std::to_string(record.usage) + '.' + std::to_string(record.selector) + '.' +
                std::to_string(record.matching) + '.' + hex_encode(record.data);
    }
    return text.append(";").append(policy_id).append(testing ? ";testing" : "");
}

}  // namespace mailflow

// Verdicts on TLS and log-in, and what the error policies of a connector make of a verdict.
#include "transport/deliver/judging.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow {

using namespace judging;

namespace {

struct TlsWords {
    std::uint16_t subject = 7;
    std::uint16_t detail = 5;
};

// Exchange's codes (reference 13.5) where there is one; else X.7.10, encryption needed, and X.7.5,
// cryptographic failure (RFC 3463, RFC 7372's registry).
TlsWords words_of(TlsSource source, TlsResultType type) noexcept {
    const bool by_policy = source == TlsSource::dane || source == TlsSource::mta_sts;
    switch (type) {
        case TlsResultType::starttls_not_supported:
            return by_policy ? TlsWords{7, 321} : TlsWords{7, 10};
        case TlsResultType::certificate_expired: return by_policy ? TlsWords{7, 322} : TlsWords{};
        case TlsResultType::tlsa_invalid:
        case TlsResultType::dane_required: return {7, 323};
        case TlsResultType::dnssec_invalid: return {7, 324};
        case TlsResultType::certificate_host_mismatch:
            return by_policy ? TlsWords{7, 325} : TlsWords{};
        case TlsResultType::success:
        case TlsResultType::certificate_not_trusted:
        case TlsResultType::validation_failure:
        case TlsResultType::sts_policy_fetch_error:
        case TlsResultType::sts_policy_invalid:
        case TlsResultType::sts_webpki_invalid: break;
    }
    return {};
}

const char* asked_by(TlsSource source) noexcept {
    switch (source) {
        case TlsSource::connector: return "the send connector requires TLS";
        case TlsSource::message: return "the message requires TLS (REQUIRETLS)";
        case TlsSource::dane: return "DANE requires TLS";
        case TlsSource::mta_sts: return "the MTA-STS policy requires TLS";
        case TlsSource::nobody:
        case TlsSource::memory: break;
    }
    return "TLS was asked for";
}

}  // namespace

Judgement judge_tls(
    TlsSource source, TlsResultType type, std::string_view detail, const RemoteHost& host) {
    auto words = words_of(source, type);
    const bool returned = source == TlsSource::message;
    if (returned) {
        // RFC 8689 §4.2.1; decisions §2.4.
        words = {7, 10};
    }
    const EnhancedStatus status{
        static_cast<std::uint16_t>(returned ? 5 : 4), words.subject, words.detail};
    return next_host_or(
        returned ? DeliveryVerdict::fail : DeliveryVerdict::retry_hop,
        own_words(
            host,
            status,
            fmt::format(
                "{} {} SMTPSEND.Tls.{}; {}: {}",
                returned ? 550 : 451,
                status.text(),
                to_text(type),
                asked_by(source),
                detail)));
}

namespace {

const char* fields_of(SmartHostAuth auth) noexcept {
    return auth == SmartHostAuth::oauth2 ? "username and the oauth2 fields"
                                         : "auth, username and password";
}

}  // namespace

Judgement judge_login(
    const SendConnector& connector,
    const RemoteReply* reply,
    std::string_view detail,
    const RemoteHost& host) {
    const auto hint = fmt::format(
        "; the log-in of send connector {} failed: see its fields {}",
        connector.name,
        fields_of(connector.auth));
    if (reply == nullptr) {
        return next_host_or(
            DeliveryVerdict::retry_hop,
            own_words(host, {4, 7, 8}, fmt::format("454 4.7.8 SMTPSEND.Auth; {}{}", detail, hint)));
    }
    auto judgement = judge_reply(DeliveryStage::auth, *reply, host);
    judgement.status.status.klass = 4;
    judgement.status.diagnostic = one_line(judgement.status.diagnostic + hint);
    judgement.verdict = DeliveryVerdict::try_next_host;
    judgement.when_exhausted = DeliveryVerdict::retry_hop;
    judgement.status.action = DeliveryAction::delayed;
    return judgement;
}

namespace {

// `550`, `5.7.1`, or both.
bool names(const std::vector<std::string>& list, const RemoteReply& reply) {
    const auto code = fmt::format("{}", reply.code);
    const auto enhanced = reply.status.is_given() ? reply.status.text() : std::string();
    return std::any_of(list.begin(), list.end(), [&](const std::string& wanted) {
        return wanted == code || wanted == enhanced || wanted == code + " " + enhanced;
    });
}

bool is_failure(const Judgement& judgement) noexcept {
    return judgement.when_exhausted == DeliveryVerdict::fail;
}

Judgement retried(Judgement judgement) {
    // What is about the host, and what is about the recipient.
    const auto how = judgement.verdict == DeliveryVerdict::try_next_host
                         ? DeliveryVerdict::retry_hop
                         : DeliveryVerdict::retry_recipient;
    if (judgement.verdict == DeliveryVerdict::fail) judgement.verdict = how;
    judgement.when_exhausted = how;
    judgement.status.status.klass = 4;
    judgement.status.action = action_of(how);
    return judgement;
}

}  // namespace

Judgement obey(const ErrorPolicies& policies, const RemoteReply& reply, Judgement judgement) {
    if (is_failure(judgement)) {
        return names(policies.downgrade_replies, reply) ? retried(std::move(judgement)) : judgement;
    }
    const bool is_refusal = reply.code >= 400 && reply.code < 500;
    if (is_refusal && names(policies.upgrade_replies, reply)) {
        judgement.status.status.klass = 5;
        return final_judgement(DeliveryVerdict::fail, std::move(judgement.status));
    }
    return judgement;
}

Judgement obey(const ErrorPolicies& policies, OwnFailure failure, Judgement judgement) {
    const bool by_dns = failure == OwnFailure::nonexistent_domain ||
                        failure == OwnFailure::null_mx || failure == OwnFailure::no_hosts;
    if (policies.downgrade_dns_failures && by_dns && is_failure(judgement)) {
        judgement.status.status.klass = 4;
        return final_judgement(DeliveryVerdict::retry_hop, std::move(judgement.status));
    }
    return judgement;
}

}  // namespace mailflow

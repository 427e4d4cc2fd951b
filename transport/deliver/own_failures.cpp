// The failures we find ourselves: one row each.
#include "transport/deliver/judging.hpp"

#include <array>
#include <stdexcept>

namespace mailflow {

using namespace judging;

namespace {

struct OwnWords {
    OwnFailure failure;
    DeliveryVerdict verdict;
    EnhancedStatus status;
    std::string_view text;
    bool is_about_host = false;  // another one of the same next hop may do
};

constexpr std::array kOwnWords = {
    OwnWords{
        OwnFailure::nonexistent_domain,
        DeliveryVerdict::fail,
        {5, 4, 4},
        "554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain"},
    // RFC 7505 §4.
    OwnWords{
        OwnFailure::null_mx,
        DeliveryVerdict::fail,
        {5, 1, 10},
        "556 5.1.10 SMTPSEND.DNS.NullMx; the domain accepts no mail"},
    OwnWords{
        OwnFailure::no_hosts,
        DeliveryVerdict::fail,
        {5, 4, 4},
        "554 5.4.4 SMTPSEND.DNS.NoHosts; the domain has no mail host with an address"},
    OwnWords{
        OwnFailure::dns_temporary,
        DeliveryVerdict::retry_hop,
        {4, 4, 3},
        "451 4.4.3 SMTPSEND.DNS.Temporary; the DNS gives no answer now"},
    OwnWords{
        OwnFailure::mx_loopback,
        DeliveryVerdict::fail,
        {5, 4, 6},
        "554 5.4.6 SMTPSEND.DNS.MxLoopback; mail for the domain loops back to this server"},
    OwnWords{
        OwnFailure::refused_targets,
        DeliveryVerdict::fail,
        {5, 4, 4},
        "550 5.4.4 SMTPSEND.DNS.RefusedTarget; the domain's mail hosts have only addresses that "
        "are never connected to"},
    // A typing error of the administrator must not bounce everybody's mail.
    OwnWords{
        OwnFailure::smart_host_unresolved,
        DeliveryVerdict::retry_hop,
        {4, 4, 4},
        "451 4.4.4 SMTPSEND.DNS.SmartHost; no smart host has an address"},
    OwnWords{
        OwnFailure::smart_host_is_self,
        DeliveryVerdict::fail,
        {5, 4, 6},
        "554 5.4.6 SMTPSEND.SmartHostLoopback; the smart host is this server"},
    OwnWords{
        OwnFailure::connector_missing,
        DeliveryVerdict::retry_hop,
        {4, 4, 4},
        "451 4.4.4 The send connector does not exist any more"},
    OwnWords{
        OwnFailure::too_large_for_host,
        DeliveryVerdict::fail,
        {5, 3, 4},
        "552 5.3.4 SMTPSEND.OverAdvertisedSize; message size exceeds fixed maximum size"},
    // RFC 6531 §3.5.
    OwnWords{
        OwnFailure::needs_smtputf8,
        DeliveryVerdict::fail,
        {5, 6, 7},
        "550 5.6.7 SMTPSEND.Utf8NotSupported; the host takes no internationalized mail"},
    OwnWords{
        OwnFailure::needs_8bitmime,
        DeliveryVerdict::fail,
        {5, 6, 3},
        "554 5.6.3 SMTPSEND.EightBitNotSupported; the host takes no 8-bit content"},
    OwnWords{
        OwnFailure::needs_binarymime,
        DeliveryVerdict::fail,
        {5, 6, 3},
        "554 5.6.3 SMTPSEND.BinaryNotSupported; the host takes no binary content",
        true},
    OwnWords{
        OwnFailure::no_deliver_by,
        DeliveryVerdict::fail,
        {5, 3, 3},
        "554 5.3.3 SMTPSEND.DeliverBy; the host knows no time to deliver by, and the message is to "
        "be returned when late",
        true},
    OwnWords{
        OwnFailure::deliver_by_too_soon,
        DeliveryVerdict::fail,
        {5, 4, 7},
        "554 5.4.7 SMTPSEND.DeliverBy; less time is left than the host takes to deliver",
        true},
    OwnWords{
        OwnFailure::requires_tls,
        DeliveryVerdict::fail,
        {5, 7, 30},
        "550 5.7.30 SMTPSEND.RequireTls; REQUIRETLS was asked for, and the next hop offers none",
        true},
    OwnWords{
        OwnFailure::credentials_unreadable,
        DeliveryVerdict::retry_hop,
        {4, 7, 8},
        "454 4.7.8 SMTPSEND.Credentials; the stored secret cannot be opened"},
    OwnWords{
        OwnFailure::no_token,
        DeliveryVerdict::retry_hop,
        {4, 7, 8},
        "454 4.7.8 SMTPSEND.OAuth2; there is no access token"},
    OwnWords{
        OwnFailure::body_unavailable,
        DeliveryVerdict::retry_recipient,
        {4, 3, 0},
        "451 4.3.0 The stored message cannot be read now"},
    OwnWords{
        OwnFailure::body_corrupt,
        DeliveryVerdict::retry_recipient,
        {4, 3, 0},
        "451 4.3.0 The stored message is damaged and is not sent"},
    OwnWords{
        OwnFailure::too_many_hops,
        DeliveryVerdict::fail,
        {5, 4, 6},
        "554 5.4.6 Hop count exceeded - possible mail loop"},
    OwnWords{
        OwnFailure::mailbox_gone,
        DeliveryVerdict::fail,
        {5, 1, 1},
        "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"},
};

}  // namespace

Judgement judge_own(OwnFailure failure, std::string_view detail) {
    for (const auto& words : kOwnWords) {
        if (words.failure == failure) {
            auto text = std::string(words.text);
            if (!detail.empty()) {
                text.append("; ").append(detail);
            }
            auto status = own_words({}, words.status, std::move(text));
            return words.is_about_host ? next_host_or(words.verdict, std::move(status))
                                       : final_judgement(words.verdict, std::move(status));
        }
    }
    throw std::logic_error("judge_own: a failure without words");
}

}  // namespace mailflow

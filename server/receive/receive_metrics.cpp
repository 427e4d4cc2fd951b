#include "server/receive/receive_metrics.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::string_view kOther = "other";

// In the order of the enumerations.
constexpr std::array<std::string_view, 4> kKindNames = {
    "internet", "client", "internal", "partner"};
constexpr std::array<std::string_view, 6> kOutcomeNames = {
    "quit", "lost", "timed-out", "closed", "tls-failed", "stopped"};
constexpr std::array<std::string_view, 4> kClassNames = {"2xx", "3xx", "4xx", "5xx"};
constexpr std::array<std::string_view, 4> kAuthResultNames = {
    "success", "failure", "cancelled", "error"};
constexpr std::array<std::string_view, 6> kMechanismNames = {
    "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL", kOther};
constexpr std::array<std::string_view, 18> kVerbNames = {
    "connect",
    "message",
    "HELO",
    "EHLO",
    "MAIL",
    "RCPT",
    "DATA",
    "BDAT",
    "RSET",
    "NOOP",
    "VRFY",
    "EXPN",
    "HELP",
    "QUIT",
    "STARTTLS",
    "AUTH",
    "XCLIENT",
    kOther};
// The first of them that a client can say.
constexpr auto kFirstVerb = static_cast<std::size_t>(CountedVerb::helo);

template <class Enum>
std::size_t index_of(Enum value) noexcept {
    return static_cast<std::size_t>(value);
}

std::string text_of(std::string_view text) {
    return std::string(text);
}

}  // namespace

ConnectorKind kind_of(const ReceiveConnector& connector) noexcept {
    if (has_group(connector, PermissionGroup::trusted)) {
        return ConnectorKind::internal;
    }
    if (connector.submission || !has_group(connector, PermissionGroup::anonymous)) {
        const bool partners = has_group(connector, PermissionGroup::partners) &&
                              !has_group(connector, PermissionGroup::authenticated);
        return partners ? ConnectorKind::partner : ConnectorKind::client;
    }
    return ConnectorKind::internet;
}

CountedVerb counted_verb(std::string_view line) noexcept {
    const auto end = std::find_if(line.begin(), line.end(), [](char c) { return c == ' '; });
    const auto verb = line.substr(0, static_cast<std::size_t>(end - line.begin()));
    for (auto i = kFirstVerb; i < kVerbNames.size() - 1; ++i) {
        if (verb.size() == kVerbNames[i].size() &&
            ascii::equal_ignoring_case(verb, kVerbNames[i])) {
            return static_cast<CountedVerb>(i);
        }
    }
    return CountedVerb::other;
}

ReceiveMetrics::ReceiveMetrics(Metrics& metrics)
    : metrics_(metrics)
    , sessions_(metrics.gauge("mailflow_receive_sessions"))
    , refused_connections_(metrics.counter("mailflow_receive_connections_refused_total"))
    , tls_failures_(metrics.counter("mailflow_receive_tls_failures_total"))
    , octets_in_(metrics.counter("mailflow_receive_bytes_total", {{"direction", "in"}}))
    , octets_out_(metrics.counter("mailflow_receive_bytes_total", {{"direction", "out"}}))
    , messages_(metrics.counter("mailflow_receive_messages_total"))
    , recipients_(metrics.counter("mailflow_receive_recipients_total"))
    , message_octets_(metrics.counter("mailflow_receive_message_bytes_total"))
    , delayed_(metrics.counter("mailflow_receive_delayed_senders_total")) {
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
        for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
            ended_[kind][outcome] = metrics.counter(
                "mailflow_receive_sessions_total",
                {{"connector", text_of(kKindNames[kind])},
                 {"outcome", text_of(kOutcomeNames[outcome])}});
        }
    }
    for (std::size_t verb = 0; verb < kVerbs; ++verb) {
        for (std::size_t digit = 0; digit < kClasses; ++digit) {
            replies_[verb][digit] = metrics.counter(
                "mailflow_receive_replies_total",
                {{"verb", text_of(kVerbNames[verb])}, {"class", text_of(kClassNames[digit])}});
        }
    }
    for (std::size_t mechanism = 0; mechanism < kMechanisms; ++mechanism) {
        for (std::size_t result = 0; result < kAuthResults; ++result) {
            auth_[mechanism][result] = metrics.counter(
                "mailflow_receive_auth_total",
                {{"mechanism", text_of(kMechanismNames[mechanism])},
                 {"result", text_of(kAuthResultNames[result])}});
        }
    }
}

void ReceiveMetrics::session_ended(ConnectorKind kind, SessionOutcome outcome) noexcept {
    sessions_.add(-1);
    ended_.at(index_of(kind)).at(index_of(outcome)).add();
}

void ReceiveMetrics::connection_refused(std::string_view reason) {
    refused_connections_.add();
    refused(reason);
}

void ReceiveMetrics::replied(CountedVerb verb, int code) noexcept {
    const auto digit = std::clamp(code / 100, 2, 5) - 2;
    replies_.at(index_of(verb)).at(static_cast<std::size_t>(digit)).add();
}

void ReceiveMetrics::tls_established(std::string_view version, std::string_view cipher) {
    auto key = std::pair(text_of(version), text_of(cipher));
    if (!ciphers_.contains(key) && ciphers_.size() >= kMaxCiphers) {
        key = {text_of(kOther), text_of(kOther)};
    }
    const auto [entry, is_new] = ciphers_.try_emplace(key);
    if (is_new) {
        entry->second = metrics_.counter(
            "mailflow_receive_tls_total", {{"version", key.first}, {"cipher", key.second}});
    }
    entry->second.add();
}

void ReceiveMetrics::auth(std::string_view mechanism, AuthResult result) noexcept {
    const auto* const found = std::find_if(
        kMechanismNames.begin(), kMechanismNames.end() - 1, [mechanism](std::string_view name) {
            return ascii::equal_ignoring_case(name, mechanism);
        });
    const auto at = static_cast<std::size_t>(found - kMechanismNames.begin());
    auth_.at(at).at(index_of(result)).add();
}

void ReceiveMetrics::refused(std::string_view reason) {
    auto found = reasons_.find(reason);
    if (found == reasons_.end()) {
        if (reasons_.size() >= kMaxReasons) {
            reason = kOther;
        }
        found = reasons_.try_emplace(text_of(reason)).first;
        found->second =
            metrics_.counter("mailflow_receive_refusals_total", {{"reason", text_of(reason)}});
    }
    found->second.add();
}

void ReceiveMetrics::message_accepted(std::size_t recipients, std::uint64_t octets) noexcept {
    messages_.add();
    recipients_.add(recipients);
    message_octets_.add(octets);
}

}  // namespace mailflow

#include "transport/deliver/tls_policy.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace mailflow {

namespace {

bool is_literal(std::string_view host) noexcept {
    return host.starts_with('[');
}

// Lower case: names are compared so, and sessions are shared by them.
std::string wanted_name(std::string_view host) {
    return ascii::to_lower(host);
}

void add_name(std::vector<std::string>& names, std::string_view name) {
    auto text = wanted_name(name);
    if (!text.empty() && std::find(names.begin(), names.end(), text) == names.end()) {
        names.push_back(std::move(text));
    }
}

TlsDemand demand_of(TlsLevel level, TlsSource source, const TlsQuestion& question) {
    TlsDemand demand;
    demand.level = level;
    demand.source = source;
    // RFC 6066 §3: no addresses.
    if (level != TlsLevel::none && !is_literal(question.host)) {
        demand.sni = wanted_name(question.host);
    }
    return demand;
}

// A bearer token or a password in clear behind it goes to nobody but the host it is meant for
// (RFC 6750 §5.2; reference 1.1, BasicAuthRequireTLS).
bool logs_in_securely(const SendConnector& connector) noexcept {
    return connector.auth == SmartHostAuth::basic_require_tls ||
           connector.auth == SmartHostAuth::oauth2;
}

// Reference 1.6.
TlsDemand by_connector(const TlsQuestion& question) {
    const auto& connector = *question.connector;
    if (connector.ignore_starttls || connector.force_helo) {
        return demand_of(TlsLevel::none, TlsSource::connector, question);
    }
    if (question.place == TlsPlace::smart_host && logs_in_securely(connector)) {
        auto demand = demand_of(TlsLevel::domain_validation, TlsSource::connector, question);
        add_name(demand.names, question.host);
        return demand;
    }
    if (!connector.require_tls) {
        return demand_of(TlsLevel::opportunistic, TlsSource::nobody, question);
    }
    switch (connector.tls_auth_level.value_or(TlsAuthLevel::encryption_only)) {
        case TlsAuthLevel::encryption_only: break;
        case TlsAuthLevel::certificate_validation:
            return demand_of(TlsLevel::certificate_validation, TlsSource::connector, question);
        case TlsAuthLevel::domain_validation: {
            auto demand = demand_of(TlsLevel::domain_validation, TlsSource::connector, question);
            add_name(
                demand.names,
                connector.tls_domain.empty() ? question.recipient_domain : connector.tls_domain);
            return demand;
        }
    }
    return demand_of(TlsLevel::encryption_only, TlsSource::connector, question);
}

TlsDecision refused(TlsDemand demand, TlsResultType type, std::string words) {
    return {std::move(demand), TlsShortfall{type, std::move(words)}};
}

// RFC 7672 §2.2: what the records of a host ask for.
TlsDemand by_dane(const TlsQuestion& question) {
    const auto& dane = question.dane;
    auto demand = demand_of(
        dane.state == DaneState::usable ? TlsLevel::dane : TlsLevel::encryption_only,
        TlsSource::dane,
        question);
    if (dane.state != DaneState::usable) return demand;
    demand.tlsa = dane.records;
    std::sort(demand.tlsa.begin(), demand.tlsa.end());
    // RFC 7672 §8.1: SNI is the TLSA base domain; §3.2.2: it, and the domain whose MX led here.
    demand.sni = wanted_name(dane.base_domain);
    add_name(demand.names, dane.base_domain);
    add_name(demand.names, question.recipient_domain);
    return demand;
}

// RFC 8461 §4.1, §4.2
TlsDemand by_sts(const TlsQuestion& question) {
    auto demand = demand_of(TlsLevel::domain_validation, TlsSource::mta_sts, question);
    add_name(demand.names, question.host);
    demand.policy_id = question.sts->id;
    demand.testing = question.sts->mode == StsMode::testing;
    return demand;
}

// RFC 8689 §4.2.1: a certificate that DANE or a trusted chain vouches for.
TlsDemand by_message(const TlsQuestion& question, TlsDemand demand) {
    if (demand.level < TlsLevel::domain_validation || demand.testing) {
        demand = demand_of(TlsLevel::domain_validation, TlsSource::message, question);
        add_name(demand.names, question.host);
    }
    demand.source = TlsSource::message;
    demand.requires_requiretls = true;
    return demand;
}

// Whether what the destination publishes may ask for more than the connector does.
bool is_open_to_discovery(const TlsQuestion& question) noexcept {
    const auto& connector = *question.connector;
    // RFC 8689 §5: the sender would rather have it delivered in clear than not at all.
    const bool waived = question.tls_not_required && !question.require_tls;
    const bool settled =
        connector.ignore_starttls || connector.force_helo ||
        (connector.require_tls && connector.tls_auth_level == TlsAuthLevel::domain_validation);
    return question.place == TlsPlace::mx_host && !is_literal(question.host) && !waived && !settled;
}

}  // namespace

bool asks_dane(const TlsQuestion& question) noexcept {
    return question.connector->dane && is_open_to_discovery(question);
}

bool asks_sts(const TlsQuestion& question) noexcept {
    return question.connector->mta_sts && is_open_to_discovery(question);
}

TlsDecision decide_tls(const TlsQuestion& question) {
    if (question.place == TlsPlace::lmtp_server) {
        // RFC 2033: delivered within the administrator's own house.
        return {demand_of(TlsLevel::none, TlsSource::connector, question), std::nullopt};
    }
    auto demand = by_connector(question);
    const bool uses_dane = asks_dane(question);
    if (uses_dane && question.dane.state == DaneState::unknown) {
        // Decisions §2.8: bogus is never plain.
        demand = demand_of(TlsLevel::encryption_only, TlsSource::dane, question);
        return refused(std::move(demand), TlsResultType::dnssec_invalid, question.dane.detail);
    }
    const bool has_sts = question.sts != nullptr && question.sts->mode != StsMode::none;
    std::optional<TlsShortfall> shortfall;
    if (uses_dane && question.dane.state != DaneState::absent) {
        auto by = by_dane(question);
        // Without a usable record DANE only encrypts; a connector that asks for more has it.
        if (by.level > demand.level) demand = std::move(by);
    } else if (has_sts && asks_sts(question)) {
        // RFC 8461 §2: DANE, where there is any, has gone before.
        auto by = by_sts(question);
        const bool enforced = !by.testing;
        if (enforced || demand.is_optional()) demand = std::move(by);
        if (enforced && !question.sts_lists_host) {
            shortfall = TlsShortfall{
                TlsResultType::validation_failure, "the MTA-STS policy does not list this host"};
        }
    }
    if (question.require_tls) {
        const bool forbidden = demand.level == TlsLevel::none;
        demand = by_message(question, std::move(demand));
        if (forbidden) {
            return refused(
                std::move(demand),
                TlsResultType::starttls_not_supported,
                "send connector " + question.connector->name + " says no STARTTLS");
        }
    }
    if (question.peer != nullptr && demand.level == TlsLevel::opportunistic) {
        demand = demand_of(TlsLevel::none, TlsSource::memory, question);
    }
    return {std::move(demand), std::move(shortfall)};
}

// ---- the session

namespace {

// One row for each event: what follows where TLS is optional, and where it is demanded.
struct Row {
    TlsEvent event;
    TlsMove optional;
    TlsMove demanded;
};

constexpr std::array kMoves{
    Row{TlsEvent::offered, TlsMove::say_starttls, TlsMove::say_starttls},
    Row{TlsEvent::not_offered, TlsMove::proceed, TlsMove::give_up},
    Row{TlsEvent::ready, TlsMove::shake_hands, TlsMove::shake_hands},
    // RFC 3207 §4.1: the client decides whether it goes on without.
    Row{TlsEvent::refused, TlsMove::proceed, TlsMove::give_up},
    Row{TlsEvent::closing, TlsMove::reconnect_in_clear, TlsMove::give_up},
    // Decisions §2.1: somebody is in the way; what it says in clear is no better, but optional TLS
    // resists nobody who cuts STARTTLS out either (RFC 7435 §1.2).
    Row{TlsEvent::injected, TlsMove::reconnect_in_clear, TlsMove::give_up},
    Row{TlsEvent::handshake_failed, TlsMove::reconnect_in_clear, TlsMove::give_up},
    // Optional TLS asks for no certificate; this is a policy in testing mode.
    Row{TlsEvent::not_good_enough, TlsMove::proceed, TlsMove::give_up},
    Row{TlsEvent::encrypted, TlsMove::proceed, TlsMove::proceed},
};

}  // namespace

TlsMove next_move(const TlsDemand& demand, TlsEvent event) noexcept {
    if (demand.level == TlsLevel::none) return TlsMove::proceed;
    // RFC 8461 §5: in testing mode nothing changes but what is counted.
    const bool optional = demand.is_optional() || demand.testing;
    const auto* const row = std::find_if(
        kMoves.begin(), kMoves.end(), [event](const Row& r) { return r.event == event; });
    return optional ? row->optional : row->demanded;
}

// ---- after the handshake

bool names_match(std::string_view wanted, std::string_view presented) noexcept {
    constexpr std::string_view kAny = "*.";
    if (ascii::equal_ignoring_case(wanted, presented)) return !wanted.empty();
    if (wanted.starts_with(kAny)) {
        const auto below = wanted.substr(1);
        return presented.size() > below.size() && !presented.starts_with(kAny) &&
               ascii::equal_ignoring_case(presented.substr(presented.size() - below.size()), below);
    }
    // RFC 6125 §6.4.3; one that would stand for whole top-level domains is nobody's.
    if (!presented.starts_with(kAny)) return false;
    const auto rest = presented.substr(1);
    const auto dot = wanted.find('.');
    return rest.find('.', 1) != std::string_view::npos && dot != std::string_view::npos &&
           dot > 0 && ascii::equal_ignoring_case(wanted.substr(dot), rest);
}

namespace {

bool presents(const TlsFacts& facts, std::string_view wanted) {
    if (is_literal(wanted) && wanted.size() > 2) {
        constexpr std::string_view kIpv6Tag = "IPv6:";
        auto address = wanted.substr(1, wanted.size() - 2);
        if (ascii::starts_with_ignoring_case(address, kIpv6Tag)) {
            address.remove_prefix(kIpv6Tag.size());
        }
        return std::any_of(
            facts.peer_addresses.begin(), facts.peer_addresses.end(), [&](const auto& has) {
                return ascii::equal_ignoring_case(has, address);
            });
    }
    return std::any_of(facts.peer_names.begin(), facts.peer_names.end(), [&](const auto& has) {
        return names_match(wanted, has);
    });
}

std::string listed(std::span<const std::string> names) {
    constexpr std::size_t kShown = 5;
    std::string text;
    for (const auto& name : names.subspan(0, std::min(names.size(), kShown)))
        text.append(text.empty() ? "" : ", ").append(name);
    return text.empty() ? "none" : text + (names.size() > kShown ? ", …" : "");
}

TlsShortfall wrong_name(const TlsDemand& demand, const TlsFacts& facts) {
    return {
        TlsResultType::certificate_host_mismatch,
        "the certificate names " + listed(facts.peer_names) + ", not " + listed(demand.names)};
}

TlsShortfall bad_chain(const TlsDemand& demand, const TlsFacts& facts) {
    if (facts.problem == ChainProblem::name) return wrong_name(demand, facts);
    if (facts.problem == ChainProblem::dates) {
        return {TlsResultType::certificate_expired, facts.verify_error};
    }
    if (demand.level == TlsLevel::dane) {
        return {
            TlsResultType::tlsa_invalid,
            "no TLSA record matches the certificate" +
                (facts.verify_error.empty() ? std::string() : " (" + facts.verify_error + ")")};
    }
    return {
        TlsResultType::certificate_not_trusted,
        facts.verify_error.empty() ? "no certificate" : facts.verify_error};
}

}  // namespace

std::optional<TlsShortfall> judge_certificate(const TlsDemand& demand, const TlsFacts& facts) {
    if (demand.level < TlsLevel::certificate_validation) return std::nullopt;
    if (demand.level == TlsLevel::dane) {
        // RFC 7672 §2.2: no record that can be used: encrypted is all there is. REQUIRETLS wants
        // somebody who vouches.
        const bool enough = facts.dane == DaneMatch::matched ||
                            (facts.dane == DaneMatch::unusable && !demand.requires_requiretls);
        return enough ? std::nullopt : std::optional(bad_chain(demand, facts));
    }
    if (!facts.peer_verified) return bad_chain(demand, facts);
    const bool named = demand.level < TlsLevel::domain_validation ||
                       std::any_of(demand.names.begin(), demand.names.end(), [&](const auto& name) {
                           return presents(facts, name);
                       });
    return named ? std::nullopt : std::optional(wrong_name(demand, facts));
}

TlsExpectation expectation_of(const TlsDemand& demand) {
    TlsExpectation expectation;
    expectation.server_name = demand.sni;
    for (const auto& record : demand.tlsa) {
        expectation.tlsa.push_back({record.usage, record.selector, record.matching, record.data});
    }
    if (!demand.tlsa.empty()) expectation.names = demand.names;
    return expectation;
}

}  // namespace mailflow

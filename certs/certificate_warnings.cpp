#include "certs/certificate_warnings.hpp"

#include "certs/certificate_selection.hpp"

#include <array>
#include <set>

namespace mailflow {

namespace {

using Kind = CertificateWarning::Kind;

constexpr std::array kThresholds{1, 7, 14, 30};

std::string day_of(UtcTime time) {
    const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
    const auto two = [](unsigned number) {
        return (number < 10 ? "0" : "") + std::to_string(number);
    };
    return std::to_string(static_cast<int>(day.year())) + "-" +
           two(static_cast<unsigned>(day.month())) + "-" + two(static_cast<unsigned>(day.day()));
}

void check_dates(
    const StoredCertificate& certificate, UtcTime now, std::vector<CertificateWarning>& into) {
    const auto& facts = certificate.facts;
    const auto quoted = "certificate \"" + certificate.name + "\"";
    if (now > facts.not_after) {
        into.push_back(
            {Kind::expired,
             certificate.name,
             0,
             quoted + " expired on " + day_of(facts.not_after) + ": renew it"});
        return;
    }
    if (now < facts.not_before) {
        into.push_back(
            {Kind::expired,
             certificate.name,
             0,
             quoted + " is not valid before " + day_of(facts.not_before)});
        return;
    }
    for (const int days : kThresholds) {
        if (facts.not_after - now <= std::chrono::days(days)) {
            into.push_back(
                {Kind::expiring,
                 certificate.name,
                 days,
                 quoted + " expires on " + day_of(facts.not_after) + ": renew it"});
            return;
        }
    }
}

}  // namespace

std::vector<CertificateWarning> find_warnings(
    std::span<const StoredCertificate> certificates,
    std::span<const ReceiveConnector> connectors,
    std::string_view node_fqdn,
    UtcTime now) {
    std::vector<CertificateWarning> warnings;
    std::set<std::size_t> in_use;
    for (std::size_t i = 0; i < certificates.size(); ++i) {
        if (certificates[i].services != 0) in_use.insert(i);
    }
    for (const auto& connector : connectors) {
        if (!connector.enabled || connector.tls == TlsMode::none) {
            continue;
        }
        const auto chosen = select_certificates(
            certificates, {connector.certificate, {}, connector.fqdn, node_fqdn}, now);
        if (chosen.empty()) {
            const auto wanted = connector.certificate.empty()
                                    ? "there is no certificate for SMTP"
                                    : "there is no certificate \"" + connector.certificate +
                                          "\" with a private key";
            warnings.push_back(
                {Kind::none_usable,
                 connector.name,
                 0,
                 "connector \"" + connector.name + "\" offers no TLS: " + wanted});
            continue;
        }
        in_use.insert(chosen.begin(), chosen.end());
        const auto& first = certificates[chosen.front()];
        if (first.facts.self_signed && !first.is_trusted) {
            warnings.push_back(
                {Kind::self_signed,
                 connector.name,
                 0,
                 "connector \"" + connector.name + "\" shows the self-signed certificate \"" +
                     first.name + "\", which clients cannot verify"});
        }
    }
    for (const auto position : in_use) {
        check_dates(certificates[position], now, warnings);
    }
    return warnings;
}

}  // namespace mailflow

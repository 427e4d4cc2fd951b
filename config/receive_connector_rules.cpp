#include "config/receive_connector_rules.hpp"

#include "config/object_title.hpp"
#include "config/schema/values.hpp"
#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

using schema::Problem;

namespace {

using Problems = std::vector<Problem>;
using Warnings = std::vector<std::string>;

std::string title(const ReceiveConnector& connector) {
    return "receive-connector " + quoted(connector.name);
}

void refuse(
    const ReceiveConnector& connector,
    std::string_view field,
    std::string message,
    Problems& problems) {
    problems.push_back({title(connector), std::string(field), std::move(message)});
}

// ---- one connector

// RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets with its CRLF.
constexpr std::size_t kMaxBannerLength = 510;

void check_banner(const ReceiveConnector& connector, Problems& problems) {
    const auto& banner = connector.banner;
    const bool plain = std::all_of(banner.begin(), banner.end(), [](char c) {
        return !ascii::is_control(c) && static_cast<unsigned char>(c) < 0x80;
    });
    // Reference 2.8: RFC 5321 §4.2 wants the name behind the code.
    const bool legal = banner.starts_with("220 ") && banner.size() > 4 && plain;
    if (!banner.empty() && (!legal || banner.size() > kMaxBannerLength)) {
        refuse(
            connector,
            "banner",
            quoted(ascii::escaped(banner.substr(0, 60))) +
                " is not allowed: write one line of at most 510 ASCII characters that starts with "
                "\"220 \" and the host's name, or nothing for the usual greeting",
            problems);
    }
}

void check_timeouts(const ReceiveConnector& connector, Problems& problems) {
    if (connector.connection_inactivity_timeout >= connector.connection_timeout) {
        refuse(
            connector,
            "connection_inactivity_timeout",
            schema::format_duration(connector.connection_inactivity_timeout) +
                " is not less than connection_timeout, which is " +
                schema::format_duration(connector.connection_timeout) +
                ": lower this one or raise the other",
            problems);
    }
}

// Reference 2.4: what asks for TLS needs it to be there.
void check_tls(const ReceiveConnector& connector, Problems& problems) {
    const bool has_tls = connector.tls != TlsMode::none;
    if (!has_tls && connector.auth_mechanisms != 0 && connector.auth_requires_tls) {
        refuse(
            connector,
            "auth_requires_tls",
            "nobody could ever log in, because tls is none: set tls to opportunistic, or "
            "auth_requires_tls to false, or take the auth_mechanisms away",
            problems);
    }
    for (const auto& [mechanism, name] :
         {std::pair(AuthMechanism::scram_sha_256_plus, "scram-sha-256-plus"),
          std::pair(AuthMechanism::external, "external")}) {
        if (!has_tls && offers(connector, mechanism)) {
            refuse(
                connector,
                "auth_mechanisms",
                std::string(name) +
                    " works inside TLS only, and tls is none: set tls to opportunistic, or take "
                    "the mechanism away",
                problems);
        }
    }
    const bool asks = connector.client_certificates != ClientCertificates::none;
    if (!has_tls && asks) {
        refuse(
            connector,
            "client_certificates",
            "certificates are shown inside TLS only, and tls is none: set tls to opportunistic or "
            "required, or client_certificates to none",
            problems);
    }
    if (has_tls && !asks && offers(connector, AuthMechanism::external)) {
        refuse(
            connector,
            "auth_mechanisms",
            "external logs in by the client's certificate, and client_certificates is none: set "
            "client_certificates to request or require, or take the mechanism away",
            problems);
    }
}

void check_extensions(const ReceiveConnector& connector, Problems& problems) {
    // RFC 3030 §3: BINARYMIME is of no use without BDAT.
    if (connector.extensions.binary_mime && !connector.extensions.chunking) {
        refuse(
            connector,
            "binary_mime_enabled",
            "binary messages come by BDAT, and chunking_enabled is false: set chunking_enabled to "
            "true, or binary_mime_enabled to false too",
            problems);
    }
}

void check_default_domain(
    const ReceiveConnector& connector,
    const std::vector<AcceptedDomain>& domains,
    Problems& problems) {
    const auto domain = DomainName::parse(connector.default_domain);
    if (connector.default_domain.empty() || !domain) {
        return;
    }
    const bool ours = std::any_of(domains.begin(), domains.end(), [&domain](const auto& known) {
        return known.domain == *domain ||
               (known.include_subdomains && domain->is_within(known.domain));
    });
    if (!ours) {
        refuse(
            connector,
            "default_domain",
            domain->text() +
                " is not an accepted domain; create it first, with accepted-domain create " +
                domain->text() + ", or set default_domain to one of yours",
            problems);
    }
}

// The connector is chosen before XCLIENT is read, by the address that connects: a proxy outside
// remote_ranges would never get here. (PROXY is read before the choice, so its balancers need not
// be among the clients.)
void check_xclient(const ReceiveConnector& connector, Problems& problems) {
    for (const auto& proxy : connector.xclient_from) {
        const bool served = std::any_of(
            connector.remote_ranges.begin(),
            connector.remote_ranges.end(),
            [&proxy](const IpRange& range) { return range.contains(proxy); });
        if (!served) {
            refuse(
                connector,
                "xclient_from",
                proxy.text() +
                    " does not lie within remote_ranges, so that its connections would not come "
                    "to this connector: add it to remote_ranges, or take it away here",
                problems);
        }
    }
}

void check_one(
    const ReceiveConnector& connector, const Organization::Parts& parts, Problems& problems) {
    check_banner(connector, problems);
    check_timeouts(connector, problems);
    check_tls(connector, problems);
    check_extensions(connector, problems);
    check_default_domain(connector, parts.accepted_domains, problems);
    if (connector.remote_ranges.empty()) {
        refuse(
            connector,
            "remote_ranges",
            "is empty, so that no client would be served: write the clients' addresses, or disable "
            "the connector",
            problems);
        return;
    }
    check_xclient(connector, problems);
}

// ---- two connectors

bool is_same(const IpRange& a, const IpRange& b) {
    return a.first() == b.first() && a.last() == b.last();
}

// Port 0 picks a free port, so two of them never meet.
bool is_same_socket(const Endpoint& a, const Endpoint& b) {
    return a.port == b.port && a.port != 0 && a.address.is_v4() == b.address.is_v4();
}

bool share_binding(const Endpoint& a, const Endpoint& b) {
    return is_same_socket(a, b) && a.address == b.address;
}

// One client may reach both: the same address, or one of them stands for all.
bool may_meet(const Endpoint& a, const Endpoint& b) {
    return is_same_socket(a, b) &&
           (a.address == b.address || a.address.is_unspecified() || b.address.is_unspecified());
}

template <class Predicate>
const Endpoint* find_binding(
    const ReceiveConnector& a, const ReceiveConnector& b, Predicate predicate) {
    for (const auto& binding : a.bindings) {
        const bool found =
            std::any_of(b.bindings.begin(), b.bindings.end(), [&](const Endpoint& other) {
                return predicate(binding, other);
            });
        if (found) return &binding;
    }
    return nullptr;
}

// Reference 2.2: ranges of connectors that share a binding are disjoint, or one wholly contains the
// other; the pair of binding and range is unique, else no rule could choose between the two.
void check_ranges(const ReceiveConnector& a, const ReceiveConnector& b, Problems& problems) {
    const auto* meeting = find_binding(a, b, may_meet);
    if (meeting == nullptr) {
        return;
    }
    const auto* shared = find_binding(a, b, share_binding);
    for (const auto& range : a.remote_ranges) {
        for (const auto& other : b.remote_ranges) {
            if (is_same(range, other)) {
                if (shared == nullptr) continue;  // the binding that names the address wins
                refuse(
                    a,
                    "remote_ranges",
                    range.text() + " on " + shared->text() + " is already served by " + title(b) +
                        ": give one of them another binding or a smaller range",
                    problems);
            } else if (range.overlaps(other) && !range.contains(other) && !other.contains(range)) {
                refuse(
                    a,
                    "remote_ranges",
                    range.text() + " on " + meeting->text() + " overlaps with " + other.text() +
                        " of " + title(b) +
                        ": make them disjoint, or let one range contain the other",
                    problems);
            }
        }
    }
}

// ---- warnings

std::uint32_t first_word(const IpAddress& address) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        word = (word << 8U) | address.bytes().at(i);
    }
    return word;
}

// Larger than what one organization usually has: more than a /16 of IPv4, or a /32 of IPv6.
bool is_wide(const IpRange& range) {
    const auto first = first_word(range.first());
    const auto last = first_word(range.last());
    return range.first().is_v4() ? last - first > 0xFFFF : last != first;
}

// A part of the Internet, and not just hosts somebody listed.
bool is_the_world(const IpRange& range) {
    const auto is_inside = [](const IpAddress& address) {
        return address.is_loopback() || address.is_private();
    };
    return is_wide(range) && !(is_inside(range.first()) && is_inside(range.last()));
}

bool serves_the_world(const ReceiveConnector& connector) {
    return connector.enabled &&
           std::any_of(
               connector.remote_ranges.begin(), connector.remote_ranges.end(), is_the_world);
}

bool takes_mail_from_outside(const ReceiveConnector& connector) {
    return serves_the_world(connector) && has(anonymous_rights(connector), Permission::submit);
}

void warn_of_exposure(const ReceiveConnector& connector, Warnings& warnings) {
    if (!takes_mail_from_outside(connector)) {
        return;
    }
    if (has(anonymous_rights(connector), Permission::any_recipient)) {
        warnings.push_back(
            title(connector) +
            " relays mail of anybody to anybody: narrow its remote_ranges to hosts of your own");
    }
    // RFC 3207 §4: a host that takes mail from the Internet must not demand STARTTLS for it.
    constexpr std::uint16_t kSmtpPort = 25;
    const bool public_port = std::any_of(
        connector.bindings.begin(), connector.bindings.end(), [](const Endpoint& binding) {
            return binding.port == kSmtpPort;
        });
    const bool demands = connector.tls == TlsMode::required || connector.tls == TlsMode::implicit;
    if (public_port && demands) {
        warnings.push_back(
            title(connector) +
            " takes mail from the Internet on port 25 and demands TLS: hosts without it cannot "
            "send to you (tls opportunistic lets them)");
    }
}

void warn_of_logins(const ReceiveConnector& connector, Warnings& warnings) {
    const bool can_log_in = connector.auth_mechanisms != 0;
    if (has_group(connector, PermissionGroup::authenticated) && !can_log_in) {
        warnings.push_back(
            title(connector) +
            " has the permission group authenticated and no auth_mechanisms: nobody can log in");
    }
    if (can_log_in && !has(authenticated_rights(connector), Permission::submit)) {
        warnings.push_back(
            title(connector) +
            " has auth_mechanisms and not the permission group authenticated: who logs in may not "
            "send");
    }
    const bool passwords =
        offers(connector, AuthMechanism::plain) || offers(connector, AuthMechanism::login);
    const bool always_tls =
        connector.tls == TlsMode::required || connector.tls == TlsMode::implicit;
    if (passwords && !connector.auth_requires_tls && !always_tls) {
        warnings.push_back(
            title(connector) +
            " takes passwords outside TLS (auth_requires_tls false with plain or login): whoever "
            "hears the network reads them");
    }
    if (has_group(connector, PermissionGroup::partners) &&
        connector.client_certificates == ClientCertificates::none) {
        warnings.push_back(
            title(connector) +
            " has the permission group partners and client_certificates none: nobody can be a "
            "partner");
    }
}

// Whoever is listed may name any client address, and so choose its connector and evade limits.
void warn_of_credulity(const ReceiveConnector& connector, Warnings& warnings) {
    for (const auto& [field, ranges] :
         {std::pair("proxy_protocol_from", &connector.proxy_protocol_from),
          std::pair("xclient_from", &connector.xclient_from)}) {
        if (std::any_of(ranges->begin(), ranges->end(), is_the_world)) {
            warnings.push_back(
                title(connector) + ": " + field +
                " holds a part of the Internet, and whoever is there may pretend to be any "
                "client: write the addresses of your own proxies");
        }
    }
}

void warn_of_idle_fields(const ReceiveConnector& connector, Warnings& warnings) {
    if (!connector.submission && connector.sender_policy != SenderPolicy::refuse) {
        warnings.push_back(
            title(connector) + ": sender_policy does nothing while submission is false");
    }
    if (!connector.submission && !connector.default_domain.empty()) {
        warnings.push_back(
            title(connector) + ": default_domain does nothing while submission is false");
    }
    if (connector.tls == TlsMode::none && !connector.certificate.empty()) {
        warnings.push_back(title(connector) + ": certificate does nothing while tls is none");
    }
    const bool limits_rate =
        connector.message_rate_limit || connector.message_rate_limit_per_hour ||
        connector.recipient_rate_limit || connector.recipient_rate_limit_per_hour;
    if (limits_rate && connector.message_rate_source == MessageRateSource::none) {
        warnings.push_back(
            title(connector) + ": rate limits do nothing while message_rate_source is none");
    }
}

}  // namespace

void check_receive_connectors(const Organization::Parts& parts, Problems& problems) {
    const auto& connectors = parts.receive_connectors;
    for (std::size_t i = 0; i < connectors.size(); ++i) {
        check_one(connectors[i], parts, problems);
        for (std::size_t j = i + 1; j < connectors.size(); ++j) {
            check_ranges(connectors[i], connectors[j], problems);
        }
    }
}

void warn_of_receive_connectors(const Organization::Parts& parts, Warnings& warnings) {
    const auto& connectors = parts.receive_connectors;
    if (std::none_of(connectors.begin(), connectors.end(), takes_mail_from_outside)) {
        warnings.emplace_back("no receive connector is left that takes mail from outside");
    }
    for (const auto& connector : connectors) {
        warn_of_exposure(connector, warnings);
        warn_of_logins(connector, warnings);
        warn_of_credulity(connector, warnings);
        warn_of_idle_fields(connector, warnings);
    }
}

}  // namespace mailflow

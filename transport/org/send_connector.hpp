// How mail leaves: one send connector (reference 1.1–1.4). Plain data and the matching of address
// spaces.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/mail/domain_name.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mailflow {

// Reference 1.4: `*`, `*.contoso.com` (the domain and everything below), `contoso.com` (exactly).
class AddressSpace {
  public:
    // `[SMTP:]space[;cost]`, type in any case of letters; cost 1–100, default 1.
    // Error::syntax; `problem` says it in words.
    [[nodiscard]] static Result<AddressSpace> parse(std::string_view text);
    // What is wrong with `text`, for an administrator; empty when it is a legal address space.
    [[nodiscard]] static std::string problem(std::string_view text);

    [[nodiscard]] bool matches(std::string_view domain) const noexcept;
    // Higher is more specific: exact > longer suffix > shorter suffix > `*`.
    [[nodiscard]] std::uint32_t specificity() const noexcept;

    [[nodiscard]] std::uint32_t cost() const noexcept { return cost_; }

    // `smtp:*.contoso.com;5`, the canonical form.
    [[nodiscard]] std::string text() const;

    friend bool operator==(const AddressSpace&, const AddressSpace&) = default;

  private:
    AddressSpace() = default;
    bool everything_ = false;
    bool subdomains_ = false;
    std::string domain_;  // A-labels, lower case; empty for `*`
    std::uint32_t cost_ = 1;
};

enum class SendUsage : std::uint8_t { custom, internal, internet, partner };
enum class SendRouting : std::uint8_t { mx, smart_hosts };

// A host name or an address; both `127.0.0.1` and `[127.0.0.1]` are read as addresses.
using SmartHost = std::variant<IpAddress, DomainName>;

[[nodiscard]] Result<SmartHost> parse_smart_host(std::string_view text);
// `[10.0.0.1]` or the name.
[[nodiscard]] std::string to_text(const SmartHost& host);
// Comma separated, in the order listed: the domain of a next hop.
[[nodiscard]] std::string to_text(const std::vector<SmartHost>& hosts);

// How we log in at smart hosts (reference 1.1, SmartHostAuthMechanism).
enum class SmartHostAuth : std::uint8_t {
    none,
    basic,              // PLAIN, LOGIN or SCRAM, whatever is the strongest offered
    basic_require_tls,  // the same after STARTTLS, with a certificate that names the smart host
    oauth2,             // OAUTHBEARER or XOAUTH2 with a token of `oauth2`
};

// Reference 1.6. Legal only with `require_tls`.
enum class TlsAuthLevel : std::uint8_t {
    encryption_only,
    certificate_validation,  // + chain and dates
    domain_validation,       // + a subject alternative name equal to tls_domain, or the domain
};

// Reference 1.1, ErrorPolicies.
struct ErrorPolicies {
    bool downgrade_dns_failures = false;  // a permanent answer of the DNS is tried again
    // Replies, by enhanced status or code: permanent ones tried again; temporary ones final.
    std::vector<std::string> downgrade_replies;
    std::vector<std::string> upgrade_replies;

    friend bool operator==(const ErrorPolicies&, const ErrorPolicies&) = default;
};

// Where access tokens come from (RFC 6749): by refresh token when there is one, else by client
// credentials. Secrets are sealed (ports/secrets.hpp).
struct OAuth2Settings {
    std::string token_url;  // https
    std::string client_id;
    std::string scope;          // empty: none is sent
    std::string client_secret;  // sealed; empty: a public client
    std::string refresh_token;  // sealed; empty: client credentials

    friend bool operator==(const OAuth2Settings&, const OAuth2Settings&) = default;
};

struct SendConnector {
    std::string name;
    bool enabled = true;
    SendUsage usage = SendUsage::custom;
    std::string comment;
    std::vector<AddressSpace> address_spaces;
    bool scoped = false;                      // usable only by nodes of the source servers' site
    std::vector<std::string> source_servers;  // FQDNs of nodes; never empty
    SendRouting routing = SendRouting::mx;
    std::vector<SmartHost> smart_hosts;
    std::uint16_t port = 25;
    std::optional<IpAddress> source_address;        // bound to before connecting; none: any
    std::string fqdn;                               // EHLO name; empty: the node's FQDN
    std::optional<std::uint64_t> max_message_size;  // octets; none: unlimited
    std::uint32_t max_messages_per_connection = 20;
    std::chrono::milliseconds connection_inactivity_timeout{std::chrono::minutes(10)};
    bool force_helo = false;  // HELO, never EHLO: no STARTTLS, no extension at all
    ErrorPolicies error_policies;
    // Received fields stay in what leaves (reference 1.7, Send-Headers-Routing).
    bool send_routing_headers = true;

    // ---- TLS (reference 1.6)
    bool require_tls = false;
    bool ignore_starttls = false;
    std::optional<TlsAuthLevel> tls_auth_level;
    std::string tls_domain;   // A-labels, may begin with `*.`; empty: the recipient's domain
    std::string certificate;  // thumbprint or name of the client certificate; empty: none is sent
    bool dane = true;         // opportunistic DANE and MTA-STS, where routing is by MX
    bool mta_sts = true;

    // ---- log-in at smart hosts
    SmartHostAuth auth = SmartHostAuth::none;
    std::string username;
    std::string password;  // sealed
    OAuth2Settings oauth2;

    // ---- concurrency (reference 1.9); none: the organization's
    std::optional<std::uint32_t> max_outbound_connections;
    std::optional<std::uint32_t> max_per_domain_outbound_connections;
};

}  // namespace mailflow

#include "config/send_connector_rules.hpp"

#include "config/object_title.hpp"
#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

using schema::Problem;

namespace {

using Problems = std::vector<Problem>;

// Collects what is wrong with one connector.
class Refusals {
  public:
    Refusals(const SendConnector& connector, Problems& problems)
        : title_(object_title("send-connector", connector.name))
        , problems_(problems) {}

    void add(std::string_view field, std::string message) {
        problems_.push_back({title_, std::string(field), std::move(message)});
    }

  private:
    std::string title_;
    Problems& problems_;
};

// ---- the way out

// Reference 1.2: smart hosts or MX, never both, never neither.
void check_routing(const SendConnector& connector, Refusals& refusals) {
    if (connector.routing == SendRouting::mx && !connector.smart_hosts.empty()) {
        refusals.add(
            "routing",
            "mx cannot stand together with smart_hosts: set routing to smart-hosts, or take the "
            "smart hosts away");
    }
    if (connector.routing == SendRouting::smart_hosts && connector.smart_hosts.empty()) {
        refusals.add("smart_hosts", "routing smart-hosts needs at least one smart host");
    }
}

std::string space_without_cost(const AddressSpace& space) {
    const auto text = space.text();
    return text.substr(0, text.find(';'));
}

void check_address_spaces(const SendConnector& connector, Refusals& refusals) {
    const auto& spaces = connector.address_spaces;
    for (std::size_t i = 0; i < spaces.size(); ++i) {
        for (std::size_t j = i + 1; j < spaces.size(); ++j) {
            if (space_without_cost(spaces[i]) == space_without_cost(spaces[j])) {
                refusals.add(
                    "address_spaces",
                    spaces[i].text() + " and " + spaces[j].text() +
                        " are one space with two costs: keep one of them");
            }
        }
    }
}

// ---- nodes

// FQDNs of all nodes, this one first.
std::vector<std::string> known_nodes(const Organization::Parts& parts) {
    std::vector<std::string> names = {parts.node.fqdn};
    for (const auto& node : parts.nodes) {
        if (!ascii::equal_ignoring_case(node.fqdn, parts.node.fqdn)) names.push_back(node.fqdn);
    }
    return names;
}

// `a, b or c`
std::string any_of_them(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
        text += names[i];
    }
    return text;
}

void check_source_servers(
    const SendConnector& connector, const Organization::Parts& parts, Refusals& refusals) {
    const auto known = known_nodes(parts);
    if (connector.source_servers.empty()) {
        refusals.add("source_servers", "needs at least one node: write " + any_of_them(known));
    }
    for (const auto& server : connector.source_servers) {
        const bool is_known = std::any_of(known.begin(), known.end(), [&](const auto& name) {
            return ascii::equal_ignoring_case(name, server);
        });
        if (!is_known) {
            refusals.add(
                "source_servers",
                server + " is not a known node: write " + any_of_them(known) +
                    ", or make it known first, with smtpctl node create " + server);
        }
    }
}

std::string node_title(const Node& node) {
    return object_title("node", node.name);
}

// ---- TLS (reference 1.2, 1.6)

void check_tls(const SendConnector& connector, Refusals& refusals) {
    if (connector.require_tls && connector.ignore_starttls) {
        refusals.add(
            "require_tls", "cannot stand together with ignore_starttls: set one of them to false");
    }
    if (connector.require_tls && connector.force_helo) {
        refusals.add(
            "require_tls",
            "cannot stand together with force_helo, because STARTTLS is offered to EHLO only: set "
            "one of them to false");
    }
    if (!connector.tls_auth_level) {
        if (!connector.tls_domain.empty()) {
            refusals.add(
                "tls_domain",
                "is compared by tls_auth_level domain-validation only: set tls_auth_level to that, "
                "or take tls_domain away");
        }
        return;
    }
    if (!connector.require_tls) {
        refusals.add(
            "tls_auth_level",
            "needs require_tls: set require_tls to true, or take tls_auth_level away");
    }
    const bool names = *connector.tls_auth_level == TlsAuthLevel::domain_validation;
    if (!names && !connector.tls_domain.empty()) {
        refusals.add(
            "tls_domain",
            "is compared by tls_auth_level domain-validation only: set tls_auth_level to that, or "
            "take tls_domain away");
    }
    if (names && connector.routing == SendRouting::smart_hosts && connector.tls_domain.empty()) {
        refusals.add(
            "tls_domain",
            "is needed by tls_auth_level domain-validation with smart_hosts: write the name in the "
            "smart hosts' certificates, such as relay.contoso.com or *.contoso.com");
    }
}

// ---- log-in at smart hosts (reference 1.2)

bool is_basic(const SendConnector& connector) {
    return connector.auth == SmartHostAuth::basic ||
           connector.auth == SmartHostAuth::basic_require_tls;
}

void check_basic(const SendConnector& connector, Refusals& refusals) {
    const std::string auth =
        connector.auth == SmartHostAuth::basic ? "auth basic" : "auth basic-require-tls";
    if (connector.username.empty()) {
        refusals.add(
            "username", "is needed by " + auth + ": write the account's name, or set auth to none");
    }
    if (connector.password.empty()) {
        refusals.add(
            "password",
            "is needed by " + auth + ": give it with --password -, or set auth to none");
    }
    if (connector.auth == SmartHostAuth::basic_require_tls && connector.ignore_starttls) {
        refusals.add(
            "auth",
            "basic-require-tls cannot stand together with ignore_starttls: set ignore_starttls to "
            "false");
    }
}

void check_oauth2(const SendConnector& connector, Refusals& refusals) {
    const auto& settings = connector.oauth2;
    if (connector.username.empty()) {
        refusals.add(
            "username",
            "is needed by auth oauth2: write the mailbox to send as, or set auth to none");
    }
    if (!settings.token_url.starts_with("https://")) {
        refusals.add(
            "oauth2_token_url",
            "is needed by auth oauth2 and begins with https://: write where tokens are given, such "
            "as https://login.contoso.com/oauth2/token");
    }
    if (settings.client_id.empty()) {
        refusals.add(
            "oauth2_client_id",
            "is needed by auth oauth2: write the id under which this server is registered there");
    }
    if (settings.client_secret.empty() && settings.refresh_token.empty()) {
        refusals.add(
            "oauth2_client_secret",
            "or oauth2_refresh_token is needed by auth oauth2: give one of them, with - and a line "
            "of input");
    }
    if (connector.ignore_starttls) {
        refusals.add(
            "auth",
            "oauth2 cannot stand together with ignore_starttls, because tokens are sent inside TLS "
            "only: set ignore_starttls to false");
    }
}

void check_auth(const SendConnector& connector, Refusals& refusals) {
    if (connector.auth == SmartHostAuth::none) {
        return;
    }
    if (connector.routing != SendRouting::smart_hosts) {
        refusals.add(
            "auth",
            "is for smart hosts, and routing is mx: write the smart_hosts to log in at, or set "
            "auth to none");
    }
    if (connector.force_helo) {
        refusals.add(
            "auth",
            "cannot stand together with force_helo, because AUTH is offered to EHLO only: set "
            "force_helo to false, or auth to none");
    }
    if (is_basic(connector)) {
        check_basic(connector, refusals);
    } else {
        check_oauth2(connector, refusals);
    }
}

// ---- what replies mean

bool is_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), ascii::is_digit);
}

// `450`, `4.7.1`: what a reply may begin with.
bool is_reply_code(std::string_view text, char klass) {
    if (text.empty() || text.front() != klass) {
        return false;
    }
    if (text.size() == 3 && is_digits(text)) {
        return true;
    }
    const auto first = text.find('.');
    const auto second = first == std::string_view::npos ? first : text.find('.', first + 1);
    return first == 1 && second != std::string_view::npos &&
           is_digits(text.substr(2, second - 2)) && is_digits(text.substr(second + 1)) &&
           text.size() <= 9;
}

void check_replies(
    const std::vector<std::string>& replies,
    std::string_view field,
    char klass,
    Refusals& refusals) {
    const std::string examples = klass == '4' ? "450 or 4.7.1" : "550 or 5.7.1";
    for (const auto& reply : replies) {
        if (!is_reply_code(reply, klass)) {
            refusals.add(
                field,
                quoted(ascii::escaped(reply.substr(0, 40))) +
                    " is not allowed: write a reply code or a status code such as " + examples);
        }
    }
}

// ---- limits

// Reference 1.9: the whole is not less than a part.
void check_limits(const SendConnector& connector, Refusals& refusals) {
    const auto& all = connector.max_outbound_connections;
    const auto& part = connector.max_per_domain_outbound_connections;
    if (all && part && *part > *all) {
        refusals.add(
            "max_per_domain_outbound_connections",
            std::to_string(*part) + " is more than max_outbound_connections, which is " +
                std::to_string(*all) + ": lower this one or raise the other");
    }
}

}  // namespace

void check_send_connectors(const Organization::Parts& parts, Problems& problems) {
    for (const auto& connector : parts.send_connectors) {
        Refusals refusals(connector, problems);
        check_routing(connector, refusals);
        check_source_servers(connector, parts, refusals);
        check_address_spaces(connector, refusals);
        check_tls(connector, refusals);
        check_auth(connector, refusals);
        check_replies(
            connector.error_policies.downgrade_replies, "downgrade_replies", '5', refusals);
        check_replies(connector.error_policies.upgrade_replies, "upgrade_replies", '4', refusals);
        check_limits(connector, refusals);
    }
}

void check_destination_policies(const Organization::Parts& parts, Problems& problems) {
    for (const auto& policy : parts.destination_policies) {
        const auto title = object_title("destination-policy", policy.name);
        if (policy.domains.empty() && policy.mx_hosts.empty() && policy.connectors.empty()) {
            problems.push_back(
                {title,
                 "domains",
                 "or mx_hosts or connectors is needed: write which destinations the policy is "
                 "for"});
        }
        for (const auto& name : policy.connectors) {
            const bool known = std::any_of(
                parts.send_connectors.begin(), parts.send_connectors.end(), [&](const auto& other) {
                    return other.name == name;
                });
            if (!known) {
                problems.push_back(
                    {title,
                     "connectors",
                     "there is no send-connector " + quoted(name) +
                         ": write the name of one as smtpctl send-connector list shows it"});
            }
        }
    }
}

void check_nodes(const Organization::Parts& parts, Problems& problems) {
    for (std::size_t i = 0; i < parts.nodes.size(); ++i) {
        const auto& node = parts.nodes[i];
        for (std::size_t j = 0; j < i; ++j) {
            if (ascii::equal_ignoring_case(parts.nodes[j].fqdn, node.fqdn)) {
                problems.push_back(
                    {node_title(node),
                     "fqdn",
                     node.fqdn + " is that of " + node_title(parts.nodes[j]) +
                         ": write another, or remove one of the two"});
            }
        }
        const bool is_this = ascii::equal_ignoring_case(node.fqdn, parts.node.fqdn);
        if (is_this && node.site != parts.node.site) {
            problems.push_back(
                {node_title(node),
                 "site",
                 "this is the node itself, whose site is " + quoted(parts.node.site) +
                     " by [node] of its bootstrap file: change it there and start again"});
        }
    }
}

}  // namespace mailflow

// Short spellings for the organizations that routing tests need.
#pragma once

#include "transport/org/organization.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailflow {

inline SendConnector make_send_connector(
    std::string name, std::initializer_list<std::string_view> spaces) {
    SendConnector connector;
    connector.name = std::move(name);
    for (const auto space : spaces) {
        connector.address_spaces.push_back(AddressSpace::parse(space).value());
    }
    connector.source_servers = {"mail.contoso.com"};
    return connector;
}

inline AcceptedDomain make_accepted_domain(
    const char* domain, AcceptedDomainType type = AcceptedDomainType::authoritative) {
    return {domain, DomainName::parse(domain).value(), false, type, false};
}

// Of node mail.contoso.com; contoso.com is authoritative and default, subsidiary.com an internal,
// hosted.com an external relay.
inline Organization make_organization(std::vector<SendConnector> connectors = {}) {
    Organization::Parts parts;
    parts.node.fqdn = "mail.contoso.com";
    parts.accepted_domains = {
        make_accepted_domain("contoso.com"),
        make_accepted_domain("subsidiary.com", AcceptedDomainType::internal_relay),
        make_accepted_domain("hosted.com", AcceptedDomainType::external_relay)};
    parts.accepted_domains.front().is_default = true;
    parts.send_connectors = std::move(connectors);
    return Organization(std::move(parts));
}

}  // namespace mailflow

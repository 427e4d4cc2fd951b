// The immutable snapshot of all that is configured. A transaction or an attempt holds one for its
// whole life; a change makes a new one, posted to every lane. Shared by `shared_ptr<const
// Organization>`.
#pragma once

#include "transport/org/accepted_domain.hpp"
#include "transport/org/address_policy.hpp"
#include "transport/org/address_rewrite.hpp"
#include "transport/org/destination_policy.hpp"
#include "transport/org/node.hpp"
#include "transport/org/receive_connector.hpp"
#include "transport/org/remote_domain.hpp"
#include "transport/org/send_connector.hpp"
#include "transport/org/system_message.hpp"
#include "transport/org/transport_settings.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mailflow {

struct NodeSettings {
    std::string fqdn;
    std::string site = "default";
};

class Organization {
  public:
    struct Parts {
        std::uint64_t version = 0;
        NodeSettings node;
        std::vector<AcceptedDomain> accepted_domains;
        std::vector<ReceiveConnector> receive_connectors;
        std::vector<SendConnector> send_connectors;
        TransportSettings transport;
        std::vector<AddressPolicy> address_policies;  // by priority, the default one last
        std::vector<AddressRewrite> address_rewrites;
        std::vector<RemoteDomain> remote_domains;
        std::vector<SystemMessage> system_messages;
        std::vector<DestinationPolicy> destination_policies;  // by priority, shipped ones last
        std::vector<Node> nodes;                              // all servers, this one among them
    };

    explicit Organization(Parts parts);

    // Version of the stored configuration this was made from.
    [[nodiscard]] std::uint64_t version() const noexcept { return parts_.version; }

    [[nodiscard]] const NodeSettings& node() const noexcept { return parts_.node; }

    [[nodiscard]] const TransportSettings& transport() const noexcept { return parts_.transport; }

    [[nodiscard]] const std::vector<AcceptedDomain>& accepted_domains() const noexcept {
        return parts_.accepted_domains;
    }

    [[nodiscard]] const std::vector<ReceiveConnector>& receive_connectors() const noexcept {
        return parts_.receive_connectors;
    }

    [[nodiscard]] const std::vector<SendConnector>& send_connectors() const noexcept {
        return parts_.send_connectors;
    }

    [[nodiscard]] const std::vector<AddressPolicy>& address_policies() const noexcept {
        return parts_.address_policies;
    }

    [[nodiscard]] const std::vector<AddressRewrite>& address_rewrites() const noexcept {
        return parts_.address_rewrites;
    }

    [[nodiscard]] const std::vector<RemoteDomain>& remote_domains() const noexcept {
        return parts_.remote_domains;
    }

    [[nodiscard]] const std::vector<SystemMessage>& system_messages() const noexcept {
        return parts_.system_messages;
    }

    [[nodiscard]] const std::vector<Node>& nodes() const noexcept { return parts_.nodes; }

    // By FQDN in any case of letters; this node is always known. Null: no such node.
    [[nodiscard]] const std::string* find_site(std::string_view fqdn) const noexcept;

    // In the order in which they are asked.
    [[nodiscard]] const std::vector<DestinationPolicy>& destination_policies() const noexcept {
        return parts_.destination_policies;
    }

    // The longest match; the built-in one when there is no entry.
    [[nodiscard]] const RemoteDomain& find_remote_domain(const DomainName& domain) const noexcept;

    // The most specific accepted domain that holds `domain` (an exact entry beats `*.`, a longer
    // `*.` a shorter one).
    [[nodiscard]] const AcceptedDomain* find_accepted_domain(
        const DomainName& domain) const noexcept;
    [[nodiscard]] const AcceptedDomain& default_domain() const;
    [[nodiscard]] const SendConnector* find_send_connector(std::string_view name) const noexcept;

  private:
    Parts parts_;
    std::unordered_map<std::string, std::size_t> exact_domains_;
    std::unordered_map<std::string, std::size_t> wildcard_domains_;
};

using OrganizationPtr = std::shared_ptr<const Organization>;

}  // namespace mailflow

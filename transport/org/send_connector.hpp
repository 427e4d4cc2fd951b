// How mail leaves: one send connector (reference 1.1–1.4). Plain data and the matching of address
// spaces.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/mail/domain_name.hpp"

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

struct SendConnector {
    std::string name;
    bool enabled = true;
    SendUsage usage = SendUsage::custom;
    std::vector<AddressSpace> address_spaces;
    bool scoped = false;                      // usable only by nodes of the source servers' site
    std::vector<std::string> source_servers;  // FQDNs of nodes; never empty
    SendRouting routing = SendRouting::mx;
    std::vector<SmartHost> smart_hosts;
    std::uint16_t port = 25;
    std::string fqdn;                               // EHLO name; empty: the node's FQDN
    std::optional<std::uint64_t> max_message_size;  // octets; none: unlimited
};

}  // namespace mailflow

// Destination key of a delivery queue (reference: NextHopSolutionKey = delivery type + next-hop
// domain + connector). Recipients with equal keys share a queue, its retry state and its
// connections.
#pragma once

#include "transport/base/result.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace mailflow {

enum class DeliveryType : std::uint8_t {
    mailbox,      // local delivery; domain is the kind of store: `maildir`
    dns,          // send connector by MX; domain is the recipient's domain
    smart_host,   // send connector by smart host; domain is the list as configured, comma separated
    unreachable,  // no connector matches; domain is `Unreachable`
    future_release,  // not to be sent before its time (RFC 4865); domain is `Released later`
    lmtp,        // mailboxes of a server that speaks LMTP; domain is `unix:/path` or `host:port`
    smtp_host,   // mailboxes of a server that speaks SMTP; domain is `host` or `host:port`
    other_node,  // of a send connector this node is no source of; domain is who is, comma separated
};

struct NextHop {
    DeliveryType type = DeliveryType::unreachable;
    std::string domain;
    std::string connector;  // name of the send connector; for dns, smart_host and other_node only

    // `mailbox|maildir|`, `dns|contoso.com|Internet`,
    // `smart-host|[10.0.0.1],relay.contoso.com|Backup`, `lmtp|unix:/run/dovecot/lmtp|`,
    // `smtp-host|mail.contoso.com:25|`, `other-node|mx2.contoso.com|Paris`, `unreachable||`,
    // `future-release||`: the connector comes last, so its name may hold any character.
    [[nodiscard]] std::string key() const;
    [[nodiscard]] static Result<NextHop> parse(const std::string& key);
    [[nodiscard]] static NextHop unreachable();
    [[nodiscard]] static NextHop future_release();

    // Nothing is ever sent there: its messages wait for a route, or for their time.
    [[nodiscard]] bool is_waiting_room() const noexcept {
        return waits_for_route() || type == DeliveryType::future_release;
    }

    // Its messages wait until the configuration lets this node send them.
    [[nodiscard]] bool waits_for_route() const noexcept {
        return type == DeliveryType::unreachable || type == DeliveryType::other_node;
    }

    friend auto operator<=>(const NextHop&, const NextHop&) = default;
};

[[nodiscard]] const char* to_text(DeliveryType type) noexcept;

}  // namespace mailflow

template <>
struct std::hash<mailflow::NextHop> {
    std::size_t operator()(const mailflow::NextHop& hop) const noexcept;
};

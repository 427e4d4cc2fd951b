// Handing a message to a next hop. A job is some recipients of one message for one next hop; the
// report says what became of each, and whether the next hop itself could be reached. Agents live on
// a lane and are called on it.
#pragma once

#include "transport/base/task.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

struct DeliveryJob {
    QueuedMessagePtr message;
    NextHop hop;
    std::vector<std::uint32_t>
        recipients;                // numbers in `message->recipients`, ascending, never empty
    OrganizationPtr organization;  // the configuration this attempt runs under
    // Of the destination's policy; none: the send connector's.
    std::optional<std::uint32_t> max_messages_per_connection{};
};

// What the host that took a recipient will see to, because it knows the extension: nobody else has
// to.
struct PassedOn {
    bool dsn = false;         // RFC 3461: reports of success
    bool deliver_by = false;  // RFC 2852: the deadline
};

struct RecipientReport {
    std::uint32_t recipient = 0;
    DeliveryStatus status;
    PassedOn passed_on{};  // meaningful when relayed
    std::string tls{};     // what TLS the host was spoken to in; empty: none, or no host
};

// One host that was tried, for metrics, shaping and the connectivity log.
struct HostAttempt {
    std::string host;
    std::string address;  // `192.0.2.1:25`; empty: none was reached
    bool connected = false;
    bool reused = false;
    std::string tls;             // as in tracking; empty: in clear
    std::uint16_t reply = 0;     // the last reply's code; 0: none
    bool failed = false;         // the host could not be used at all
    bool slow_down = false;      // it said it is being pressed too hard (421, 450 4.7.x …)
    Duration connect_time{};     // connect, greeting, EHLO, TLS; 0 when reused
    std::uint32_t messages = 0;  // transactions it answered to the end
};

struct DeliveryReport {
    // One for each recipient of the job, in its order. Empty only when `hop_failure` is set.
    std::vector<RecipientReport> recipients;
    // The next hop could not be reached at all (connect, greeting, EHLO, DNS temporary): its retry
    // state moves, its recipients wait with it. Words for people, verbatim where a host spoke.
    std::optional<DeliveryStatus> hop_failure;
    bool reused_connection = false;
    // Which host set this next hop leads to, the same for all domains with the same MX hosts: their
    // names in lower case, sorted, joined by commas. Empty: not found out.
    std::string destination{};
    std::vector<HostAttempt> hosts{};  // in the order tried
};

class DeliveryAgent {
  public:
    virtual ~DeliveryAgent() = default;
    // Never throws for what a remote or a disk does. Bounded in time by its own limits.
    virtual Task<DeliveryReport> deliver(DeliveryJob job) = 0;
    // Closes idle connections (shutdown).
    virtual void close_idle() noexcept = 0;
};

}  // namespace mailflow

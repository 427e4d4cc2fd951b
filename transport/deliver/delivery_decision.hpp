// The only judge of delivery: at which stage what happened → what to do now, and what to say about
// the recipient (RFC 3463 codes and texts of our own failures included). Pure. Agents call it for
// each reply or error and obey; the queue takes the words for expiry and Unreachable from here too,
// so that no other file chooses a status code.
#pragma once

#include "transport/base/result.hpp"
#include "transport/deliver/tls_demand.hpp"
#include "transport/mail/delivery_status.hpp"
#include "transport/org/next_hop.hpp"
#include "transport/org/send_connector.hpp"
#include "transport/ports/records/dns_records.hpp"
#include "transport/ports/records/tls_records.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mailflow {

enum class OwnFailure : std::uint8_t;

// How far the attempt had come.
enum class DeliveryStage : std::uint8_t {
    dns,  // looking for hosts
    connect,
    greeting,   // the 220
    ehlo,       // EHLO, then HELO when that is all the host knows
    starttls,   // STARTTLS and its reply
    handshake,  // TLS, what it came to, and the EHLO inside
    auth,       // our log-in
    mail,
    rcpt,
    data,                       // DATA, and the octets behind 354
    final_dot,                  // the reply to CRLF.CRLF
    connection_lost_after_dot,  // no reply to it: the host may have the message (RFC 1047)
    local,                      // our own store
};

enum class DeliveryVerdict : std::uint8_t {
    delivered,
    retry_recipient,  // this recipient waits by itself; the next hop works
    retry_hop,        // the next hop waits, and all its recipients with it
    try_next_host,    // another host of this next hop may do; when none is left `when_exhausted`
                      // rules
    fail,
};

struct Judgement {
    DeliveryVerdict verdict = DeliveryVerdict::retry_recipient;
    // What try_next_host becomes when there is no further host; equal to `verdict` otherwise.
    DeliveryVerdict when_exhausted = DeliveryVerdict::retry_recipient;
    // With the action that belongs to the verdict (of `when_exhausted` for try_next_host): relayed
    // or delivered, delayed, failed.
    DeliveryStatus status;

    friend bool operator==(const Judgement&, const Judgement&) = default;
};

// A reply as the judge sees it.
struct RemoteReply {
    std::uint16_t code = 0;
    EnhancedStatus status;  // as the host gave it; class 0 when it gave none
    // The whole reply for people: code, enhanced code and text, lines joined by blanks.
    std::string text;
    // What client_protocol knows about a 552 on RCPT: the host means "too many recipients" (RFC
    // 5321 §4.5.3.1.10).
    bool means_too_many_recipients = false;
};

// Who was spoken to, for the status; `address` is `192.0.2.1:25`, empty when none was reached.
struct RemoteHost {
    std::string name;
    std::string address;
};

// A reply to the command of `stage`. At rcpt a 2xx is `delivered` in the sense of "go on", as at
// every earlier stage.
[[nodiscard]] Judgement judge_reply(
    DeliveryStage stage, const RemoteReply& reply, const RemoteHost& host);

// An error instead of a reply: refused, timed out, dropped, a reply that is none; at `local`, a
// failed step of the store. Error::refused_target at connect is a host we never speak to.
[[nodiscard]] Judgement judge_error(DeliveryStage stage, ErrorCode error, const RemoteHost& host);

// TLS that was demanded and not had: `type` and `detail` say how it fell short. Only who asked for
// it decides: a connector, DANE and MTA-STS wait for the host to mend it, a message with REQUIRETLS
// goes back when no host will do (decisions §2.4).
[[nodiscard]] Judgement judge_tls(
    TlsSource source, TlsResultType type, std::string_view detail, const RemoteHost& host);

// A log-in that failed: in the host's words (null: `detail` in ours), and which fields of which
// connector to look at. Waits, whatever the reply: wrong credentials are the administrator's to
// correct, and no sender's mail is returned for them.
[[nodiscard]] Judgement judge_login(
    const SendConnector& connector,
    const RemoteReply* reply,
    std::string_view detail,
    const RemoteHost& host);

// Reference 1.1, ErrorPolicies: the verdict on a reply as the connector wants it.
[[nodiscard]] Judgement obey(
    const ErrorPolicies& policies, const RemoteReply& reply, Judgement judgement);

// The same for what the DNS said about the next hop.
[[nodiscard]] Judgement obey(
    const ErrorPolicies& policies, OwnFailure failure, Judgement judgement);

// What stands after every host of a next hop ended in try_next_host, in the order tried, never
// empty: permanent only when every host said so; else the last that came as far as the message,
// else the last that may do later.
[[nodiscard]] Judgement judge_exhausted(std::span<const Judgement> hosts);

// ---- failures we find ourselves, without a host

enum class OwnFailure : std::uint8_t {
    nonexistent_domain,      // NXDOMAIN: 5.4.4
    null_mx,                 // RFC 7505: 5.1.10
    no_hosts,                // no MX and no address, or no MX host has one: 5.4.4
    dns_temporary,           // SERVFAIL, time-out: 4.4.3
    mx_loopback,             // the best host is ourselves: 5.4.6
    refused_targets,         // only addresses we never connect to: 5.4.4
    smart_host_unresolved,   // an administrator's name without address: 4.4.4, waits for the
                             // correction
    smart_host_is_self,      // a smart host is one of our own listeners: 5.4.6
    connector_missing,       // the send connector of the next hop is gone: 4.4.4, routed anew
    too_large_for_host,      // above the SIZE the host announced: 5.3.4
    needs_smtputf8,          // RFC 6531 §3.2: the host has no SMTPUTF8: 5.6.7
    needs_8bitmime,          // RFC 6152: refused by policy: 5.6.3
    needs_binarymime,        // RFC 3030 §3: binary content, and the host lacks BINARYMIME or
                             // CHUNKING: 5.6.3
    no_deliver_by,           // RFC 2852 §4: mode R, and the host has no DELIVERBY: 5.3.3
    deliver_by_too_soon,     // RFC 2852 §4: mode R, less time left than the host takes: 5.4.7
    requires_tls,            // RFC 8689 §4.2.1: the host offers no REQUIRETLS: 5.7.30
    credentials_unreadable,  // the sealed secret of the connector does not open: 4.7.8
    no_token,                // the token endpoint gave none: 4.7.8
    body_unavailable,        // our stored body cannot be read now: 4.3.0
    body_corrupt,            // its checksum does not match; never sent, held by the queue: 4.3.0
    too_many_hops,           // Received fields: 5.4.6
    mailbox_gone,            // the local mailbox has a name no folder can have: 5.1.1
};

// `detail`: appended for people after "; ", e.g. which server answered SERVFAIL; may be empty.
[[nodiscard]] Judgement judge_own(OwnFailure failure, std::string_view detail = {});

// A local store took the message.
[[nodiscard]] Judgement delivered_locally();

// Expiry: failed, `550 4.4.7 QUEUE.Expired; message expired` with the last words of the last
// attempt behind it.
[[nodiscard]] DeliveryStatus expired(const std::optional<DeliveryStatus>& last);

// RFC 2852 §4, mode R: failed, `550 5.4.7 QUEUE.DeliverBy; …` with the last words of the last
// attempt behind it.
[[nodiscard]] DeliveryStatus late(const std::optional<DeliveryStatus>& last);

// No connector matches: delayed, in the words of the Unreachable queue's LastError.
[[nodiscard]] DeliveryStatus unreachable_status();
// Why a recipient waits in this room for another configuration: it names the node that has to send.
[[nodiscard]] DeliveryStatus waiting_status(const NextHop& room);

}  // namespace mailflow

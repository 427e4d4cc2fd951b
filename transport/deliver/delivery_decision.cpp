#include "transport/deliver/delivery_decision.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/deliver/judging.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace mailflow {

using namespace judging;

namespace {

constexpr EnhancedStatus kConnectionTimedOut{4, 4, 1};
constexpr EnhancedStatus kConnectionDropped{4, 4, 2};

// ---- replies

// The host's enhanced code when it fits what we make of the reply. RFC 3464 §2.3.4 wants the class
// to agree with the action, so a 5xx that is tried again keeps subject and detail under class 4,
// and a code that contradicts its own reply is replaced by "other" (RFC 3463 §3.1); the diagnostic
// keeps the host's words in any case.
EnhancedStatus status_of(const RemoteReply& reply, std::uint16_t klass) {
    const bool agrees = reply.status.is_given() && reply.status.klass == reply.code / 100;
    return agrees ? EnhancedStatus{klass, reply.status.subject, reply.status.detail}
                  : EnhancedStatus{klass, 0, 0};
}

DeliveryStatus said_by(const RemoteHost& host, const RemoteReply& reply, std::uint16_t klass) {
    return {
        .status = status_of(reply, klass),
        .diagnostic = one_line(reply.text),
        .remote_mta = host.name,
        .remote_address = host.address,
        .by_remote = true};
}

bool is_positive(DeliveryStage stage, const RemoteReply& reply) noexcept {
    // RFC 5321 §4.3.2: DATA is answered by 354, everything else by 2yz.
    return reply.code / 100 == (stage == DeliveryStage::data ? 3 : 2);
}

bool before_the_message(DeliveryStage stage) noexcept {
    return stage == DeliveryStage::dns || stage == DeliveryStage::connect ||
           stage == DeliveryStage::greeting || stage == DeliveryStage::ehlo ||
           stage == DeliveryStage::starttls || stage == DeliveryStage::handshake ||
           stage == DeliveryStage::auth;
}

// A 5yz before MAIL is about the host or about us, not about the message. RFC 5321 §3.1 and RFC
// 7504: 521 (this host takes no mail) and 556 (this domain takes none) are meant for ever. Any
// other, mostly 554 from a block list, a maintenance page or an overloaded gateway, is often gone
// within hours: like Postfix, which has it as its default, we ask the other hosts and then again
// later; expiry bounds it.
Judgement refused_before_mail(const RemoteReply& reply, const RemoteHost& host) {
    if (reply.code == 521 || reply.code == 556) {
        return next_host_or(DeliveryVerdict::fail, said_by(host, reply, 5));
    }
    return next_host_or(DeliveryVerdict::retry_hop, said_by(host, reply, 4));
}

Judgement refused_for_now(DeliveryStage stage, const RemoteReply& reply, const RemoteHost& host) {
    auto status = said_by(host, reply, 4);
    if (before_the_message(stage)) {
        return next_host_or(DeliveryVerdict::retry_hop, std::move(status));
    }
    // A 4yz to MAIL (no space, too much load) is about this host: RFC 5321 §5.1, another one may
    // take it.
    if (stage == DeliveryStage::mail) {
        return next_host_or(DeliveryVerdict::retry_recipient, std::move(status));
    }
    // A recipient, or the message itself: grey listing and full mailboxes are the same on every
    // host of a domain, and asking all of them only multiplies the load.
    return final_judgement(DeliveryVerdict::retry_recipient, std::move(status));
}

}  // namespace

Judgement judge_reply(DeliveryStage stage, const RemoteReply& reply, const RemoteHost& host) {
    if (is_positive(stage, reply)) {
        return final_judgement(DeliveryVerdict::delivered, said_by(host, reply, 2));
    }
    if (reply.code == 421) {
        // RFC 5321 §3.8: the host closes the channel. That is its trouble, not the message's.
        auto status = said_by(host, reply, 4);
        return stage == DeliveryStage::final_dot
                   ? final_judgement(DeliveryVerdict::retry_hop, std::move(status))
                   : next_host_or(DeliveryVerdict::retry_hop, std::move(status));
    }
    if (stage == DeliveryStage::rcpt && reply.code == 552 && reply.means_too_many_recipients) {
        // RFC 5321 §4.5.3.1.10: a 552 for "too many recipients" is to be treated as 452.
        auto status = said_by(host, reply, 4);
        status.status = {4, 5, 3};
        return final_judgement(DeliveryVerdict::retry_recipient, std::move(status));
    }
    if (reply.code / 100 == 4) {
        return refused_for_now(stage, reply, host);
    }
    if (reply.code / 100 == 5) {
        return before_the_message(stage)
                   ? refused_before_mail(reply, host)
                   : final_judgement(DeliveryVerdict::fail, said_by(host, reply, 5));
    }
    // Neither success nor refusal: a host that does not speak SMTP, or lost its place. Nothing
    // permanent follows from it.
    auto status = said_by(host, reply, 4);
    status.status = {4, 5, 0};
    return next_host_or(
        before_the_message(stage) ? DeliveryVerdict::retry_hop : DeliveryVerdict::retry_recipient,
        std::move(status));
}

// ---- errors

namespace {

const char* doing(DeliveryStage stage) noexcept {
    switch (stage) {
        case DeliveryStage::dns: return "looking for hosts";
        case DeliveryStage::connect: return "connecting";
        case DeliveryStage::greeting: return "waiting for the greeting";
        case DeliveryStage::ehlo: return "sending EHLO";
        case DeliveryStage::starttls: return "sending STARTTLS";
        case DeliveryStage::handshake: return "beginning TLS";
        case DeliveryStage::auth: return "logging in";
        case DeliveryStage::mail: return "sending MAIL";
        case DeliveryStage::rcpt: return "sending RCPT";
        case DeliveryStage::data: return "sending the message";
        case DeliveryStage::final_dot:
        case DeliveryStage::connection_lost_after_dot:
            return "waiting for the reply to the end of data";
        case DeliveryStage::local: return "writing to the mailbox";
    }
    return "";
}

DeliveryStatus broken_connection(DeliveryStage stage, ErrorCode error, const RemoteHost& host) {
    if (error == Error::syntax || error == Error::line_too_long || error == Error::too_large) {
        return own_words(
            host, {4, 5, 0}, fmt::format("451 4.5.0 Invalid reply while {}", doing(stage)));
    }
    const bool timed_out = error == Error::timed_out || error == boost::system::errc::timed_out;
    if (timed_out) {
        return own_words(
            host,
            kConnectionTimedOut,
            fmt::format("451 4.4.1 Connection timed out while {}", doing(stage)));
    }
    if (stage == DeliveryStage::connect) {
        return own_words(
            host,
            kConnectionTimedOut,
            fmt::format("451 4.4.1 Connection failed: {}", error.message()));
    }
    return own_words(
        host,
        kConnectionDropped,
        fmt::format("451 4.4.2 Connection dropped while {}: {}", doing(stage), error.message()));
}

Judgement judge_local_error(ErrorCode error) {
    if (error == Error::disk_full || error == boost::system::errc::no_space_on_device) {
        // Every mailbox is on that disk.
        return final_judgement(
            DeliveryVerdict::retry_hop,
            own_words({}, {4, 3, 1}, "452 4.3.1 Insufficient system resources"));
    }
    return final_judgement(
        DeliveryVerdict::retry_recipient,
        own_words(
            {},
            {4, 2, 0},
            fmt::format("450 4.2.0 Mailbox cannot be written: {}", error.message())));
}

}  // namespace

Judgement judge_error(DeliveryStage stage, ErrorCode error, const RemoteHost& host) {
    if (stage == DeliveryStage::local) {
        return judge_local_error(error);
    }
    if (error == Error::cancelled) {
        // We stop: nobody failed, the attempt is repeated after the start.
        return final_judgement(
            DeliveryVerdict::retry_recipient,
            own_words(host, {4, 3, 2}, "451 4.3.2 Stopped by the local server"));
    }
    if (stage == DeliveryStage::dns) {
        return judge_own(OwnFailure::dns_temporary, error.message());
    }
    if (error == Error::refused_target) {
        auto refused = judge_own(OwnFailure::refused_targets, host.address).status;
        refused.remote_mta = host.name;
        return next_host_or(DeliveryVerdict::fail, std::move(refused));
    }
    auto status = broken_connection(stage, error, host);
    if (stage == DeliveryStage::final_dot || stage == DeliveryStage::connection_lost_after_dot) {
        // RFC 1047: the host may have the message. Another host at once would make the second copy
        // certain.
        return final_judgement(DeliveryVerdict::retry_recipient, std::move(status));
    }
    // From MAIL on it may be this message that breaks the connection: it alone waits, the next hop
    // goes on.
    return next_host_or(
        before_the_message(stage) ? DeliveryVerdict::retry_hop : DeliveryVerdict::retry_recipient,
        std::move(status));
}

Judgement judge_exhausted(std::span<const Judgement> hosts) {
    if (hosts.empty()) {
        throw std::logic_error("judge_exhausted: no host was tried");
    }
    const Judgement* choice = nullptr;
    for (const auto wanted :
         {DeliveryVerdict::retry_recipient, DeliveryVerdict::retry_hop, DeliveryVerdict::fail}) {
        for (const auto& host : hosts) {
            if (host.when_exhausted == wanted) {
                choice = &host;
            }
        }
        if (choice != nullptr) {
            return final_judgement(wanted, choice->status);
        }
    }
    throw std::logic_error("judge_exhausted: a host took the message");
}

// ---- without a host

Judgement delivered_locally() {
    auto result = final_judgement(
        DeliveryVerdict::delivered, own_words({}, {2, 1, 5}, "250 2.1.5 Delivered to the mailbox"));
    result.status.action = DeliveryAction::delivered;
    return result;
}

namespace {

DeliveryStatus given_up(DeliveryStatus status, const std::optional<DeliveryStatus>& last) {
    status.action = DeliveryAction::failed;
    if (last && !last->diagnostic.empty()) {
        status.diagnostic += one_line("; last error: " + last->diagnostic);
        status.remote_mta = last->remote_mta;
        status.remote_address = last->remote_address;
    }
    return status;
}

}  // namespace

DeliveryStatus expired(const std::optional<DeliveryStatus>& last) {
    // Reference fact 18: 550 together with a class 4 code.
    return given_up(own_words({}, {4, 4, 7}, "550 4.4.7 QUEUE.Expired; message expired"), last);
}

DeliveryStatus late(const std::optional<DeliveryStatus>& last) {
    return given_up(
        own_words(
            {}, {5, 4, 7}, "550 5.4.7 QUEUE.DeliverBy; the time to deliver the message by is over"),
        last);
}

DeliveryStatus unreachable_status() {
    return own_words(
        {}, {4, 4, 4}, "A matching connector cannot be found to route the external recipient");
}

DeliveryStatus waiting_status(const NextHop& room) {
    if (room.type != DeliveryType::other_node) {
        return unreachable_status();
    }
    return own_words(
        {},
        {4, 4, 4},
        "Another node has to send this: send connector " + room.connector +
            " has the source servers " + room.domain);
}

}  // namespace mailflow

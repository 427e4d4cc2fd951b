// The fields mailflow itself writes into a message: Received and Return-Path (RFC 5321 §4.4), Date
// and Message-ID where a submission lacks them (RFC 6409 §8). Each function gives complete fields,
// folded, ended by CRLF. Pure.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/id.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/mail/path.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

// RFC 3848, and RFC 6531 §4.3 for UTF8SMTP: the keyword behind `with`.
struct ReceivedProtocol {
    bool esmtp = true;
    bool tls = false;
    bool authenticated = false;
    bool smtputf8 = false;
};

[[nodiscard]] std::string with_keyword(ReceivedProtocol protocol);

// Who logged in is not told: the field travels with the message to everybody it is sent to.
struct ReceivedTrace {
    std::string helo;      // as the client gave it; anything at all
    IpAddress client;      // on whose behalf a proxy or XCLIENT spoke, if one did
    std::string by;        // our name
    std::string protocol;  // see with_keyword
    // Version, cipher suite and whatever else, separated by blanks (Origin::tls); empty: in clear.
    std::string tls;
    QueueId id;
    // The one recipient of the transaction; nothing when there were several, so that none learns of
    // the others.
    std::optional<ForwardPath> only_recipient;
    UtcTime time{};
};

[[nodiscard]] std::string make_received(const ReceivedTrace& trace);
[[nodiscard]] std::string make_return_path(const ReversePath& path);
[[nodiscard]] std::string make_date(UtcTime time);
// The id itself, `<unique@host>`; `unique` is random hexadecimal text.
[[nodiscard]] std::string make_message_id(std::string_view unique, std::string_view host);
// The field around it.
[[nodiscard]] std::string make_message_id_field(std::string_view message_id);

}  // namespace mailflow

// One command line of a client → a Command, or the Reply that refuses its syntax. Knows grammar
// only: what is legal now is ReceiveProtocol's, what is allowed Admission's. Pure, any thread.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/mail/dsn_request.hpp"
#include "transport/mail/envelope.hpp"
#include "transport/smtp/reply.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mailflow::smtp {

struct Helo {
    std::string name;  // domain or address literal as given, printable ASCII
};

struct Ehlo {
    std::string name;
};

// RFC 4865 §4: one of the two.
struct HoldRequest {
    std::optional<std::uint32_t> hold_for;  // HOLDFOR: seconds
    std::optional<UtcTime> hold_until;      // HOLDUNTIL
};

struct Mail {
    ReversePath path;
    std::optional<std::uint64_t> size;                // RFC 1870
    std::optional<BodyType> body;                     // RFC 6152, RFC 3030; none: not given, 7BIT
    bool smtputf8 = false;                            // RFC 6531 §3.4
    std::optional<DsnReturn> dsn_return;              // RFC 3461 §4.3
    std::optional<std::string> envelope_id;           // RFC 3461 §4.4, decoded
    std::optional<std::string> authenticated_sender;  // RFC 4954 §5, decoded; `<>` as such
    bool require_tls = false;                         // RFC 8689 §4
    std::optional<std::int8_t> priority;              // RFC 6710 §4.1
    std::optional<HoldRequest> hold;                  // RFC 4865
    std::optional<DeliverBy> deliver_by;              // RFC 2852
};

struct Rcpt {
    ForwardPath path;
    bool has_utf8 = false;  // octets over 127 in the path: legal only in an SMTPUTF8 transaction
    DsnRequest dsn{};       // RFC 3461 §4.1, §4.2
};

struct Data {};

// RFC 3030 §2. `size` octets follow the line end, whatever is answered.
struct Bdat {
    std::uint64_t size = 0;
    bool last = false;
};

struct Rset {};

struct Noop {};

struct Vrfy {
    std::string argument;
    bool smtputf8 = false;  // RFC 6531 §3.7.4.2: the reply may hold UTF-8
};

struct Expn {
    std::string argument;
    bool smtputf8 = false;
};

struct Help {};

struct Quit {};

struct StartTls {};

// RFC 4954 §4. `initial`: the initial response, decoded; `=` is an empty one; none: not given.
struct Auth {
    std::string mechanism;  // upper case
    std::optional<std::string> initial;
};

// Postfix's XCLIENT: what the session is to be taken for. Values decoded; an attribute that is
// `[UNAVAILABLE]` or `[TEMPUNAVAIL]` is an empty text.
struct Xclient {
    std::optional<std::string> name;
    std::optional<std::string> helo;
    std::optional<std::string> login;
    std::optional<IpAddress> address;
    std::optional<std::uint16_t> port;
    std::optional<bool> extended;  // PROTO: ESMTP
};

// A verb of some RFC that this server does not offer: ETRN, TURN, BURL …
struct Unsupported {
    std::string verb;
};

struct Unknown {};

// HTTP or another protocol that found the port: the connection is dropped without a word (attack
// case 9).
struct ForeignProtocol {};

using Command = std::variant<
    Helo,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    StartTls,
    Auth,
    Xclient,
    Unsupported,
    Unknown,
    ForeignProtocol>;

// RFC 2920 §3.1: commands that must be the last of a pipelined group.
[[nodiscard]] bool ends_group(const Command& command) noexcept;

// The first word of `line` as it was written, whatever it is.
[[nodiscard]] std::string_view verb_of(std::string_view line) noexcept;

// `line` without its CRLF. A Reply means: refuse with it and count a protocol error. Parameters are
// checked against the grammar of their RFC whether or not the session offers the extension: that is
// ReceiveProtocol's question (555).
[[nodiscard]] std::variant<Command, Reply> parse_command(std::string_view line);

}  // namespace mailflow::smtp

// One command line of a client → a Command, or the Reply that refuses its syntax. Knows grammar
// only: what is legal now is ReceiveProtocol's, what is allowed Admission's. Pure, any thread.
#pragma once

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

struct Mail {
    ReversePath path;
    std::optional<std::uint64_t> size;  // RFC 1870
    BodyType body = BodyType::seven_bit;
    bool smtputf8 = false;  // RFC 6531 §3.4
};

struct Rcpt {
    ForwardPath path;
    bool has_utf8 = false;  // octets over 127 in the path: legal only in an SMTPUTF8 transaction
};

struct Data {};

struct Rset {};

struct Noop {};

struct Vrfy {
    std::string argument;
};

struct Help {};

struct Quit {};

// A verb of some RFC that this server does not offer: EXPN, STARTTLS, AUTH, BDAT, TURN …
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
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    Unsupported,
    Unknown,
    ForeignProtocol>;

// RFC 2920 §3.1: commands that must be the last of a pipelined group.
[[nodiscard]] bool ends_group(const Command& command) noexcept;

// `line` without its CRLF. A Reply means: refuse with it and count a protocol error.
[[nodiscard]] std::variant<Command, Reply> parse_command(std::string_view line);

}  // namespace mailflow::smtp

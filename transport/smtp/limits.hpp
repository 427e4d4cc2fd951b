// Every limit and timeout of an SMTP dialogue, named in one place: those of RFC 5321 §4.5.3 and our
// own caps on what a peer can make us hold. Both ends, the receive session and the delivery agents
// take their numbers from here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mailflow::smtp {

// ---- sizes, RFC 5321 §4.5.3.1 (octets)

// §4.5.3.1.1, §4.5.3.1.2, §4.5.3.1.3: enforced by transport/mail and, for the path, by the command
// parser.
inline constexpr std::size_t kMaxLocalPart = 64;
inline constexpr std::size_t kMaxDomain = 255;
inline constexpr std::size_t kMaxPath = 256;

// §4.5.3.1.4: 512 with CRLF is what every server takes; extensions add to it (SIZE 26, BODY 16,
// SMTPUTF8 10 …).
inline constexpr std::size_t kMinCommandLine = 512;
// What we take, without CRLF: room for every extension, and the value clients know from Postfix.
inline constexpr std::size_t kMaxCommandLine = 2048;

// RFC 4954 §4: 12,288 with CRLF for AUTH and the answers to its challenges.
inline constexpr std::size_t kMaxAuthLine = 12286;
// Values of parameters as they are written: RFC 3461 §4.4, §4.2, RFC 4954 §3 (6).
inline constexpr std::size_t kMaxEnvelopeId = 100;
inline constexpr std::size_t kMaxOriginalRecipient = 500;
inline constexpr std::size_t kMaxAuthParameter = 500;

// §4.5.3.1.5: a reply line we write, code and CRLF included.
inline constexpr std::size_t kMaxReplyLine = 512;
// What we keep of one line of a peer's reply; the rest of the line is read and dropped.
inline constexpr std::size_t kMaxPeerReplyLine = 1024;
// A reply beyond one of these is no reply: the connection is given up.
inline constexpr std::size_t kMaxPeerReplyLines = 200;
inline constexpr std::size_t kMaxPeerReplyOctets = 64 * 1024;

// §4.5.3.1.6: 1,000 with CRLF. Longer lines pass unchanged …
inline constexpr std::size_t kTextLine = 998;
// … up to this, then the message is refused (550 5.6.0).
inline constexpr std::size_t kMaxTextLine = 1024 * 1024;

// §4.5.3.1.8: at least 100 recipients must be taken; the connector's limit is never below this.
inline constexpr std::size_t kMinRecipients = 100;
// The most RCPT commands a client flight holds before its replies are read, and its octets: less
// than any peer's socket buffer, so that both sides never write at once (RFC 2920 §3.1).
inline constexpr std::size_t kMaxFlightCommands = 100;
inline constexpr std::size_t kMaxFlightOctets = 16 * 1024;
// … with the content behind them in a chunk.
inline constexpr std::size_t kMaxWholeFlightOctets = 32 * 1024;

// NOOP, RSET, VRFY, HELP and their like between two messages: beyond it 421.
inline constexpr std::uint32_t kMaxIdleCommands = 100;

// SASL mechanisms of a peer's AUTH lines that are kept.
inline constexpr std::size_t kMaxPeerMechanisms = 32;

// ---- time, RFC 5321 §4.5.3.2

inline constexpr std::chrono::seconds kConnectTimeout{30};
inline constexpr std::chrono::minutes kGreetingTimeout{5};  // §4.5.3.2.1
inline constexpr std::chrono::minutes kHelloTimeout{5};
inline constexpr std::chrono::seconds kHandshakeTimeout{30};
inline constexpr std::chrono::minutes kAuthTimeout{2};
inline constexpr std::chrono::minutes kMailTimeout{5};        // §4.5.3.2.2
inline constexpr std::chrono::minutes kRecipientTimeout{5};   // §4.5.3.2.3
inline constexpr std::chrono::minutes kDataTimeout{2};        // §4.5.3.2.4
inline constexpr std::chrono::minutes kDataBlockTimeout{3};   // §4.5.3.2.5
inline constexpr std::chrono::minutes kEndOfDataTimeout{10};  // §4.5.3.2.6
inline constexpr std::chrono::minutes kServerTimeout{5};      // §4.5.3.2.7
inline constexpr std::chrono::seconds kResetTimeout{20};
inline constexpr std::chrono::seconds kQuitTimeout{2};

}  // namespace mailflow::smtp

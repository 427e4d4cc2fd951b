// What a session offers at the moment: the EHLO keywords and what stands behind them, from its
// connector, who it is and what its TLS came to. Rebuilt before each EHLO and after TLS and AUTH,
// so that a keyword is announced exactly when it is obeyed. Pure.
#pragma once

#include "server/receive/admission.hpp"
#include "transport/smtp/extensions.hpp"

#include <chrono>

namespace mailflow {

// RFC 4865: how long a message may be held for its sender.
inline constexpr std::chrono::seconds kMaxHold{std::chrono::hours(24 * 7)};
// RFC 2852: less is refused; the first retry of a failed attempt comes after about this time.
inline constexpr std::chrono::seconds kMinDeliverBy{60};

struct SessionSecurity {
    bool has_certificate = false;  // we could do STARTTLS
    bool secure = false;           // inside TLS
    bool can_bind = false;         // RFC 9266: the session has a channel binding (TLS 1.3)
    bool is_certified = false;     // the client's certificate is verified and names somebody
    bool may_xclient = false;      // from xclient_from
    bool may_log_in = false;       // there is somebody to ask
};

[[nodiscard]] smtp::ExtensionSet offered_extensions(
    const Rights& rights, const SessionSecurity& security, UtcTime now);

// BDAT beyond this is not read at all (decisions 2.2): the widest limit the connector gives
// anybody, and a little.
[[nodiscard]] std::uint64_t max_chunk(const Rights& rights) noexcept;

}  // namespace mailflow

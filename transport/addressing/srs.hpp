// Sender Rewriting Scheme: the reverse-path of forwarded mail becomes an address of ours that leads
// back to the sender, `SRS0=hash=day=domain=local@ours`. One that another forwarder made becomes
// `SRS1=hash=forwarder==…@ours`, which leads back to the forwarder; the next one behind us writes
// its own hash only. The hash (HMAC, a key of this organization; 30 bits in base32) keeps others
// from making such addresses, the day (of 1,024, two characters in base32) lets them expire. Both
// and what is hashed ignore case, because some hosts fold it. Pure: the keyed hash and the time
// come from the caller.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/result.hpp"
#include "transport/mail/email_address.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

// An address made longer ago leads nowhere.
constexpr std::chrono::hours kSrsLifetime{24 * 21};

class Srs {
  public:
    // HMAC-SHA-256 under the organization's key: 32 octets. Thread-safe.
    using Mac = std::function<std::string(std::string_view text)>;

    // `domain`: of the addresses made.
    Srs(Mac mac, DomainName domain)
        : mac_(std::move(mac))
        , domain_(std::move(domain)) {}

    // An address of the own domain is left as it is. Error::too_large when the local part would
    // have more than 64 octets, Error::syntax for an address literal: the caller uses the
    // forwarding mailbox's address instead.
    [[nodiscard]] Result<EmailAddress> forward(const EmailAddress& sender, UtcTime now) const;
    // Where `address` leads back to. Error::syntax: no SRS address; Error::corrupt: not made by us,
    // or too old.
    [[nodiscard]] Result<EmailAddress> reverse(const EmailAddress& address, UtcTime now) const;
    // SRS0= or SRS1= in any case: worth a reverse().
    [[nodiscard]] static bool is_srs(std::string_view local) noexcept;

  private:
    [[nodiscard]] std::string hash(std::string_view kind, std::string_view text) const;
    [[nodiscard]] bool is_ours(
        std::string_view kind, std::string_view text, std::string_view claimed) const;
    [[nodiscard]] Result<EmailAddress> make(std::string_view kind, std::string_view text) const;

    Mac mac_;
    DomainName domain_;
};

}  // namespace mailflow

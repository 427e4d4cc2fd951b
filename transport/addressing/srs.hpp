// Sender Rewriting Scheme: the reverse-path of forwarded mail becomes an address of ours that leads
// back to the sender, `SRS0=hash=day=domain=local@ours`; one that is SRS already becomes `SRS1`.
// The hash (HMAC, a key of this organization) keeps others from making such addresses, the day lets
// them expire. Pure: the keyed hash and the day come from the caller.
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

    // Error::too_large when the local part would have more than 64 octets: the caller uses the
    // forwarding mailbox's address instead.
    [[nodiscard]] Result<EmailAddress> forward(const EmailAddress& sender, UtcTime now) const;
    // Where `address` leads back to. Error::syntax: no SRS address; Error::corrupt: not made by us,
    // or too old.
    [[nodiscard]] Result<EmailAddress> reverse(const EmailAddress& address, UtcTime now) const;
    // SRS0= or SRS1= in any case: worth a reverse().
    [[nodiscard]] static bool is_srs(std::string_view local) noexcept;

  private:
    Mac mac_;
    DomainName domain_;
};

}  // namespace mailflow

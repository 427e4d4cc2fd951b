// Where mail for a mailbox is put (reference 5; product: Maildir, LMTP, SMTP). Plain data.
#pragma once

#include <cstdint>
#include <string>

namespace mailflow {

struct DeliveryTarget {
    enum class Kind : std::uint8_t {
        maildir,  // `place`: folder as a template (%m alias, %u local part and %d domain of the
                  // primary address), absolute or below the mail folder; empty: `%m`
        lmtp,     // `place`: `unix:/path` or `host:port` (RFC 2033)
        smtp,     // `place`: `host` or `host:port`; 25 when not given
    };
    Kind kind = Kind::maildir;
    std::string place;

    friend bool operator==(const DeliveryTarget&, const DeliveryTarget&) = default;
};

}  // namespace mailflow

// RFC 3461: what a client asked to be told about one recipient (NOTIFY, ORCPT). Kept with the
// recipient, obeyed by the DSN generator, passed on to servers that offer DSN. Plain data.
#pragma once

#include <cstdint>
#include <string>

namespace mailflow {

// RFC 3461 §4.1, one bit each. `never` stands alone.
enum class NotifyOn : std::uint8_t { never = 1, success = 2, failure = 4, delay = 8 };

struct DsnRequest {
    // Bits of NotifyOn; 0: not given, which means failure and delay (RFC 3461 §4.1).
    std::uint8_t notify = 0;
    // ORCPT, decoded: `rfc822;bob@contoso.com` or `utf-8;…`, the type in lower case; empty: not
    // given. Control octets never occur in it.
    std::string original_recipient;

    [[nodiscard]] bool wants(NotifyOn event) const noexcept {
        constexpr std::uint8_t kUsual = static_cast<std::uint8_t>(NotifyOn::failure) |
                                        static_cast<std::uint8_t>(NotifyOn::delay);
        const std::uint8_t asked = notify == 0 ? kUsual : notify;
        return (asked & static_cast<std::uint8_t>(event)) != 0;
    }

    friend bool operator==(const DsnRequest&, const DsnRequest&) = default;
};

}  // namespace mailflow

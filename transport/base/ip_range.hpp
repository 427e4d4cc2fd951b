// A range of addresses as RemoteIPRanges writes it: one address, `a-b`, or CIDR (reference:
// Exchange's RemoteIPRanges). Both ends belong to it; both are of one family.
#pragma once

#include "transport/base/ip_address.hpp"

#include <span>

namespace mailflow {

class IpRange {
  public:
    // `192.0.2.7`, `192.0.2.0-192.0.2.255`, `192.0.2.0/24`, and the IPv6 forms. CIDR with host bits
    // set is refused.
    [[nodiscard]] static Result<IpRange> parse(std::string_view text);

    [[nodiscard]] const IpAddress& first() const noexcept { return first_; }

    [[nodiscard]] const IpAddress& last() const noexcept { return last_; }

    [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
    [[nodiscard]] bool contains(const IpRange& other) const noexcept;
    [[nodiscard]] bool overlaps(const IpRange& other) const noexcept;
    // True when this range holds fewer addresses than the other (same family).
    [[nodiscard]] bool smaller_than(const IpRange& other) const noexcept;
    [[nodiscard]] std::string text() const;

    friend bool operator==(const IpRange&, const IpRange&) = default;

  private:
    IpAddress first_;
    IpAddress last_;
    std::string text_;  // as written
};

[[nodiscard]] bool any_contains(std::span<const IpRange> ranges, const IpAddress& address) noexcept;

}  // namespace mailflow

#include "transport/addressing/address_template.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::size_t kMaxLocalPart = 64;  // RFC 5321 §4.5.3.1.1

}  // namespace

EmailAddress numbered(const EmailAddress& address, std::uint32_t number) {
    if (number <= 1 || !address.domain()) {
        return address;
    }
    const auto digits = std::to_string(number);
    auto local =
        address.local().substr(0, std::min(address.local().size(), kMaxLocalPart - digits.size()));
    return EmailAddress::of(local + digits, *address.domain());
}

}  // namespace mailflow

#include "transport/base/ip_range.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// last - first, in network order: how many addresses follow the first one.
IpAddress::Bytes span_of(const IpAddress& first, const IpAddress& last) {
    IpAddress::Bytes difference{};
    int borrow = 0;
    for (std::size_t i = difference.size(); i-- > 0;) {
        const int digit = last.bytes()[i] - first.bytes()[i] - borrow;
        borrow = digit < 0 ? 1 : 0;
        difference[i] = static_cast<std::uint8_t>(digit + borrow * 256);
    }
    return difference;
}

// Bytes with every bit behind the prefix set.
IpAddress::Bytes with_host_bits(
    IpAddress::Bytes bytes, std::size_t bits, std::size_t prefix_length) {
    for (std::size_t bit = prefix_length; bit < bits; ++bit) {
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | 0x80U >> bit % 8);
    }
    return bytes;
}

bool has_host_bits(const IpAddress::Bytes& bytes, std::size_t bits, std::size_t prefix_length) {
    for (std::size_t bit = prefix_length; bit < bits; ++bit) {
        if ((bytes[bit / 8] & 0x80U >> bit % 8) != 0) {
            return true;
        }
    }
    return false;
}

IpAddress from_bytes(bool v4, const IpAddress::Bytes& bytes) {
    if (!v4) {
        return IpAddress::v6(bytes);
    }
    return IpAddress::v4(
        static_cast<std::uint32_t>(bytes[0]) << 24U | static_cast<std::uint32_t>(bytes[1]) << 16U |
        static_cast<std::uint32_t>(bytes[2]) << 8U | bytes[3]);
}

struct Ends {
    IpAddress first;
    IpAddress last;
};

Result<Ends> parse_cidr(std::string_view network, std::string_view length) {
    constexpr std::size_t kV4Bits = 32;
    constexpr std::size_t kV6Bits = 128;
    constexpr std::size_t kMappedBits = 96;
    constexpr std::size_t kLongestLength = 3;
    const auto address = IpAddress::parse(network);
    const auto written = ascii::parse_number(length);
    if (!address || !written || length.size() > kLongestLength) {
        return Error::syntax;
    }
    auto prefix_length = static_cast<std::size_t>(*written);
    const bool mapped = address->is_v4() && network.find(':') != std::string_view::npos;
    if (mapped) {
        // ::ffff:192.0.2.0/120 means 192.0.2.0/24; a shorter prefix would reach out of the mapped
        // block.
        if (prefix_length < kMappedBits) {
            return Error::syntax;
        }
        prefix_length -= kMappedBits;
    }
    const auto bits = address->is_v4() ? kV4Bits : kV6Bits;
    if (prefix_length > bits || has_host_bits(address->bytes(), bits, prefix_length)) {
        return Error::syntax;
    }
    const auto last =
        from_bytes(address->is_v4(), with_host_bits(address->bytes(), bits, prefix_length));
    if (last.is_v4() != address->is_v4()) {
        return Error::syntax;  // ::/80 ends inside the mapped block
    }
    return Ends{*address, last};
}

Result<Ends> parse_ends(std::string_view first_text, std::string_view last_text) {
    const auto first = IpAddress::parse(first_text);
    const auto last = IpAddress::parse(last_text);
    if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) {
        return Error::syntax;
    }
    return Ends{*first, *last};
}

Result<Ends> parse_range(std::string_view text) {
    if (const auto slash = text.find('/'); slash != std::string_view::npos) {
        return parse_cidr(text.substr(0, slash), text.substr(slash + 1));
    }
    if (const auto hyphen = text.find('-'); hyphen != std::string_view::npos) {
        return parse_ends(
            ascii::trimmed(text.substr(0, hyphen)), ascii::trimmed(text.substr(hyphen + 1)));
    }
    return parse_ends(text, text);
}

}  // namespace

Result<IpRange> IpRange::parse(std::string_view text) {
    const auto ends = parse_range(text);
    if (!ends) {
        return ends.error();
    }
    IpRange range;
    range.first_ = ends->first;
    range.last_ = ends->last;
    range.text_ = text;
    return range;
}

bool IpRange::contains(const IpAddress& address) const noexcept {
    return first_ <= address && address <= last_;
}

bool IpRange::contains(const IpRange& other) const noexcept {
    return first_ <= other.first_ && other.last_ <= last_;
}

bool IpRange::overlaps(const IpRange& other) const noexcept {
    return first_ <= other.last_ && other.first_ <= last_;
}

bool IpRange::smaller_than(const IpRange& other) const noexcept {
    return span_of(first_, last_) < span_of(other.first_, other.last_);
}

std::string IpRange::text() const {
    return text_;
}

bool any_contains(std::span<const IpRange> ranges, const IpAddress& address) noexcept {
    return std::any_of(ranges.begin(), ranges.end(), [&address](const IpRange& range) {
        return range.contains(address);
    });
}

}  // namespace mailflow

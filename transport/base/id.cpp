#include "transport/base/id.hpp"

#include <algorithm>
#include <array>

namespace mailflow {

namespace {

constexpr unsigned kLaneBits = 6;
constexpr unsigned kSequenceBits = 17;
constexpr std::size_t kTextSize = 13;
constexpr UtcTime kEpoch = std::chrono::sys_days(std::chrono::year(2020) / 1 / 1);
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

std::uint64_t milliseconds_since_epoch(UtcTime time) noexcept {
    return time <= kEpoch ? 0 : static_cast<std::uint64_t>((time - kEpoch).count());
}

}  // namespace

std::string QueueId::text() const {
    std::string text(kTextSize, '0');
    auto rest = value;
    for (std::size_t i = kTextSize; i-- > 0; rest >>= 5U) {
        text[i] = kAlphabet[rest & 31U];
    }
    return text;
}

Result<QueueId> QueueId::parse(std::string_view text) {
    if (text.size() != kTextSize) {
        return make_error_code(boost::system::errc::invalid_argument);
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        const auto digit = kAlphabet.find(upper);
        if (digit == std::string_view::npos || value >> 59U != 0) {
            return make_error_code(boost::system::errc::invalid_argument);
        }
        value = value << 5U | digit;
    }
    return QueueId{value};
}

QueueId QueueId::earliest_at(UtcTime time) noexcept {
    return QueueId{milliseconds_since_epoch(time) << (kLaneBits + kSequenceBits)};
}

UtcTime QueueId::time() const noexcept {
    return kEpoch + std::chrono::milliseconds(
                        static_cast<std::int64_t>(value >> (kLaneBits + kSequenceBits)));
}

QueueIdSource::QueueIdSource(const Clock& clock, unsigned lane) noexcept
    : clock_(clock)
    , lane_(lane & ((1U << kLaneBits) - 1)) {}

QueueId QueueIdSource::next() noexcept {
    const auto now = milliseconds_since_epoch(clock_.now()) << kSequenceBits;
    // A clock that stands or steps back, or 2^17 ids in a millisecond: count on from the last id.
    last_ = std::max(now, last_ + 1);
    const auto milliseconds = last_ >> kSequenceBits;
    const auto sequence = last_ & ((1U << kSequenceBits) - 1);
    return QueueId{milliseconds << (kLaneBits + kSequenceBits) | lane_ << kSequenceBits | sequence};
}

}  // namespace mailflow

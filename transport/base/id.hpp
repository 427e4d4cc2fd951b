// Identity of a queued message: made by us, ordered by time, so that the order of ids is the order
// of acceptance. 64 bits: 41 of milliseconds since 2020-01-01, 6 of lane, 17 of sequence. Text: 13
// characters of Crockford's base 32, fixed width, so texts sort like ids.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/result.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mailflow {

struct QueueId {
    std::uint64_t value = 0;

    [[nodiscard]] std::string text() const;
    [[nodiscard]] static Result<QueueId> parse(std::string_view text);
    // The smallest id a message accepted at `time` can have: bound for scans by age.
    [[nodiscard]] static QueueId earliest_at(UtcTime time) noexcept;
    [[nodiscard]] UtcTime time() const noexcept;

    friend auto operator<=>(const QueueId&, const QueueId&) = default;
};

// Gives strictly increasing ids, also when the clock steps back. One per lane; used on that lane
// only.
class QueueIdSource {
  public:
    QueueIdSource(const Clock& clock, unsigned lane) noexcept;
    [[nodiscard]] QueueId next() noexcept;

  private:
    const Clock& clock_;
    std::uint64_t lane_;
    std::uint64_t last_ = 0;  // milliseconds and sequence of the last id, without the lane
};

}  // namespace mailflow

template <>
struct std::hash<mailflow::QueueId> {
    std::size_t operator()(mailflow::QueueId id) const noexcept {
        return std::hash<std::uint64_t>{}(id.value);
    }
};

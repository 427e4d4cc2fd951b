#include "transport/ports/records/tracking_event.hpp"

#include "transport/base/ascii.hpp"

#include <array>

namespace mailflow {

namespace {

// In the order of the enumeration.
constexpr std::array kNames = {
    "RECEIVE",
    "RESOLVE",
    "SEND",
    "DELIVER",
    "DEFER",
    "FAIL",
    "DSN",
    "REMOVE",
    "EXPAND",
    "REDIRECT",
    "REWRITE",
    "TRANSFER"};
static_assert(kNames.size() == static_cast<std::size_t>(TrackingEventId::transfer) + 1);

}  // namespace

const char* to_text(TrackingEventId id) noexcept {
    const auto index = static_cast<std::size_t>(id);
    return index < kNames.size() ? kNames[index] : "UNKNOWN";
}

std::optional<TrackingEventId> parse_tracking_event(const std::string& text) noexcept {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (ascii::equal_ignoring_case(text, kNames[i])) {
            return static_cast<TrackingEventId>(i);
        }
    }
    return std::nullopt;
}

}  // namespace mailflow

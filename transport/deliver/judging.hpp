// What judgements are made of: shared by the files that implement delivery_decision, and by nobody
// else. Pure.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/deliver/delivery_decision.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow::judging {

// Longest diagnostic kept of a host's words; a reply may have many lines.
constexpr std::size_t kMaxDiagnostic = 1000;

inline DeliveryAction action_of(DeliveryVerdict verdict) noexcept {
    switch (verdict) {
        case DeliveryVerdict::delivered: return DeliveryAction::relayed;
        case DeliveryVerdict::fail: return DeliveryAction::failed;
        case DeliveryVerdict::retry_recipient:
        case DeliveryVerdict::retry_hop:
        case DeliveryVerdict::try_next_host: break;
    }
    return DeliveryAction::delayed;
}

// One line of printable text: a host's words go into logs, lists and DSNs.
inline std::string one_line(std::string_view text) {
    std::string line(text.substr(0, kMaxDiagnostic));
    for (char& c : line) {
        if (ascii::is_control(c)) {
            c = ' ';
        }
    }
    return line;
}

inline Judgement judgement(
    DeliveryVerdict verdict, DeliveryVerdict when_exhausted, DeliveryStatus status) {
    status.action = action_of(when_exhausted);
    return {verdict, when_exhausted, std::move(status)};
}

inline Judgement final_judgement(DeliveryVerdict verdict, DeliveryStatus status) {
    return judgement(verdict, verdict, std::move(status));
}

inline Judgement next_host_or(DeliveryVerdict when_exhausted, DeliveryStatus status) {
    return judgement(DeliveryVerdict::try_next_host, when_exhausted, std::move(status));
}

inline DeliveryStatus own_words(
    const RemoteHost& host, EnhancedStatus status, std::string diagnostic) {
    return {
        .status = status,
        .diagnostic = one_line(diagnostic),
        .remote_mta = host.name,
        .remote_address = host.address};
}

}  // namespace mailflow::judging

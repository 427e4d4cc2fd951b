// `mailflow-lab verify`: every acknowledged id must be found, whole, in the folders mail ended up
// in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow::lab {

struct VerifyReport {
    std::uint64_t acknowledged = 0;
    std::uint64_t delivered = 0;       // acknowledged ids found, whole, at least once
    std::uint64_t duplicates = 0;      // copies beyond the first, of any id
    std::uint64_t damaged = 0;         // copies without their end
    std::uint64_t unacknowledged = 0;  // ids found that were never acknowledged: allowed
    std::vector<std::string> lost;

    // `acknowledged N, delivered N, lost N, duplicates N`
    [[nodiscard]] std::string text() const;

    [[nodiscard]] bool holds() const noexcept { return lost.empty() && damaged == 0; }
};

// A folder may be a Maildir (its `new` and `cur` are read, `tmp` is not), a sink's --out folder, or
// anything above one.
[[nodiscard]] VerifyReport verify_delivery(
    const std::vector<std::string>& acknowledged, const std::vector<std::string>& folders);

}  // namespace mailflow::lab

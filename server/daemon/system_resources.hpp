// What this machine and process use: statvfs(2), /proc and the control group. Blocking, so read on
// a worker; one per daemon, used by its ResourceMonitor.
#pragma once

#include "server/daemon/resource_monitor.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow {

class SystemResources final : public ResourceReader {
  public:
    explicit SystemResources(std::string state_dir)
        : state_dir_(std::move(state_dir)) {}

    ResourceReadings read() override;

  private:
    std::string state_dir_;
};

// Deviation: percentages of reference 11.2 are of at most so much. Of a disk of 4 TB 89 % leave
// 440 GB, no reason to refuse mail; of 50 GB the last percent is the 500 MB that reference 11.2
// keeps free at least.
constexpr std::uint64_t kDiskReference = 50ULL * 1000 * 1000 * 1000;
constexpr std::uint64_t kInodeReference = 1'000'000;
constexpr std::uint64_t kMemoryReference = 4ULL * 1024 * 1024 * 1024;

// Percent used when `available` of `total` are left and only the last `reference` of them count.
[[nodiscard]] double percent_used(
    std::uint64_t total, std::uint64_t available, std::uint64_t reference) noexcept;

// `MemAvailable:   21960 kB` of /proc/meminfo, in octets; none when it is not there.
[[nodiscard]] std::optional<std::uint64_t> meminfo_value(
    std::string_view text, std::string_view key) noexcept;

}  // namespace mailflow

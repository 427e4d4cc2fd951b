#include "server/daemon/system_resources.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <dirent.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace mailflow {

namespace {

constexpr double kPercent = 100;

std::string file_text(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void read_disk(const std::string& path, ResourceReadings& readings) {
    struct statvfs disk {};

    if (::statvfs(path.c_str(), &disk) != 0) {
        return;
    }
    // What root alone may still write does not count.
    const auto size = (disk.f_blocks - (disk.f_bfree - disk.f_bavail)) * disk.f_frsize;
    readings.disk_space = percent_used(size, disk.f_bavail * disk.f_frsize, kDiskReference);
    if (disk.f_files > 0) {
        readings.disk_inodes = percent_used(disk.f_files, disk.f_favail, kInodeReference);
    }
}

// cgroups(7): the limit of our control group, if it has one.
std::optional<std::uint64_t> group_memory_limit() {
    constexpr std::string_view kUnified = "0::";
    const auto groups = file_text("/proc/self/cgroup");
    for (const auto line : ascii::split(groups, '\n')) {
        if (line.starts_with(kUnified)) {
            const auto limit = file_text(
                "/sys/fs/cgroup" + std::string(line.substr(kUnified.size())) + "/memory.max");
            return ascii::parse_number(std::string_view(limit).substr(0, limit.find('\n')));
        }
    }
    return std::nullopt;
}

void read_memory(ResourceReadings& readings) {
    const auto meminfo = file_text("/proc/meminfo");
    const auto total = meminfo_value(meminfo, "MemTotal");
    const auto available = meminfo_value(meminfo, "MemAvailable");
    if (!total || !available || *total == 0) {
        return;
    }
    readings.system_memory = percent_used(*total, *available, kMemoryReference);
    // proc(5): the second number of statm is the resident set, in pages.
    const auto statm = file_text("/proc/self/statm");
    const auto numbers = ascii::split(statm, ' ');
    const auto pages = numbers.size() > 1 ? ascii::parse_number(numbers[1]) : std::nullopt;
    if (pages) {
        const auto limit = std::min(*total, group_memory_limit().value_or(*total));
        const auto resident = *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        readings.process_memory = kPercent * static_cast<double>(resident) /
                                  static_cast<double>(std::max<std::uint64_t>(limit, 1));
    }
}

// Since Linux 6.2 the folder's size is the number; before that it is 0 and has to be counted.
std::uint64_t open_descriptors() {
    constexpr const char* kFolder = "/proc/self/fd";

    struct stat status {};

    if (::stat(kFolder, &status) == 0 && status.st_size > 0) {
        return static_cast<std::uint64_t>(status.st_size);
    }
    const auto close = [](DIR* folder) {
        ::closedir(folder);
    };
    const std::unique_ptr<DIR, decltype(close)> folder(::opendir(kFolder), close);
    std::uint64_t count = 0;
    // One thread reads this folder.
    while (folder && ::readdir(folder.get()) != nullptr) {  // NOLINT(concurrency-mt-unsafe)
        ++count;
    }
    return count;
}

void read_descriptors(ResourceReadings& readings) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 0) {
        readings.descriptors = kPercent * static_cast<double>(open_descriptors()) /
                               static_cast<double>(limit.rlim_cur);
    }
}

}  // namespace

double percent_used(
    std::uint64_t total, std::uint64_t available, std::uint64_t reference) noexcept {
    const auto counted = std::min(total, reference);
    if (counted == 0) {
        return 0;
    }
    const auto left = std::min(available, counted);
    return kPercent * static_cast<double>(counted - left) / static_cast<double>(counted);
}

std::optional<std::uint64_t> meminfo_value(std::string_view text, std::string_view key) noexcept {
    constexpr std::string_view kUnit = " kB";
    constexpr std::uint64_t kKilo = 1024;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with(key) && line.substr(key.size()).starts_with(':') &&
            line.ends_with(kUnit)) {
            line.remove_suffix(kUnit.size());
            const auto number = ascii::parse_number(ascii::trimmed(line.substr(key.size() + 1)));
            return number ? std::optional(*number * kKilo) : std::nullopt;
        }
    }
    return std::nullopt;
}

ResourceReadings SystemResources::read() {
    ResourceReadings readings;
    read_disk(state_dir_, readings);
    read_memory(readings);
    read_descriptors(readings);
    return readings;
}

}  // namespace mailflow

// Files as the spool and the Maildir need them, as a seam: POSIX, or a simulated disk whose crash
// drops what was not synced. Paths are absolute or relative to the process; every call may block
// (sync especially: call it by `offload`). Any thread, one file object from one thread at a time.
#pragma once

#include "transport/base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

class File {
  public:
    virtual ~File() = default;
    // Writes all of it at the end, or fails.
    virtual Result<> append(std::string_view bytes) noexcept = 0;
    // Up to `size` octets at `offset`; fewer only at the end.
    virtual Result<std::string> read(std::uint64_t offset, std::size_t size) noexcept = 0;
    virtual Result<> sync() noexcept = 0;
    virtual Result<std::uint64_t> size() noexcept = 0;
};

class Files {
  public:
    virtual ~Files() = default;
    // New and writable; Error::already_exists when it is there. Mode 0600.
    virtual Result<std::unique_ptr<File>> create(const std::string& path) noexcept = 0;
    virtual Result<std::unique_ptr<File>> open(const std::string& path) noexcept = 0;
    // Replaces `to`, atomically.
    virtual Result<> rename(const std::string& from, const std::string& to) noexcept = 0;
    virtual Result<> link(const std::string& from, const std::string& to) noexcept = 0;
    virtual Result<> remove(const std::string& path) noexcept = 0;
    // Names in `path`, without `.` and `..`, unordered.
    virtual Result<std::vector<std::string>> list(const std::string& path) noexcept = 0;
    // With parents, mode 0700; no error when it is there.
    virtual Result<> make_directory(const std::string& path) noexcept = 0;
    virtual Result<> sync_directory(const std::string& path) noexcept = 0;
    [[nodiscard]] virtual bool exists(const std::string& path) noexcept = 0;
    // Octets an unprivileged writer may still use.
    virtual Result<std::uint64_t> free_space(const std::string& path) noexcept = 0;
};

}  // namespace mailflow

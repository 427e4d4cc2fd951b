// Files on the real disk: the port `Files` over POSIX calls, safe against EINTR and short writes.
// Used by the body store's spool and by Maildir delivery, any thread; owned by the daemon. ENOSPC
// and EDQUOT become Error::disk_full, EEXIST already_exists, ENOENT not_found; the rest keeps
// errno.
#pragma once

#include "transport/ports/files.hpp"

namespace mailflow {

class PosixFiles final : public Files {
  public:
    Result<std::unique_ptr<File>> create(const std::string& path) noexcept override;
    Result<std::unique_ptr<File>> open(const std::string& path) noexcept override;
    Result<> rename(const std::string& from, const std::string& to) noexcept override;
    Result<> link(const std::string& from, const std::string& to) noexcept override;
    Result<> remove(const std::string& path) noexcept override;
    Result<std::vector<std::string>> list(const std::string& path) noexcept override;
    Result<> make_directory(const std::string& path) noexcept override;
    Result<> sync_directory(const std::string& path) noexcept override;
    [[nodiscard]] bool exists(const std::string& path) noexcept override;
    Result<std::uint64_t> free_space(const std::string& path) noexcept override;
};

}  // namespace mailflow

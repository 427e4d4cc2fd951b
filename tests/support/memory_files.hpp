// A disk in memory behind the port Files, which forgets at a crash what was not synced: file
// contents without `sync`, entries of directories without `sync_directory`. Any call can be told to
// fail, so a test can fail each step of an operation in turn. One thread.
#pragma once

#include "transport/ports/files.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mailflow {

class MemoryFiles final : public Files {
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

    // The `number`-th call from now on (1: the next), of files as well, fails with `error`; calls
    // after it work again. 0: none fails.
    void fail_call(std::uint64_t number, ErrorCode error) noexcept {
        fail_at_ = number;
        fail_with_ = error;
    }

    // True when the call that was to fail has come.
    [[nodiscard]] bool has_failed() const noexcept { return failed_; }

    // Power loss: only what was synced is left.
    void crash();

    // Every file by path; contents as a reader would see them now.
    [[nodiscard]] std::map<std::string, std::string> contents() const;

  private:
    struct Inode {
        std::string data;
        std::string synced;
    };

    using Entries = std::map<std::string, std::shared_ptr<Inode>>;
    using Paths = std::set<std::string>;

    class OpenFile;

    // The error this call is to end with, if any.
    ErrorCode step() noexcept;
    [[nodiscard]] bool is_directory(const std::string& path) const;

    Entries files_;
    Entries durable_files_;
    Paths directories_;
    Paths durable_directories_;
    std::uint64_t fail_at_ = 0;
    ErrorCode fail_with_;
    bool failed_ = false;
};

}  // namespace mailflow

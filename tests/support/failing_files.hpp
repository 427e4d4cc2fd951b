// Files over other files of which a step can be told to fail: making a file, syncing one, opening a
// folder to sync it. One thread.
#pragma once

#include "transport/ports/files.hpp"

#include <utility>

namespace mailflow {

class FailingFiles final : public Files {
  public:
    explicit FailingFiles(Files& below)
        : below_(below) {}

    // What these fail with; no error: they work.
    ErrorCode create_error;
    ErrorCode sync_error;
    ErrorCode sync_directory_error;

    Result<std::unique_ptr<File>> create(const std::string& path) noexcept override {
        if (create_error) {
            return create_error;
        }
        auto file = below_.create(path);
        if (!file) {
            return file.error();
        }
        return std::unique_ptr<File>(std::make_unique<FailingFile>(*this, std::move(*file)));
    }

    Result<std::unique_ptr<File>> open(const std::string& path) noexcept override {
        return below_.open(path);
    }

    Result<> rename(const std::string& from, const std::string& to) noexcept override {
        return below_.rename(from, to);
    }

    Result<> link(const std::string& from, const std::string& to) noexcept override {
        return below_.link(from, to);
    }

    Result<> remove(const std::string& path) noexcept override { return below_.remove(path); }

    Result<std::vector<std::string>> list(const std::string& path) noexcept override {
        return below_.list(path);
    }

    Result<> make_directory(const std::string& path) noexcept override {
        return below_.make_directory(path);
    }

    Result<> sync_directory(const std::string& path) noexcept override {
        return sync_directory_error ? Result<>(sync_directory_error) : below_.sync_directory(path);
    }

    [[nodiscard]] bool exists(const std::string& path) noexcept override {
        return below_.exists(path);
    }

    Result<std::uint64_t> free_space(const std::string& path) noexcept override {
        return below_.free_space(path);
    }

  private:
    class FailingFile final : public File {
      public:
        FailingFile(FailingFiles& home, std::unique_ptr<File> below)
            : home_(home)
            , below_(std::move(below)) {}

        Result<> append(std::string_view bytes) noexcept override { return below_->append(bytes); }

        Result<std::string> read(std::uint64_t offset, std::size_t size) noexcept override {
            return below_->read(offset, size);
        }

        Result<> sync() noexcept override {
            return home_.sync_error ? Result<>(home_.sync_error) : below_->sync();
        }

        Result<std::uint64_t> size() noexcept override { return below_->size(); }

      private:
        FailingFiles& home_;
        std::unique_ptr<File> below_;
    };

    Files& below_;
};

}  // namespace mailflow

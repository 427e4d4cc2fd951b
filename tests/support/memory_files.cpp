#include "tests/support/memory_files.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace mailflow {

namespace {

std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.find_last_of('/') + 1);
}

}  // namespace

class MemoryFiles::OpenFile final : public File {
  public:
    OpenFile(MemoryFiles& disk, std::shared_ptr<Inode> inode) noexcept
        : disk_(disk)
        , inode_(std::move(inode)) {}

    Result<> append(std::string_view bytes) noexcept override {
        if (const auto error = disk_.step()) {
            // As on a full disk: a part of it is there.
            inode_->data += bytes.substr(0, bytes.size() / 2);
            return error;
        }
        inode_->data += bytes;
        return {};
    }

    Result<std::string> read(std::uint64_t offset, std::size_t size) noexcept override {
        if (const auto error = disk_.step()) {
            return error;
        }
        return offset < inode_->data.size() ? inode_->data.substr(offset, size) : std::string();
    }

    Result<> sync() noexcept override {
        if (const auto error = disk_.step()) {
            return error;
        }
        inode_->synced = inode_->data;
        return {};
    }

    Result<std::uint64_t> size() noexcept override {
        if (const auto error = disk_.step()) {
            return error;
        }
        return inode_->data.size();
    }

  private:
    MemoryFiles& disk_;
    std::shared_ptr<Inode> inode_;
};

ErrorCode MemoryFiles::step() noexcept {
    if (fail_at_ == 0 || --fail_at_ > 0) {
        return {};
    }
    failed_ = true;
    return fail_with_;
}

bool MemoryFiles::is_directory(const std::string& path) const {
    return path == "/" || path == "." || directories_.contains(path);
}

Result<std::unique_ptr<File>> MemoryFiles::create(const std::string& path) noexcept {
    if (const auto error = step()) {
        return error;
    }
    if (!is_directory(parent_of(path))) {
        return Error::not_found;
    }
    const auto [entry, is_new] = files_.try_emplace(path, std::make_shared<Inode>());
    if (!is_new) {
        return Error::already_exists;
    }
    return std::make_unique<OpenFile>(*this, entry->second);
}

Result<std::unique_ptr<File>> MemoryFiles::open(const std::string& path) noexcept {
    if (const auto error = step()) {
        return error;
    }
    const auto entry = files_.find(path);
    if (entry == files_.end()) {
        return Error::not_found;
    }
    return std::make_unique<OpenFile>(*this, entry->second);
}

Result<> MemoryFiles::rename(const std::string& from, const std::string& to) noexcept {
    if (const auto error = step()) {
        return error;
    }
    const auto entry = files_.find(from);
    if (entry == files_.end() || !is_directory(parent_of(to))) {
        return Error::not_found;
    }
    files_[to] = entry->second;
    files_.erase(from);
    return {};
}

Result<> MemoryFiles::link(const std::string& from, const std::string& to) noexcept {
    if (const auto error = step()) {
        return error;
    }
    const auto entry = files_.find(from);
    if (entry == files_.end() || !is_directory(parent_of(to))) {
        return Error::not_found;
    }
    if (!files_.try_emplace(to, entry->second).second) {
        return Error::already_exists;
    }
    return {};
}

Result<> MemoryFiles::remove(const std::string& path) noexcept {
    if (const auto error = step()) {
        return error;
    }
    if (files_.erase(path) == 0) {
        return Error::not_found;
    }
    return {};
}

Result<std::vector<std::string>> MemoryFiles::list(const std::string& path) noexcept {
    if (const auto error = step()) {
        return error;
    }
    if (!is_directory(path)) {
        return Error::not_found;
    }
    std::vector<std::string> names;
    for (const auto& [file, inode] : files_) {
        if (parent_of(file) == path) {
            names.push_back(name_of(file));
        }
    }
    for (const auto& directory : directories_) {
        if (parent_of(directory) == path) {
            names.push_back(name_of(directory));
        }
    }
    return names;
}

Result<> MemoryFiles::make_directory(const std::string& path) noexcept {
    if (const auto error = step()) {
        return error;
    }
    for (auto directory = path; !is_directory(directory); directory = parent_of(directory)) {
        directories_.insert(directory);
    }
    return {};
}

Result<> MemoryFiles::sync_directory(const std::string& path) noexcept {
    if (const auto error = step()) {
        return error;
    }
    if (!is_directory(path)) {
        return Error::not_found;
    }
    std::erase_if(
        durable_files_, [&path](const auto& entry) { return parent_of(entry.first) == path; });
    for (const auto& [file, inode] : files_) {
        if (parent_of(file) == path) {
            durable_files_[file] = inode;
        }
    }
    for (const auto& directory : directories_) {
        if (parent_of(directory) == path) {
            durable_directories_.insert(directory);
        }
    }
    return {};
}

bool MemoryFiles::exists(const std::string& path) noexcept {
    return files_.contains(path) || is_directory(path);
}

Result<std::uint64_t> MemoryFiles::free_space(const std::string&) noexcept {
    if (const auto error = step()) {
        return error;
    }
    return std::uint64_t{1} << 40U;
}

void MemoryFiles::crash() {
    // In order of path, parents come first: a directory whose parent is lost is lost.
    directories_.clear();
    for (const auto& directory : durable_directories_) {
        if (is_directory(parent_of(directory))) {
            directories_.insert(directory);
        }
    }
    durable_directories_ = directories_;
    files_.clear();
    for (const auto& [path, inode] : durable_files_) {
        if (is_directory(parent_of(path))) {
            files_[path] = std::make_shared<Inode>(Inode{inode->synced, inode->synced});
        }
    }
    durable_files_ = files_;
}

std::map<std::string, std::string> MemoryFiles::contents() const {
    std::map<std::string, std::string> result;
    for (const auto& [path, inode] : files_) {
        result[path] = inode->data;
    }
    return result;
}

}  // namespace mailflow

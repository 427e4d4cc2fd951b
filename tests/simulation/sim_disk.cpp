#include "tests/simulation/sim_disk.hpp"

#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow::sim {

namespace {

constexpr std::uint64_t kFreeSpace = 1ULL << 40U;

std::string folder_name(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

ErrorCode io_error() {
    return make_error_code(boost::system::errc::io_error);
}

class SimFile final : public File {
  public:
    SimFile(SimDisk& disk, SimInodePtr inode, std::string path)
        : disk_(disk)
        , inode_(std::move(inode))
        , path_(std::move(path)) {}

    Result<> append(std::string_view bytes) noexcept override {
        if (!disk_.is_on()) {
            return io_error();
        }
        inode_->write(inode_->data().size(), bytes);
        return {};
    }

    Result<std::string> read(std::uint64_t offset, std::size_t size) noexcept override {
        if (!disk_.is_on()) {
            return io_error();
        }
        const auto& data = inode_->data();
        return offset >= data.size() ? std::string() : data.substr(offset, size);
    }

    Result<> sync() noexcept override {
        if (!disk_.sync_inode(*inode_, path_)) {
            return io_error();
        }
        return {};
    }

    Result<std::uint64_t> size() noexcept override {
        return static_cast<std::uint64_t>(inode_->data().size());
    }

  private:
    SimDisk& disk_;
    SimInodePtr inode_;
    std::string path_;
};

}  // namespace

void SimInode::apply(std::string& data, const Write& write) {
    if (write.truncates) {
        data.resize(std::min<std::size_t>(data.size(), write.offset));
        return;
    }
    if (data.size() < write.offset + write.bytes.size()) {
        data.resize(write.offset + write.bytes.size(), '\0');
    }
    data.replace(write.offset, write.bytes.size(), write.bytes);
}

void SimInode::write(std::uint64_t offset, std::string_view bytes) {
    unsynced_.push_back({offset, std::string(bytes), false});
    apply(current_, unsynced_.back());
}

void SimInode::truncate(std::uint64_t size) {
    unsynced_.push_back({size, {}, true});
    apply(current_, unsynced_.back());
}

void SimInode::sync() {
    for (const auto& write : unsynced_) {
        apply(durable_, write);
    }
    unsynced_.clear();
}

void SimInode::crash(Random& random) {
    for (auto& write : unsynced_) {
        const auto fate = random.below(3);
        if (fate == 0) {
            continue;  // never reached the platter
        }
        if (fate == 1 && !write.bytes.empty()) {
            write.bytes.resize(random.below(write.bytes.size()));  // torn
        }
        apply(durable_, write);
    }
    unsynced_.clear();
    current_ = durable_;
}

SimDisk::Folder* SimDisk::folder_of(const std::string& path) {
    const auto found = folders_.find(folder_name(path));
    return found == folders_.end() ? nullptr : &found->second;
}

SimInodePtr SimDisk::find(const std::string& path) const {
    const auto folder = folders_.find(folder_name(path));
    if (folder == folders_.end()) {
        return nullptr;
    }
    const auto entry = folder->second.current.find(base_name(path));
    return entry == folder->second.current.end() ? nullptr : entry->second;
}

void SimDisk::set_name(const std::string& path, SimInodePtr inode) {
    auto& folder = folders_[folder_name(path)];
    const auto name = base_name(path);
    if (inode) {
        folder.current[name] = inode;
    } else {
        folder.current.erase(name);
    }
    folder.unsynced.push_back({name, std::move(inode)});
}

SimInodePtr SimDisk::make(const std::string& path) {
    auto inode = std::make_shared<SimInode>();
    set_name(path, inode);
    return inode;
}

bool SimDisk::sync_inode(SimInode& inode, const std::string& path) {
    if (!on_) {
        return false;
    }
    const bool is_made_to_fail = watcher_ != nullptr && !watcher_->on_sync(path);
    if (!on_) {
        return false;
    }
    if (is_made_to_fail || failing_syncs_ > 0) {
        failing_syncs_ -= failing_syncs_ > 0 ? 1 : 0;
        inode.lose_unsynced();
        return false;
    }
    ++counters_.syncs;
    inode.sync();
    if (watcher_ != nullptr) {
        watcher_->on_synced(path);
    }
    return true;
}

void SimDisk::sync_names_beside(const std::string& path) {
    auto* folder = folder_of(path);
    if (folder != nullptr && on_) {
        folder->durable = folder->current;
        folder->unsynced.clear();
    }
}

bool SimDisk::unlink(const std::string& path) {
    if (!on_ || !find(path)) {
        return false;
    }
    set_name(path, nullptr);
    return true;
}

void SimDisk::crash(Random& random) {
    ++counters_.crashes;
    for (auto& [path, folder] : folders_) {
        // A journalling file system keeps the order of name changes: a prefix survives.
        const auto kept = folder.unsynced.empty() ? 0 : random.below(folder.unsynced.size() + 1);
        for (std::size_t i = 0; i < kept; ++i) {
            const auto& change = folder.unsynced[i];
            if (change.inode) {
                folder.durable[change.name] = change.inode;
            } else {
                folder.durable.erase(change.name);
            }
        }
        folder.unsynced.clear();
        folder.current = folder.durable;
    }
    std::vector<SimInode*> crashed;  // a file may have two names
    for (auto& [path, folder] : folders_) {
        for (auto& [name, inode] : folder.current) {
            if (std::find(crashed.begin(), crashed.end(), inode.get()) == crashed.end()) {
                crashed.push_back(inode.get());
                inode->crash(random);
            }
        }
    }
    failing_syncs_ = 0;
    on_ = true;
}

Result<std::unique_ptr<File>> SimDisk::create(const std::string& path) noexcept {
    if (!on_) {
        return io_error();
    }
    if (folder_of(path) == nullptr) {
        return make_error_code(boost::system::errc::no_such_file_or_directory);
    }
    if (find(path)) {
        return Error::already_exists;
    }
    return std::unique_ptr<File>(std::make_unique<SimFile>(*this, make(path), path));
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& path) noexcept {
    if (!on_) {
        return io_error();
    }
    auto inode = find(path);
    if (!inode) {
        return Error::not_found;
    }
    return std::unique_ptr<File>(std::make_unique<SimFile>(*this, std::move(inode), path));
}

Result<> SimDisk::rename(const std::string& from, const std::string& to) noexcept {
    auto inode = find(from);
    if (!on_ || !inode) {
        return on_ ? make_error_code(Error::not_found) : io_error();
    }
    if (folder_of(to) == nullptr) {
        return make_error_code(boost::system::errc::no_such_file_or_directory);
    }
    set_name(to, std::move(inode));
    set_name(from, nullptr);
    return {};
}

Result<> SimDisk::link(const std::string& from, const std::string& to) noexcept {
    auto inode = find(from);
    if (!on_ || !inode) {
        return on_ ? make_error_code(Error::not_found) : io_error();
    }
    if (find(to)) {
        return Error::already_exists;
    }
    set_name(to, std::move(inode));
    return {};
}

Result<> SimDisk::remove(const std::string& path) noexcept {
    if (!on_) {
        return io_error();
    }
    if (!unlink(path)) {
        return Error::not_found;
    }
    return {};
}

Result<std::vector<std::string>> SimDisk::list(const std::string& path) noexcept {
    if (!on_) {
        return io_error();
    }
    const auto folder = folders_.find(path);
    if (folder == folders_.end()) {
        return make_error_code(boost::system::errc::no_such_file_or_directory);
    }
    std::vector<std::string> names;
    for (const auto& [name, inode] : folder->second.current) {
        names.push_back(name);
    }
    const auto prefix = path + "/";
    for (auto child = folders_.lower_bound(prefix);
         child != folders_.end() && child->first.starts_with(prefix);
         ++child) {
        if (child->first.find('/', prefix.size()) == std::string::npos) {
            names.push_back(child->first.substr(prefix.size()));
        }
    }
    return names;
}

// Folders are durable at once: no message hangs on one.
Result<> SimDisk::make_directory(const std::string& path) noexcept {
    if (!on_) {
        return io_error();
    }
    for (auto end = path.find('/', 1);; end = path.find('/', end + 1)) {
        folders_.try_emplace(path.substr(0, end));
        if (end == std::string::npos) {
            return {};
        }
    }
}

Result<> SimDisk::sync_directory(const std::string& path) noexcept {
    const auto folder = folders_.find(path);
    if (!on_ || folder == folders_.end()) {
        return io_error();
    }
    if (failing_syncs_ > 0) {
        --failing_syncs_;
        return io_error();
    }
    ++counters_.syncs;
    folder->second.durable = folder->second.current;
    folder->second.unsynced.clear();
    return {};
}

bool SimDisk::exists(const std::string& path) noexcept {
    return on_ && (find(path) != nullptr || folders_.contains(path));
}

Result<std::uint64_t> SimDisk::free_space(const std::string& /*path*/) noexcept {
    return kFreeSpace;
}

}  // namespace mailflow::sim

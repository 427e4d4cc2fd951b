// One simulated disk with two faces: `Files` for spool and Maildir, and an SQLite VFS (sim_vfs) for
// the databases. It knows what is durable: a crash keeps what was synced and drops, keeps or tears
// the rest, as a seeded Random decides. One thread.
#pragma once

#include "transport/base/random.hpp"
#include "transport/ports/files.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::sim {

// The octets of one file: as the process sees them, as they are on the platter, and the writes in
// between.
class SimInode {
  public:
    void write(std::uint64_t offset, std::string_view bytes);
    void truncate(std::uint64_t size);
    void sync();

    // A sync that failed: the system takes what it could not write for clean and never tries again.
    void lose_unsynced() noexcept { unsynced_.clear(); }

    // Each write since the last sync is kept, lost, or cut short.
    void crash(Random& random);

    [[nodiscard]] const std::string& data() const noexcept { return current_; }

  private:
    struct Write {
        std::uint64_t offset = 0;
        std::string bytes;
        bool truncates = false;  // to `offset`
    };

    static void apply(std::string& data, const Write& write);

    std::string current_;
    std::string durable_;
    std::vector<Write> unsynced_;
};

using SimInodePtr = std::shared_ptr<SimInode>;

struct SimDiskCounters {
    std::uint64_t syncs = 0;
    std::uint64_t crashes = 0;
};

// Sees every sync of a file, by the name the file was opened under, and may cut the power in the
// middle of it.
class SyncWatcher {
  public:
    virtual ~SyncWatcher() = default;
    // Before it takes effect; false: it fails.
    virtual bool on_sync(const std::string& path) = 0;
    // What was written is on the platter, the caller does not know yet.
    virtual void on_synced(const std::string& path) = 0;
};

class SimDisk final : public Files {
  public:
    // Off: every call fails and changes nothing, as for a process whose machine has lost its power.
    void power_off() noexcept { on_ = false; }

    // What an abrupt end leaves; the power is on again afterwards.
    void crash(Random& random);

    // The process died, not the machine: whatever was written is still there, synced or not.
    void power_on() noexcept { on_ = true; }

    // Outlives the disk; null: nobody watches.
    void watch(SyncWatcher* watcher) noexcept { watcher_ = watcher; }

    [[nodiscard]] bool is_on() const noexcept { return on_; }

    // The next `count` syncs fail with EIO.
    void fail_syncs(unsigned count) noexcept { failing_syncs_ = count; }

    // ---- for both faces
    [[nodiscard]] SimInodePtr find(const std::string& path) const;
    SimInodePtr make(const std::string& path);
    // False: the power is off or the sync was made to fail.
    bool sync_inode(SimInode& inode, const std::string& path);
    // The sync of a database file makes earlier name changes in its folder durable, as the journals
    // of ext4, XFS and Btrfs do: SQLite counts on it at synchronous=FULL. The face `Files` has to
    // sync folders itself.
    void sync_names_beside(const std::string& path);
    bool unlink(const std::string& path);

    [[nodiscard]] const SimDiskCounters& counters() const noexcept { return counters_; }

    // ---- Files
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

  private:
    using Names = std::map<std::string, SimInodePtr>;

    // An entry that appeared (inode) or went (null), not yet durable.
    struct NameChange {
        std::string name;
        SimInodePtr inode;
    };

    struct Folder {
        Names current;
        Names durable;
        std::vector<NameChange> unsynced;
    };

    void set_name(const std::string& path, SimInodePtr inode);
    [[nodiscard]] Folder* folder_of(const std::string& path);

    std::map<std::string, Folder> folders_;
    bool on_ = true;
    unsigned failing_syncs_ = 0;
    SyncWatcher* watcher_ = nullptr;
    SimDiskCounters counters_;
};

}  // namespace mailflow::sim

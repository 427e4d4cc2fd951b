#include "tests/simulation/sim_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <new>
#include <vector>

namespace mailflow::sim {

namespace {

constexpr int kLockSlots = SQLITE_SHM_NLOCK;

// Lock state and shared memory of one database file, shared by its connections.
struct Shared {
    int shared_locks = 0;
    bool reserved = false;
    bool exclusive = false;
    std::vector<std::unique_ptr<std::vector<char>>> regions;
    std::array<int, kLockSlots> shm_shared{};
    std::array<bool, kLockSlots> shm_exclusive{};
    int mapped = 0;  // connections that use the shared memory
};

}  // namespace

struct SimVfs::State {
    std::string name;
    SimDisk& disk;
    const Clock& clock;
    Random& random;
    std::map<std::string, std::shared_ptr<Shared>> shared;
    sqlite3_vfs vfs{};
};

namespace {

struct Handle {
    sqlite3_file base;
    SimVfs::State* vfs;
    SimInodePtr* inode;
    std::string* path;
    std::shared_ptr<Shared>* shared;
    int lock;
    bool delete_on_close;
    bool mapped;
    std::uint8_t shm_shared;  // bits of slots
    std::uint8_t shm_exclusive;
};

Handle& handle_of(sqlite3_file* file) {
    return *reinterpret_cast<Handle*>(file);
}

void drop_lock(Handle& handle, int level) {
    auto& shared = **handle.shared;
    if (handle.lock >= SQLITE_LOCK_EXCLUSIVE && level < SQLITE_LOCK_EXCLUSIVE) {
        shared.exclusive = false;
    }
    if (handle.lock >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED) {
        shared.reserved = false;
    }
    if (handle.lock >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED) {
        --shared.shared_locks;
    }
    handle.lock = std::min(handle.lock, level);
}

void release_shm(Handle& handle) {
    auto& shared = **handle.shared;
    for (int slot = 0; slot < kLockSlots; ++slot) {
        const auto bit = static_cast<std::uint8_t>(1U << static_cast<unsigned>(slot));
        const auto index = static_cast<std::size_t>(slot);
        if ((handle.shm_shared & bit) != 0) {
            --shared.shm_shared[index];
        }
        if ((handle.shm_exclusive & bit) != 0) {
            shared.shm_exclusive[index] = false;
        }
    }
    handle.shm_shared = 0;
    handle.shm_exclusive = 0;
    if (handle.mapped) {
        handle.mapped = false;
        if (--shared.mapped == 0) {
            shared.regions.clear();
        }
    }
}

int close_file(sqlite3_file* file) {
    auto& handle = handle_of(file);
    drop_lock(handle, SQLITE_LOCK_NONE);
    release_shm(handle);
    if (handle.delete_on_close) {
        handle.vfs->disk.unlink(*handle.path);
    }
    delete handle.inode;
    delete handle.path;
    delete handle.shared;
    file->pMethods = nullptr;
    return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
    auto& handle = handle_of(file);
    if (!handle.vfs->disk.is_on()) {
        return SQLITE_IOERR_READ;
    }
    const auto& data = (*handle.inode)->data();
    const auto from = static_cast<std::size_t>(offset);
    const auto wanted = static_cast<std::size_t>(size);
    const auto there = from >= data.size() ? 0 : std::min(wanted, data.size() - from);
    std::memcpy(into, data.data() + (there == 0 ? 0 : from), there);
    if (there < wanted) {
        std::memset(static_cast<char*>(into) + there, 0, wanted - there);
        return SQLITE_IOERR_SHORT_READ;
    }
    return SQLITE_OK;
}

int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    auto& handle = handle_of(file);
    if (!handle.vfs->disk.is_on()) {
        return SQLITE_IOERR_WRITE;
    }
    (*handle.inode)
        ->write(
            static_cast<std::uint64_t>(offset),
            std::string_view(static_cast<const char*>(from), static_cast<std::size_t>(size)));
    return SQLITE_OK;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    auto& handle = handle_of(file);
    if (!handle.vfs->disk.is_on()) {
        return SQLITE_IOERR_TRUNCATE;
    }
    (*handle.inode)->truncate(static_cast<std::uint64_t>(size));
    return SQLITE_OK;
}

int sync_file(sqlite3_file* file, int /*flags*/) {
    auto& handle = handle_of(file);
    if (!handle.vfs->disk.sync_inode(**handle.inode, *handle.path)) {
        return SQLITE_IOERR_FSYNC;
    }
    handle.vfs->disk.sync_names_beside(*handle.path);
    return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>((*handle_of(file).inode)->data().size());
    return SQLITE_OK;
}

int lock_file(sqlite3_file* file, int level) {
    auto& handle = handle_of(file);
    auto& shared = **handle.shared;
    if (handle.lock >= level) {
        return SQLITE_OK;
    }
    if (shared.exclusive ||
        (level >= SQLITE_LOCK_RESERVED && shared.reserved && handle.lock < SQLITE_LOCK_RESERVED)) {
        return SQLITE_BUSY;
    }
    const int others = shared.shared_locks - (handle.lock >= SQLITE_LOCK_SHARED ? 1 : 0);
    if (level == SQLITE_LOCK_EXCLUSIVE && others > 0) {
        return SQLITE_BUSY;
    }
    shared.shared_locks += handle.lock < SQLITE_LOCK_SHARED ? 1 : 0;
    shared.reserved = shared.reserved || level >= SQLITE_LOCK_RESERVED;
    shared.exclusive = level == SQLITE_LOCK_EXCLUSIVE;
    handle.lock = level;
    return SQLITE_OK;
}

int unlock_file(sqlite3_file* file, int level) {
    drop_lock(handle_of(file), level);
    return SQLITE_OK;
}

int check_reserved(sqlite3_file* file, int* result) {
    *result = (*handle_of(file).shared)->reserved ? 1 : 0;
    return SQLITE_OK;
}

int file_control(sqlite3_file* /*file*/, int /*operation*/, void* /*argument*/) {
    return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file* /*file*/) {
    return 512;
}

int characteristics(sqlite3_file* /*file*/) {
    return 0;
}

int shm_map(sqlite3_file* file, int region, int size, int extend, volatile void** into) {
    auto& handle = handle_of(file);
    auto& shared = **handle.shared;
    if (!handle.mapped) {
        handle.mapped = true;
        ++shared.mapped;
    }
    const auto index = static_cast<std::size_t>(region);
    if (index >= shared.regions.size() && extend == 0) {
        *into = nullptr;
        return SQLITE_OK;
    }
    while (index >= shared.regions.size()) {
        shared.regions.push_back(
            std::make_unique<std::vector<char>>(static_cast<std::size_t>(size)));
    }
    *into = shared.regions[index]->data();
    return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    auto& handle = handle_of(file);
    auto& shared = **handle.shared;
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    const bool lock = (flags & SQLITE_SHM_LOCK) != 0;
    for (int pass = 0; pass < 2; ++pass) {  // test all, then take all
        for (int slot = first; slot < first + count; ++slot) {
            const auto index = static_cast<std::size_t>(slot);
            const auto bit = static_cast<std::uint8_t>(1U << static_cast<unsigned>(slot));
            const bool own_shared = (handle.shm_shared & bit) != 0;
            const bool own_exclusive = (handle.shm_exclusive & bit) != 0;
            if (pass == 0 && lock) {
                const int others = shared.shm_shared[index] - (own_shared ? 1 : 0);
                if ((shared.shm_exclusive[index] && !own_exclusive) || (exclusive && others > 0)) {
                    return SQLITE_BUSY;
                }
            } else if (pass == 1 && exclusive && lock != own_exclusive) {
                shared.shm_exclusive[index] = lock;
                handle.shm_exclusive = static_cast<std::uint8_t>(handle.shm_exclusive ^ bit);
            } else if (pass == 1 && !exclusive && lock != own_shared) {
                shared.shm_shared[index] += lock ? 1 : -1;
                handle.shm_shared = static_cast<std::uint8_t>(handle.shm_shared ^ bit);
            }
        }
    }
    return SQLITE_OK;
}

void shm_barrier(sqlite3_file* /*file*/) {}

int shm_unmap(sqlite3_file* file, int /*delete_it*/) {
    release_shm(handle_of(file));
    return SQLITE_OK;
}

const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods table = [] {
        sqlite3_io_methods m{};
        m.iVersion = 2;
        m.xClose = close_file;
        m.xRead = read_file;
        m.xWrite = write_file;
        m.xTruncate = truncate_file;
        m.xSync = sync_file;
        m.xFileSize = file_size;
        m.xLock = lock_file;
        m.xUnlock = unlock_file;
        m.xCheckReservedLock = check_reserved;
        m.xFileControl = file_control;
        m.xSectorSize = sector_size;
        m.xDeviceCharacteristics = characteristics;
        m.xShmMap = shm_map;
        m.xShmLock = shm_lock;
        m.xShmBarrier = shm_barrier;
        m.xShmUnmap = shm_unmap;
        return m;
    }();
    return &table;
}

SimVfs::State& state_of(sqlite3_vfs* vfs) {
    return *static_cast<SimVfs::State*>(vfs->pAppData);
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    auto& state = state_of(vfs);
    file->pMethods = nullptr;
    if (!state.disk.is_on()) {
        return SQLITE_CANTOPEN;
    }
    const std::string path =
        name == nullptr ? "temporary/" + std::to_string(state.random.next()) : name;
    auto inode = state.disk.find(path);
    if (!inode) {
        if ((flags & SQLITE_OPEN_CREATE) == 0) {
            return SQLITE_CANTOPEN;
        }
        inode = state.disk.make(path);
    }
    auto& shared = state.shared[path];
    if (!shared) {
        shared = std::make_shared<Shared>();
    }
    auto* handle = new (file) Handle{};
    handle->vfs = &state;
    handle->inode = new SimInodePtr(std::move(inode));
    handle->path = new std::string(path);
    handle->shared = new std::shared_ptr<Shared>(shared);
    handle->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    handle->base.pMethods = methods();
    if (out_flags != nullptr) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    auto& disk = state_of(vfs).disk;
    if (!disk.is_on()) {
        return SQLITE_IOERR_DELETE;
    }
    if (!disk.unlink(name)) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    if (sync_folder != 0) {
        const std::string path = name;
        const auto synced = disk.sync_directory(path.substr(0, path.rfind('/')));
        return synced ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
    }
    return SQLITE_OK;
}

int access_file(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* result) {
    *result = state_of(vfs).disk.exists(name) ? 1 : 0;
    return SQLITE_OK;
}

int full_path(sqlite3_vfs* /*vfs*/, const char* name, int size, char* into) {
    return std::snprintf(into, static_cast<std::size_t>(size), "%s", name) < size ? SQLITE_OK
                                                                                  : SQLITE_CANTOPEN;
}

int randomness(sqlite3_vfs* vfs, int size, char* into) {
    state_of(vfs).random.fill(
        std::as_writable_bytes(std::span(into, static_cast<std::size_t>(size))));
    return size;
}

int sleep_for(sqlite3_vfs* /*vfs*/, int microseconds) {
    return microseconds;
}

// Julian day number times 86,400,000, as SQLite counts.
int current_time(sqlite3_vfs* vfs, sqlite3_int64* time) {
    constexpr sqlite3_int64 kUnixEpoch = 24405875LL * 8640000;
    *time = kUnixEpoch + state_of(vfs).clock.now().time_since_epoch().count();
    return SQLITE_OK;
}

int last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*into*/) {
    return 0;
}

}  // namespace

SimVfs::SimVfs(std::string name, SimDisk& disk, const Clock& clock, Random& random)
    : state_(new State{std::move(name), disk, clock, random, {}, {}}) {
    auto& vfs = state_->vfs;
    vfs.iVersion = 2;
    vfs.szOsFile = sizeof(Handle);
    vfs.mxPathname = 1024;
    vfs.zName = state_->name.c_str();
    vfs.pAppData = state_.get();
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_path;
    vfs.xRandomness = randomness;
    vfs.xSleep = sleep_for;
    vfs.xGetLastError = last_error;
    vfs.xCurrentTimeInt64 = current_time;
    // SQLite seeds its randomness from the default VFS, when it is first asked after a reset.
    sqlite3_vfs_register(&vfs, 1);
    sqlite3_randomness(0, nullptr);
}

SimVfs::~SimVfs() {
    sqlite3_vfs_unregister(&state_->vfs);
}

const std::string& SimVfs::name() const noexcept {
    return state_->name;
}

}  // namespace mailflow::sim

#include "storage/vfs_latch.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>

namespace mailflow {

// ---- FaultPlan

FaultPlan::Slot& FaultPlan::slot(DiskOperation operation) noexcept {
    return operation == DiskOperation::write ? write_ : sync_;
}

void FaultPlan::fail(DiskOperation operation, std::uint64_t nth, DiskFault fault) noexcept {
    auto& target = slot(operation);
    target.fault = fault;
    target.fails_at = target.count + nth;
}

void FaultPlan::fail_all(DiskOperation operation, DiskFault fault) noexcept {
    auto& target = slot(operation);
    target.fault = fault;
    target.all = true;
}

void FaultPlan::heal() noexcept {
    for (auto* target : {&write_, &sync_}) {
        target->all = false;
        target->fails_at = 0;
    }
}

std::uint64_t FaultPlan::count(DiskOperation operation) const noexcept {
    return operation == DiskOperation::write ? write_.count : sync_.count;
}

std::optional<DiskFault> FaultPlan::next(DiskOperation operation) noexcept {
    auto& target = slot(operation);
    const std::uint64_t number = ++target.count;
    if (target.all || number == target.fails_at) {
        return target.fault.load();
    }
    return std::nullopt;
}

// ---- the C interface of SQLite

namespace {

// What SQLite allocates for each open file: ours in front, the base's behind it.
struct LatchingFile {
    sqlite3_file head;
    LatchingVfs* vfs;
    const char* path;  // SQLite keeps it as long as the file is open

    [[nodiscard]] sqlite3_file& real() noexcept {
        return *reinterpret_cast<sqlite3_file*>(this + 1);
    }
};

// The base's file stands behind ours, aligned for any of its members.
static_assert(sizeof(LatchingFile) % 8 == 0);

LatchingFile& ours(sqlite3_file* file) noexcept {
    return *reinterpret_cast<LatchingFile*>(file);
}

sqlite3_file* real(sqlite3_file* file) noexcept {
    return &ours(file).real();
}

const sqlite3_io_methods& methods(sqlite3_file* file) noexcept {
    return *real(file)->pMethods;
}

}  // namespace

struct LatchingVfsCalls {
    static sqlite3_vfs* base(sqlite3_vfs* vfs) noexcept {
        return static_cast<LatchingVfs*>(vfs->pAppData)->base_;
    }

    // -- files

    static int close(sqlite3_file* file) { return methods(file).xClose(real(file)); }

    static int read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
        return methods(file).xRead(real(file), data, size, offset);
    }

    static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
        auto& self = ours(file);
        return self.vfs->write(self.real(), data, size, offset, self.path);
    }

    static int truncate(sqlite3_file* file, sqlite3_int64 size) {
        return methods(file).xTruncate(real(file), size);
    }

    static int sync(sqlite3_file* file, int flags) {
        auto& self = ours(file);
        return self.vfs->sync(self.real(), flags, self.path);
    }

    static int file_size(sqlite3_file* file, sqlite3_int64* size) {
        return methods(file).xFileSize(real(file), size);
    }

    static int lock(sqlite3_file* file, int level) {
        return methods(file).xLock(real(file), level);
    }

    static int unlock(sqlite3_file* file, int level) {
        return methods(file).xUnlock(real(file), level);
    }

    static int check_reserved_lock(sqlite3_file* file, int* result) {
        return methods(file).xCheckReservedLock(real(file), result);
    }

    static int file_control(sqlite3_file* file, int operation, void* argument) {
        return methods(file).xFileControl(real(file), operation, argument);
    }

    static int sector_size(sqlite3_file* file) { return methods(file).xSectorSize(real(file)); }

    static int device_characteristics(sqlite3_file* file) {
        return methods(file).xDeviceCharacteristics(real(file));
    }

    static int shm_map(sqlite3_file* file, int page, int size, int extend, volatile void** memory) {
        return methods(file).xShmMap(real(file), page, size, extend, memory);
    }

    static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
        return methods(file).xShmLock(real(file), offset, count, flags);
    }

    static void shm_barrier(sqlite3_file* file) { methods(file).xShmBarrier(real(file)); }

    static int shm_unmap(sqlite3_file* file, int remove) {
        return methods(file).xShmUnmap(real(file), remove);
    }

    // -- the disk

    static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* result);

    static int remove(sqlite3_vfs* vfs, const char* path, int sync_directory) {
        return base(vfs)->xDelete(base(vfs), path, sync_directory);
    }

    static int access(sqlite3_vfs* vfs, const char* path, int flags, int* result) {
        return base(vfs)->xAccess(base(vfs), path, flags, result);
    }

    static int full_path(sqlite3_vfs* vfs, const char* path, int size, char* result) {
        return base(vfs)->xFullPathname(base(vfs), path, size, result);
    }

    static int randomness(sqlite3_vfs* vfs, int size, char* bytes) {
        return base(vfs)->xRandomness(base(vfs), size, bytes);
    }

    static int sleep(sqlite3_vfs* vfs, int microseconds) {
        return base(vfs)->xSleep(base(vfs), microseconds);
    }

    static int current_time(sqlite3_vfs* vfs, double* time) {
        return base(vfs)->xCurrentTime(base(vfs), time);
    }

    static int last_error(sqlite3_vfs* vfs, int size, char* text) {
        return base(vfs)->xGetLastError != nullptr ? base(vfs)->xGetLastError(base(vfs), size, text)
                                                   : 0;
    }

    static int current_time_64(sqlite3_vfs* vfs, sqlite3_int64* time) {
        return base(vfs)->xCurrentTimeInt64(base(vfs), time);
    }
};

namespace {

// Version 2: shared memory, which a WAL needs; memory mapping (version 3) is off.
constexpr sqlite3_io_methods kFileMethods{
    2,
    LatchingVfsCalls::close,
    LatchingVfsCalls::read,
    LatchingVfsCalls::write,
    LatchingVfsCalls::truncate,
    LatchingVfsCalls::sync,
    LatchingVfsCalls::file_size,
    LatchingVfsCalls::lock,
    LatchingVfsCalls::unlock,
    LatchingVfsCalls::check_reserved_lock,
    LatchingVfsCalls::file_control,
    LatchingVfsCalls::sector_size,
    LatchingVfsCalls::device_characteristics,
    LatchingVfsCalls::shm_map,
    LatchingVfsCalls::shm_lock,
    LatchingVfsCalls::shm_barrier,
    LatchingVfsCalls::shm_unmap,
    nullptr,
    nullptr};

std::string unique_name(const void* object) {
    return "mailflow-latch-" + std::to_string(reinterpret_cast<std::uintptr_t>(object));
}

}  // namespace

int LatchingVfsCalls::open(
    sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* result) {
    auto& self = ours(file);
    self.head.pMethods = nullptr;
    self.vfs = static_cast<LatchingVfs*>(vfs->pAppData);
    self.path = path;
    const int opened = base(vfs)->xOpen(base(vfs), path, &self.real(), flags, result);
    if (self.real().pMethods == nullptr) {
        return opened;
    }
    if (opened == SQLITE_OK && self.real().pMethods->iVersion < 2) {
        self.real().pMethods->xClose(&self.real());
        return SQLITE_CANTOPEN;
    }
    self.head.pMethods = &kFileMethods;
    return opened;
}

// ---- LatchingVfs

LatchingVfs::LatchingVfs(const std::string& base, FaultPlan* faults)
    : name_(unique_name(this))
    , base_(::sqlite3_vfs_find(base.empty() ? nullptr : base.c_str()))
    , faults_(faults) {
    if (base_ == nullptr) {
        throw std::runtime_error("SQLite knows no VFS named `" + base + "`");
    }
    vfs_ = *base_;
    vfs_.iVersion = 2;
    vfs_.szOsFile = static_cast<int>(sizeof(LatchingFile)) + base_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = LatchingVfsCalls::open;
    vfs_.xDelete = LatchingVfsCalls::remove;
    vfs_.xAccess = LatchingVfsCalls::access;
    vfs_.xFullPathname = LatchingVfsCalls::full_path;
    vfs_.xDlOpen = nullptr;
    vfs_.xDlError = nullptr;
    vfs_.xDlSym = nullptr;
    vfs_.xDlClose = nullptr;
    vfs_.xRandomness = LatchingVfsCalls::randomness;
    vfs_.xSleep = LatchingVfsCalls::sleep;
    vfs_.xCurrentTime = LatchingVfsCalls::current_time;
    vfs_.xGetLastError = LatchingVfsCalls::last_error;
    vfs_.xCurrentTimeInt64 = base_->iVersion >= 2 && base_->xCurrentTimeInt64 != nullptr
                                 ? LatchingVfsCalls::current_time_64
                                 : nullptr;
    if (::sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) {
        throw std::runtime_error("SQLite did not take the VFS `" + name_ + "`");
    }
}

LatchingVfs::~LatchingVfs() {
    ::sqlite3_vfs_unregister(&vfs_);
    delete failure_.load();
}

std::string LatchingVfs::failure() const {
    const auto* text = failure_.load(std::memory_order_acquire);
    return text == nullptr ? std::string() : *text;
}

int LatchingVfs::write(
    sqlite3_file& file, const void* data, int size, sqlite3_int64 offset, const char* path) {
    if (has_failed()) {
        return SQLITE_IOERR_WRITE;
    }
    int code = SQLITE_OK;
    if (const auto fault =
            faults_ != nullptr ? faults_->next(DiskOperation::write) : std::nullopt) {
        code = *fault == DiskFault::disk_full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    } else {
        errno = 0;
        code = file.pMethods->xWrite(&file, data, size, offset);
        // A quota is a full disk to us; SQLite's own VFS calls only ENOSPC that.
        if (code == SQLITE_IOERR_WRITE && errno == EDQUOT) {
            code = SQLITE_FULL;
        }
    }
    return code == SQLITE_OK || code == SQLITE_FULL ? code : latch("write to", path, code);
}

int LatchingVfs::sync(sqlite3_file& file, int flags, const char* path) {
    if (has_failed()) {
        return SQLITE_IOERR_FSYNC;
    }
    const bool fault = faults_ != nullptr && faults_->next(DiskOperation::sync).has_value();
    const int code = fault ? SQLITE_IOERR_FSYNC : file.pMethods->xSync(&file, flags);
    return code == SQLITE_OK ? code : latch("sync of", path, code);
}

int LatchingVfs::latch(const char* what, const char* path, int code) noexcept {
    auto text = std::make_unique<const std::string>(
        std::string("the ") + what + " " + (path != nullptr ? path : "a temporary file") +
        " failed: " + ::sqlite3_errstr(code));
    const std::string* none = nullptr;
    if (failure_.compare_exchange_strong(none, text.get(), std::memory_order_acq_rel)) {
        static_cast<void>(text.release());
    }
    return code;
}

}  // namespace mailflow

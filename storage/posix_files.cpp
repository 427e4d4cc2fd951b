#include "storage/posix_files.hpp"

#include "transport/base/error.hpp"

#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

namespace mailflow {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

ErrorCode error_from(int error) noexcept {
    switch (error) {
        case ENOSPC:
        case EDQUOT: return Error::disk_full;
        case EEXIST: return Error::already_exists;
        case ENOENT: return Error::not_found;
        default: return {error, boost::system::system_category()};
    }
}

ErrorCode last_error() noexcept {
    return error_from(errno);
}

// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call call) noexcept {
    auto result = call();
    while (result == -1 && errno == EINTR) {
        result = call();
    }
    return result;
}

Result<> checked(int result) noexcept {
    if (result != 0) {
        return last_error();
    }
    return {};
}

class Descriptor {
  public:
    explicit Descriptor(int descriptor) noexcept
        : descriptor_(descriptor) {}

    Descriptor(Descriptor&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)) {}

    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;

    ~Descriptor() {
        if (descriptor_ != -1) {
            // Not repeated after EINTR: Linux has closed it already.
            ::close(descriptor_);
        }
    }

    [[nodiscard]] int get() const noexcept { return descriptor_; }

    [[nodiscard]] bool is_open() const noexcept { return descriptor_ != -1; }

  private:
    int descriptor_;
};

Descriptor open_descriptor(const std::string& path, int flags) noexcept {
    return Descriptor(
        uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); }));
}

class PosixFile final : public File {
  public:
    explicit PosixFile(Descriptor descriptor) noexcept
        : descriptor_(std::move(descriptor)) {}

    Result<> append(std::string_view bytes) noexcept override {
        while (!bytes.empty()) {
            const ssize_t written = uninterrupted(
                [&] { return ::write(descriptor_.get(), bytes.data(), bytes.size()); });
            if (written < 0) {
                return last_error();
            }
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        return {};
    }

    Result<std::string> read(std::uint64_t offset, std::size_t size) noexcept override {
        std::string bytes(size, '\0');
        std::size_t done = 0;
        while (done < size) {
            const auto at = static_cast<off_t>(offset + done);
            const ssize_t got = uninterrupted(
                [&] { return ::pread(descriptor_.get(), bytes.data() + done, size - done, at); });
            if (got < 0) {
                return last_error();
            }
            if (got == 0) {
                break;
            }
            done += static_cast<std::size_t>(got);
        }
        bytes.resize(done);
        return bytes;
    }

    Result<> sync() noexcept override {
        return checked(uninterrupted([&] { return ::fdatasync(descriptor_.get()); }));
    }

    Result<std::uint64_t> size() noexcept override {
        struct stat status {};

        if (::fstat(descriptor_.get(), &status) != 0) {
            return last_error();
        }
        return static_cast<std::uint64_t>(status.st_size);
    }

  private:
    Descriptor descriptor_;
};

Result<std::unique_ptr<File>> as_file(Descriptor descriptor) noexcept {
    if (!descriptor.is_open()) {
        return last_error();
    }
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(descriptor)));
}

Result<> make_one_directory(const std::string& path) noexcept {
    if (::mkdir(path.c_str(), kDirectoryMode) == 0 || errno == EEXIST) {
        return {};
    }
    return last_error();
}

}  // namespace

Result<std::unique_ptr<File>> PosixFiles::create(const std::string& path) noexcept {
    return as_file(open_descriptor(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND));
}

Result<std::unique_ptr<File>> PosixFiles::open(const std::string& path) noexcept {
    return as_file(open_descriptor(path, O_RDONLY));
}

Result<> PosixFiles::rename(const std::string& from, const std::string& to) noexcept {
    return checked(::rename(from.c_str(), to.c_str()));
}

Result<> PosixFiles::link(const std::string& from, const std::string& to) noexcept {
    return checked(::link(from.c_str(), to.c_str()));
}

Result<> PosixFiles::remove(const std::string& path) noexcept {
    return checked(::unlink(path.c_str()));
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& path) noexcept {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) {
        return last_error();
    }
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());  // NOLINT(concurrency-mt-unsafe): own DIR
        if (entry == nullptr) {
            break;
        }
        std::string name(static_cast<const char*>(entry->d_name));
        if (name != "." && name != "..") {
            names.push_back(std::move(name));
        }
    }
    if (errno != 0) {
        return last_error();
    }
    return names;
}

Result<> PosixFiles::make_directory(const std::string& path) noexcept {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        const auto made = make_one_directory(path.substr(0, slash));
        if (!made) {
            return made;
        }
    }
    return make_one_directory(path);
}

Result<> PosixFiles::sync_directory(const std::string& path) noexcept {
    const Descriptor directory = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (!directory.is_open()) {
        return last_error();
    }
    return checked(uninterrupted([&] { return ::fsync(directory.get()); }));
}

bool PosixFiles::exists(const std::string& path) noexcept {
    return ::access(path.c_str(), F_OK) == 0;
}

Result<std::uint64_t> PosixFiles::free_space(const std::string& path) noexcept {
    struct statvfs status {};

    const int result = uninterrupted([&] { return ::statvfs(path.c_str(), &status); });
    if (result != 0) {
        return last_error();
    }
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace mailflow

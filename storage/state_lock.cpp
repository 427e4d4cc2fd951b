#include "storage/state_lock.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace mailflow {

namespace {

std::string holder_of(int descriptor) {
    std::array<char, 32> text{};
    const ssize_t got = ::pread(descriptor, text.data(), text.size(), 0);
    std::string holder(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!holder.empty() && (holder.back() == '\n' || holder.back() == '\0')) {
        holder.pop_back();
    }
    return holder.empty() ? "another process" : "process " + holder;
}

StoreFailure refused(int error, const std::string& path) {
    const ErrorCode code(error, boost::system::system_category());
    return {code, "could not lock " + path + ": " + code.message()};
}

}  // namespace

OpenResult<std::unique_ptr<StateLock>> StateLock::take(const std::string& state_dir) {
    const std::string path = state_dir + "/lock";
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor == -1) {
        return refused(errno, path);
    }
    auto lock = std::unique_ptr<StateLock>(new StateLock(descriptor));
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return refused(errno, path);
        }
        return StoreFailure{
            Error::locked,
            "the state directory " + state_dir + " is in use by " + holder_of(descriptor) +
                "; one daemon a directory"};
    }
    const std::string text = std::to_string(::getpid()) + "\n";
    const bool written =
        ::ftruncate(descriptor, 0) == 0 &&
        ::pwrite(descriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    if (!written) {
        return refused(errno, path);
    }
    return lock;
}

StateLock::~StateLock() {
    ::close(descriptor_);
}

}  // namespace mailflow

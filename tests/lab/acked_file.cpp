#include "tests/lab/acked_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace mailflow::lab {

AckedFile::AckedFile(const std::string& path) {
    if (path.empty()) return;
    constexpr mode_t kMode = 0644;
    file_ = Handle(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode));
    if (!file_) throw std::system_error(errno, std::generic_category(), path);
}

void AckedFile::add(const std::string& id) {
    if (!file_) return;
    const auto line = id + "\n";
    const std::lock_guard lock(mutex_);
    const auto written = ::write(file_.number(), line.data(), line.size());
    if (written != static_cast<ssize_t>(line.size())) {
        throw std::system_error(errno, std::generic_category(), "writing acknowledged ids");
    }
}

std::vector<std::string> AckedFile::read(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::vector<std::string> ids;
    for (std::string line; std::getline(file, line);) {
        if (!line.empty()) ids.push_back(line);
    }
    return ids;
}

}  // namespace mailflow::lab

#include "server/http/peer_credentials.hpp"

#include <array>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace mailflow {

namespace {

constexpr const char* kAdminGroup = "mailflow-admin";
constexpr std::size_t kNameBuffer = 16 * 1024;

struct AdminGroup {
    gid_t gid = 0;
    std::vector<std::string> members;
};

std::optional<AdminGroup> find_admin_group() {
    std::vector<char> buffer(kNameBuffer);
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(kAdminGroup, &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return std::nullopt;
    }
    AdminGroup result{entry.gr_gid, {}};
    for (char** member = entry.gr_mem; *member != nullptr; ++member) {
        result.members.emplace_back(*member);
    }
    return result;
}

}  // namespace

std::optional<HttpCaller> peer_credentials(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return std::nullopt;
    }
    return HttpCaller{credentials.uid, credentials.pid};
}

bool may_administer(const HttpCaller& caller) {
    if (caller.uid == 0 || caller.uid == ::geteuid()) {
        return true;
    }
    const auto admins = find_admin_group();
    if (!admins) {
        return false;
    }
    std::vector<char> buffer(kNameBuffer);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(caller.uid, &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return false;
    }
    if (entry.pw_gid == admins->gid) {
        return true;
    }
    for (const auto& member : admins->members) {
        if (member == entry.pw_name) {
            return true;
        }
    }
    return false;
}

void open_to_admin_group(const std::string& path) {
    const auto admins = find_admin_group();
    if (admins && ::chown(path.c_str(), static_cast<uid_t>(-1), admins->gid) == 0) {
        ::chmod(path.c_str(), 0660);
    }
}

}  // namespace mailflow

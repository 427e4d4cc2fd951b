#include "server/daemon/host_names.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <unistd.h>

namespace mailflow {

std::string host_fqdn() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) {
        return {};
    }
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    addrinfo* found = nullptr;
    std::string result = name.data();
    if (::getaddrinfo(name.data(), nullptr, &hints, &found) == 0) {
        if (found->ai_canonname != nullptr && std::strchr(found->ai_canonname, '.') != nullptr) {
            result = found->ai_canonname;
        }
        ::freeaddrinfo(found);
    }
    return result;
}

std::string effective_user_name() {
    std::vector<char> buffer(16UL * 1024);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return {};
    }
    return found->pw_name;
}

std::vector<IpAddress> interface_addresses() {
    std::vector<IpAddress> addresses;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return addresses;
    }
    for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) {
            continue;
        }
        if (entry->ifa_addr->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, entry->ifa_addr, sizeof address);
            addresses.push_back(IpAddress::v4(ntohl(address.sin_addr.s_addr)));
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 address{};
            std::memcpy(&address, entry->ifa_addr, sizeof address);
            IpAddress::Bytes bytes{};
            std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
            addresses.push_back(IpAddress::v6(bytes));
        }
    }
    ::freeifaddrs(list);
    return addresses;
}

}  // namespace mailflow

#include "transport/base/random.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/random.h>
#include <system_error>

namespace mailflow {

std::uint64_t Random::next() {
    std::array<std::byte, sizeof(std::uint64_t)> bytes{};
    fill(bytes);
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
    // Values from the last, incomplete span of `bound` would favour small results.
    const std::uint64_t unfair = (UINT64_MAX % bound + 1) % bound;
    std::uint64_t value = next();
    while (value > UINT64_MAX - unfair) {
        value = next();
    }
    return value % bound;
}

void SystemRandom::fill(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw std::system_error(errno, std::system_category(), "getrandom");
        }
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace mailflow

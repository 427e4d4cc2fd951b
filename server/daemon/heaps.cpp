#include "server/daemon/heaps.hpp"

#include <cstdlib>
#include <malloc.h>

namespace mailflow {

namespace {

// Free octets at a heap's end that are given back, and the size from which on an allocation is a
// mapping of its own. Setting them keeps glibc from raising both after each large buffer, which
// left 6 MiB more behind after a burst; less than this, and each message that lies in memory on its
// way into a row (128 KiB, in a string that grew by doubling) would cost page faults.
constexpr int kTrimThreshold = 2 * 1024 * 1024;
constexpr int kMappingThreshold = 512 * 1024;

}  // namespace

void limit_heaps(unsigned claimants) noexcept {
    ::mallopt(M_ARENA_MAX, static_cast<int>(claimants) + 2);
    ::mallopt(M_TRIM_THRESHOLD, kTrimThreshold);
    ::mallopt(M_MMAP_THRESHOLD, kMappingThreshold);
}

void claim_heap() noexcept {
    // A thread is bound to a heap by its first allocation; volatile, or it would be left out.
    void* volatile first = std::malloc(1);
    std::free(first);
}

}  // namespace mailflow

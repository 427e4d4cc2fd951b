#include "tests/support/allocation_count.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> octets{0};

void* counted(std::size_t alignment, std::size_t size) noexcept {
    allocations.fetch_add(1, std::memory_order_relaxed);
    octets.fetch_add(size, std::memory_order_relaxed);
    void* memory = nullptr;
    return ::posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) ==
                   0
               ? memory
               : nullptr;
}

}  // namespace

extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) {
    return counted(alignment, size);
}

void* operator new(std::size_t size) {
    if (void* const memory = counted(alignof(std::max_align_t), size)) {
        return memory;
    }
    throw std::bad_alloc();
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return counted(alignof(std::max_align_t), size);
}

void operator delete(void* memory) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace mailflow {

std::size_t allocation_count() noexcept {
    return allocations.load();
}

std::size_t allocated_octets() noexcept {
    return octets.load();
}

}  // namespace mailflow

// What a test program allocates. Linking allocation_count.cpp replaces its allocators: Asio takes
// coroutine frames from aligned_alloc, everything else comes from operator new. Any thread.
#pragma once

#include <cstddef>

namespace mailflow {

[[nodiscard]] std::size_t allocation_count() noexcept;
// Octets asked for, freed or not.
[[nodiscard]] std::size_t allocated_octets() noexcept;

}  // namespace mailflow

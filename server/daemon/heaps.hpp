// The heaps of the process (glibc's arenas): how many there are, and which threads share none.
// A heap for each thread would keep what each once needed; a lane that shares its heap with the
// store's writer waits for it at nearly every allocation, and both wake each other.
#pragma once

namespace mailflow {

// Main thread, before any other thread is started. `claimants`: threads that will call
// claim_heap(). One more heap is the main thread's, and one for those that come before.
void limit_heaps(unsigned claimants) noexcept;

// In a thread, before it allocates anything else: gives it a heap of its own, as long as no more
// threads ask than were announced. Threads that do not ask share one with another thread.
void claim_heap() noexcept;

}  // namespace mailflow

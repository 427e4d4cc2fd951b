// The one source of randomness, as a seam: a simulation seeds it. `SystemRandom` draws from the
// kernel and is fit for DNS query ids and secrets. Implementations are used from one thread, or say
// otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mailflow {

class Random {
  public:
    virtual ~Random() = default;

    virtual void fill(std::span<std::byte> bytes) = 0;

    [[nodiscard]] std::uint64_t next();
    // Uniform in [0, bound); bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
};

// getrandom(2); any thread.
class SystemRandom final : public Random {
  public:
    void fill(std::span<std::byte> bytes) override;
};

}  // namespace mailflow

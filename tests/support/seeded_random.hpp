// Randomness that a seed repeats: SplitMix64. One thread.
#pragma once

#include "transport/base/random.hpp"

#include <cstdint>

namespace mailflow {

class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed = 1) noexcept
        : state_(seed) {}

    void fill(std::span<std::byte> bytes) override {
        for (auto& byte : bytes) {
            byte = static_cast<std::byte>(step() & 0xff);
        }
    }

  private:
    std::uint64_t step() noexcept {
        state_ += 0x9e3779b97f4a7c15U;
        auto mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
        return mixed ^ (mixed >> 31);
    }

    std::uint64_t state_;
};

}  // namespace mailflow

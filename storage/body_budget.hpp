// How much memory bodies may take that are not committed yet. A writer takes its share before its
// first octet and waits when there is none left: the client then waits for its 354. Shares are
// given back when the body is committed, spilled to a file or dropped. Taken and given back on any
// lane; those who wait queue on a runner, first come first served. Owned by the body store; shares
// may outlive it.
#pragma once

#include "transport/base/task.hpp"
#include "transport/base/task_runner.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace mailflow {

class BodyBudget {
    struct State;

  public:
    // The runner outlives all shares.
    BodyBudget(std::uint64_t limit, TaskRunner& runner);
    ~BodyBudget();
    BodyBudget(const BodyBudget&) = delete;
    BodyBudget& operator=(const BodyBudget&) = delete;

    class Share {
      public:
        Share() noexcept = default;
        Share(Share&& other) noexcept;
        Share& operator=(Share&& other) noexcept;
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;

        ~Share() { shrink_to(0); }

        [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }

        // Takes more, when there is as much left and nobody waits; never waits itself.
        [[nodiscard]] bool try_grow_to(std::uint64_t octets) noexcept;
        // Gives back what is over `octets`.
        void shrink_to(std::uint64_t octets) noexcept;

      private:
        friend class BodyBudget;
        Share(std::shared_ptr<State> state, std::uint64_t octets) noexcept;

        std::shared_ptr<State> state_;
        std::uint64_t octets_ = 0;
    };

    // More than the limit is granted once nothing else is taken.
    Task<Share> take(std::uint64_t octets);
    [[nodiscard]] std::uint64_t used() const noexcept;

  private:
    struct Waiter;
    std::shared_ptr<State> state_;
};

}  // namespace mailflow

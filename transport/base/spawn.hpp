// Starting a coroutine that nobody awaits. `spawn` is the only caller of co_spawn: it names the
// task, counts it for an orderly stop, and logs what escapes from it. A TaskScope belongs to one
// lane and is used on it.
#pragma once

#include "transport/base/log.hpp"
#include "transport/base/task.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

class TaskScope {
  public:
    // The executor's context and the log outlive the scope.
    TaskScope(Executor executor, Log log) noexcept
        : executor_(std::move(executor))
        , log_(log) {}

    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;

    // On the lane the task runs inside this call up to its first wait; elsewhere it starts from the
    // lane's loop. `name` is a literal: it is kept by reference.
    void spawn(std::string_view name, Task<void> task);

    [[nodiscard]] std::size_t live() const noexcept { return live_; }

    // Tasks that ended by an exception: a broken invariant each, also logged.
    [[nodiscard]] std::size_t failed() const noexcept { return failed_; }

    // Names of the tasks that have not ended, each with its number: `admin session ×2`. For a stop
    // that takes too long.
    [[nodiscard]] std::string live_names() const;

    [[nodiscard]] const Executor& executor() const noexcept { return executor_; }

  private:
    struct Name {
        std::string_view text;
        std::size_t live = 0;
    };

    // Few names, all literals: found by their address.
    Name& name_of(std::string_view text);

    Executor executor_;
    Log log_;
    std::size_t live_ = 0;
    std::size_t failed_ = 0;
    std::vector<Name> names_;
};

}  // namespace mailflow

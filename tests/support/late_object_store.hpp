// An ObjectStore that answers later, as one behind a thread does: what runs meanwhile may get in
// between. One thread.
#pragma once

#include "transport/base/task_runner.hpp"
#include "transport/ports/object_store.hpp"

#include <utility>

namespace mailflow {

class LateObjectStore final : public ObjectStore {
  public:
    LateObjectStore(ObjectStore& store, asio::io_context& context)
        : store_(store)
        , runner_(context) {}

    Task<Result<ObjectSet>> read_all() override {
        auto answer = co_await store_.read_all();
        co_await pause();
        co_return answer;
    }

    Task<Result<std::uint64_t>> change(
        std::uint64_t expected, std::vector<ObjectChange> changes, ChangeAuthor author) override {
        co_await pause();
        auto answer = co_await store_.change(expected, std::move(changes), std::move(author));
        co_return answer;
    }

    Task<Result<std::vector<ObjectVersion>>> history(std::size_t limit) override {
        auto answer = co_await store_.history(limit);
        co_return answer;
    }

  private:
    Task<> pause() {
        const auto nothing = [] {
            return true;
        };
        co_await offload(runner_, nothing);
    }

    ObjectStore& store_;
    FoldedRunner runner_;
};

}  // namespace mailflow

// A function object that is moved, called once or more, and need not be copyable (C++23's
// std::move_only_function).
#pragma once

#include <memory>
#include <utility>

namespace mailflow {

class UniqueFunction {
  public:
    UniqueFunction() noexcept = default;

    template <class F>
    UniqueFunction(F function)  // NOLINT(google-explicit-constructor): converts from any callable,
                                // as std::function
        : call_(std::make_unique<Call<F>>(std::move(function))) {}

    void operator()() { call_->run(); }

    explicit operator bool() const noexcept { return call_ != nullptr; }

  private:
    struct Callable {
        Callable() = default;
        Callable(const Callable&) = delete;
        Callable& operator=(const Callable&) = delete;
        virtual ~Callable() = default;
        virtual void run() = 0;
    };

    template <class F>
    struct Call final : Callable {
        explicit Call(F f)
            : function(std::move(f)) {}

        void run() override { function(); }

        F function;
    };

    std::unique_ptr<Callable> call_;
};

}  // namespace mailflow

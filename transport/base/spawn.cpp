#include "transport/base/spawn.hpp"

#include <boost/asio/co_spawn.hpp>
#include <exception>

namespace mailflow {

namespace {

std::string words_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return "an object that is no std::exception";
    }
}

}  // namespace

void TaskScope::spawn(std::string_view name, Task<void> task) {
    ++live_;
    asio::co_spawn(executor_, std::move(task), [this, name](const std::exception_ptr& error) {
        --live_;
        if (error) {
            ++failed_;
            log_.error("task failed", {{"task", name}, {"reason", words_of(error)}});
        }
    });
}

}  // namespace mailflow

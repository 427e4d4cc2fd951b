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
    ++name_of(name).live;
    asio::co_spawn(executor_, std::move(task), [this, name](const std::exception_ptr& error) {
        --live_;
        --name_of(name).live;
        if (error) {
            ++failed_;
            log_.error("task failed", {{"task", name}, {"reason", words_of(error)}});
        }
    });
}

TaskScope::Name& TaskScope::name_of(std::string_view text) {
    for (auto& name : names_) {
        if (name.text.data() == text.data()) {
            return name;
        }
    }
    return names_.emplace_back(Name{text});
}

std::string TaskScope::live_names() const {
    std::string text;
    for (const auto& name : names_) {
        if (name.live > 0) {
            text += (text.empty() ? "" : ", ") + std::string(name.text) + " x" +
                    std::to_string(name.live);
        }
    }
    return text;
}

}  // namespace mailflow

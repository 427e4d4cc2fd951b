// An HttpsFetcher that answers as a test says, by URL; it keeps what was asked. One thread.
#pragma once

#include "transport/base/error.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/ports/https_fetcher.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

class ScriptedFetcher final : public HttpsFetcher {
  public:
    void answer(const std::string& url, HttpsAnswer with) {
        answers_[url] = {std::move(with), {}, {}};
    }

    void fail(const std::string& url, ErrorCode with, std::string why) {
        answers_[url] = {{}, with, std::move(why)};
    }

    // Every fetch waits until `release`.
    void hold() noexcept { held_ = true; }

    void release() {
        held_ = false;
        for (auto* const waiter : std::exchange(waiting_, {})) {
            waiter->complete(true);
        }
    }

    Task<Result<HttpsAnswer>> fetch(HttpsRequest request, std::string* why) override {
        requests_.push_back(std::move(request));
        const auto url = requests_.back().url;
        if (held_) {
            OneShot<bool> released;
            waiting_.push_back(&released);
            co_await released.wait();
        }
        const auto found = answers_.find(url);
        if (found == answers_.end()) {
            *why = "nobody answers";
            co_return make_error_code(Error::unavailable);
        }
        if (found->second.error) {
            *why = found->second.why;
            co_return found->second.error;
        }
        co_return found->second.answer;
    }

    [[nodiscard]] const std::vector<HttpsRequest>& requests() const noexcept { return requests_; }

  private:
    struct Scripted {
        HttpsAnswer answer;
        ErrorCode error;
        std::string why;
    };

    std::map<std::string, Scripted> answers_;
    std::vector<HttpsRequest> requests_;
    std::vector<OneShot<bool>*> waiting_;
    bool held_ = false;
};

}  // namespace mailflow

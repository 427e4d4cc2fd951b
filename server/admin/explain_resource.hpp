// POST /v1/explain: what would happen to a message that does not exist. The body is an object with
// `client_ip`, `from`, `to` (a list), and if wished `connector` or `local`, `auth`, `size` and
// `header` (a list of fields); the answer is an Explanation. Changes nothing. On the console lane.
#pragma once

#include "server/explain/explain.hpp"
#include "server/http/http_message.hpp"

#include <functional>
#include <string>

namespace mailflow {

// Called and awaited on the console lane; crosses to where the directory is.
using AskExplain =
    std::function<Task<Result<Explanation>>(ExplainRequest request, std::string* why)>;

class ExplainResource {
  public:
    explicit ExplainResource(AskExplain ask)
        : ask_(std::move(ask)) {}

    Task<HttpResponse> handle(HttpRequest request);

  private:
    AskExplain ask_;
};

// The request a body stands for; else what is wrong with it, in words. Pure.
[[nodiscard]] std::string read_explain_request(const std::string& body, ExplainRequest& into);

}  // namespace mailflow

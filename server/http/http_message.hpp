// One request of the admin API and its answer, free of the HTTP library: what handlers see. Built
// by the HTTP server, on the console lane.
#pragma once

#include "transport/base/task.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

enum class HttpMethod { get, post, patch, remove, other };

// Who asks, as the socket knows it (SO_PEERCRED).
struct HttpCaller {
    unsigned uid = 0;
    int pid = 0;

    // `uid=0 pid=4711`
    [[nodiscard]] std::string text() const;
};

struct HttpRequest {
    HttpMethod method = HttpMethod::get;
    std::vector<std::string> path;             // decoded segments: /v1/queues → {"v1", "queues"}
    std::map<std::string, std::string> query;  // decoded
    std::string body;
    HttpCaller caller;

    // Empty when absent.
    [[nodiscard]] std::string_view parameter(const std::string& name) const;
};

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
};

class HttpHandler {
  public:
    virtual ~HttpHandler() = default;
    // On the console lane. Exceptions become 500 and a log line.
    virtual Task<HttpResponse> handle(HttpRequest request) = 0;
};

// Splits `/a/b%20c?x=1&y=2`. False when an escape is malformed or there are too many parts.
[[nodiscard]] bool parse_target(
    std::string_view target,
    std::vector<std::string>& path,
    std::map<std::string, std::string>& query);

}  // namespace mailflow

#include "server/admin/admin_api.hpp"

#include "server/admin/json_answers.hpp"

namespace mailflow {

AdminApi::AdminApi(Parts parts)
    : status_(parts.status)
    , objects_(parts.organization, parts.console, parts.lanes, parts.find_mx)
    , config_(parts.organization, parts.console, parts.lanes)
    , recipients_(parts.organization)
    , queue_(parts.console, *parts.lanes.front(), parts.queue)
    , tracking_(parts.tracking)
    , log_(parts.organization, parts.protocol_log)
    , explain_(std::move(parts.explain))
    , tls_(parts.peers, parts.console.clock(), parts.console.log()) {}

Task<HttpResponse> AdminApi::handle(HttpRequest request) {
    HttpResponse answer = json_error(404, "there is no such resource");
    // Where Prometheus looks.
    if (request.path.size() == 1 && request.path[0] == "metrics") {
        answer = co_await show_metrics();
        co_return answer;
    }
    if (request.path.size() < 2 || request.path[0] != "v1") {
        co_return answer;
    }
    const std::string resource = request.path[1];
    if (resource == "objects") {
        answer = co_await objects_.handle(std::move(request));
    } else if (resource == "recipients") {
        answer = co_await recipients_.handle(std::move(request));
    } else if (resource == "queues") {
        answer = co_await queue_.handle_queues(std::move(request));
    } else if (resource == "messages") {
        answer = co_await queue_.handle_messages(std::move(request));
    } else if (resource == "tracking") {
        answer = co_await tracking_.handle(std::move(request));
    } else if (resource == "status") {
        answer = co_await show_status();
    } else if (resource == "metrics") {
        answer = co_await show_metrics();
    } else if (resource == "log") {
        answer = co_await log_.handle(std::move(request));
    } else if (resource == "explain") {
        answer = co_await explain_.handle(std::move(request));
    } else if (resource == "config") {
        answer = co_await config_.handle(std::move(request));
    } else if (resource == "tls") {
        answer = tls_.handle(request);
    }
    co_return answer;
}

Task<HttpResponse> AdminApi::show_status() {
    const auto status = co_await status_.status();
    co_return json_answer(to_json(status));
}

Task<HttpResponse> AdminApi::show_metrics() {
    auto text = co_await status_.metrics();
    co_return HttpResponse{200, "text/plain; version=0.0.4", std::move(text)};
}

}  // namespace mailflow

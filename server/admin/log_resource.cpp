#include "server/admin/log_resource.hpp"

#include "server/admin/json_answers.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::size_t kDefaultLines = 50;

json::object to_json(const ProtocolLogLine& line) {
    return {
        {"date_time", line.date_time},
        {"connector_id", line.connector},
        {"session_id", line.session},
        {"sequence_number", line.sequence},
        {"local_endpoint", line.local},
        {"remote_endpoint", line.remote},
        {"event", line.event},
        {"data", line.data},
        {"context", line.context}};
}

json::object to_json(const ProtocolLogFiles::Page& page) {
    json::array lines;
    for (const auto& line : page.lines) {
        lines.push_back(to_json(line));
    }
    return {{"lines", std::move(lines)}, {"cursor", page.cursor}, {"more", page.more}};
}

}  // namespace

HttpResponse LogResource::check_connector(std::string& name) const {
    const auto organization = organization_.organization();
    const auto& connectors = organization->receive_connectors();
    const auto is_verbose = [](const ReceiveConnector& connector) {
        return connector.protocol_log == ProtocolLogging::verbose;
    };
    if (name.empty()) {
        if (std::any_of(connectors.begin(), connectors.end(), is_verbose)) {
            return {};
        }
        return json_error(
            409,
            "no receive connector keeps a protocol log. Turn one on: smtpctl receive-connector set "
            "NAME --protocol-log verbose");
    }
    const auto found =
        std::find_if(connectors.begin(), connectors.end(), [&name](const auto& connector) {
            return ascii::equal_ignoring_case(connector.name, name);
        });
    if (found == connectors.end()) {
        return json_error(404, "there is no receive-connector \"" + name + "\"");
    }
    name = found->name;
    if (!is_verbose(*found)) {
        return json_error(
            409,
            "the receive connector \"" + name +
                "\" keeps no protocol log. Turn it on: smtpctl receive-connector set \"" + name +
                "\" --protocol-log verbose");
    }
    return {};
}

Task<HttpResponse> LogResource::handle(HttpRequest request) {
    if (request.method != HttpMethod::get) {
        co_return json_error(405, "the protocol log can only be read");
    }
    if (request.path.size() != 3 || request.path[2] != "receive") {
        co_return json_error(404, "there is no such log: /v1/log/receive");
    }
    std::string connector(request.parameter("connector"));
    auto refusal = check_connector(connector);
    if (refusal.status >= 400) {
        co_return refusal;
    }
    std::size_t count = kDefaultLines;
    if (const auto text = request.parameter("lines"); !text.empty()) {
        const auto number = ascii::parse_number(text);
        if (!number || *number > ProtocolLogFiles::kMaxLines) {
            co_return json_error(
                400, "lines is a number from 0 to " + std::to_string(ProtocolLogFiles::kMaxLines));
        }
        count = static_cast<std::size_t>(*number);
    }
    const std::string cursor(request.parameter("after"));
    const bool from_cursor = request.query.contains("after");
    const auto page = co_await read(std::move(connector), cursor, from_cursor, count);
    if (!page) {
        const bool ours = page.error() != Error::syntax;
        co_return json_error(
            ours ? 503 : 400,
            ours ? "the protocol log could not be read: " + page.error().message()
                 : "after is a cursor of an earlier answer, not \"" + cursor + "\"");
    }
    co_return json_answer(to_json(*page));
}

// What has been said until now is written first: the writer does its work in order.
Task<Result<ProtocolLogFiles::Page>> LogResource::read(
    std::string connector, std::string cursor, bool from_cursor, std::size_t count) {
    log_.flush();
    const auto look = [this, &connector, &cursor, from_cursor, count] {
        return from_cursor ? log_.files().after(connector, cursor, count)
                           : log_.files().last(connector, count);
    };
    auto page = co_await offload(log_.writer(), look);
    co_return page;
}

}  // namespace mailflow

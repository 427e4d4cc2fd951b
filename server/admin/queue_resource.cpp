#include "server/admin/queue_resource.hpp"

#include "server/admin/json_answers.hpp"
#include "server/admin/queue_json.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/net/call_on.hpp"

#include <boost/json/array.hpp>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::size_t kDefaultMessages = 1000;
constexpr std::size_t kMaxMessages = 100000;

HttpResponse failure(ErrorCode error, const std::string& what) {
    if (error == Error::not_found) {
        return json_error(
            404,
            "there is no " + what +
                " in the queue (any more); smtpctl track may know what became of it");
    }
    return json_error(503, "the queue cannot answer now: " + error.message());
}

std::string message_title(QueueId id) {
    return "message " + id.text();
}

// The whole text of a message, read on the queue lane.
Task<Result<std::string>> read_whole(QueueAdmin& admin, QueueId id, std::string recipient) {
    auto exported = co_await admin.export_message(id, std::move(recipient));
    if (!exported) {
        co_return exported.error();
    }
    std::string text;
    text.reserve(exported->size);
    for (;;) {
        const auto piece = co_await exported->content->next();
        if (!piece) {
            co_return piece.error();
        }
        if (piece->empty()) {
            break;
        }
        text.append(*piece);
    }
    co_return text;
}

}  // namespace

Task<HttpResponse> QueueResource::handle_queues(HttpRequest request) {
    HttpResponse answer = json_error(404, "there is /v1/queues and /v1/queues/retry");
    if (request.path.size() == 2 && request.method == HttpMethod::get) {
        answer = co_await list_queues();
    } else if (
        request.path.size() == 3 && request.path[2] == "retry" &&
        request.method == HttpMethod::post) {
        answer = co_await retry(std::move(request));
    }
    co_return answer;
}

Task<HttpResponse> QueueResource::list_queues() {
    const auto read = [this] {
        return admin_.list_queues();
    };
    const auto queues = co_await call_on(console_, queue_lane_, read);
    if (!queues) {
        co_return failure(queues.error(), "queue");
    }
    json::array rows;
    for (const auto& queue : *queues) {
        rows.push_back(to_json(queue));
    }
    co_return json_answer(rows);
}

Task<HttpResponse> QueueResource::retry(HttpRequest request) {
    json::object body;
    if (!parse_object(request.body, body)) {
        co_return json_error(400, "the body must be a JSON object");
    }
    const auto text = [&body](std::string_view key) {
        const auto* value = body.if_contains(key);
        return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                      : std::string();
    };
    if (const auto wanted = text("message"); !wanted.empty()) {
        const auto id = QueueId::parse(wanted);
        if (!id) {
            co_return json_error(400, "\"" + wanted + "\" is no QueueId");
        }
        const auto retry_message = [this, id] {
            return admin_.retry_message(*id);
        };
        const auto done = co_await call_on(console_, queue_lane_, retry_message);
        if (!done) {
            co_return failure(done.error(), message_title(*id));
        }
        co_return json_answer(json::object{{"recipients", 1}});
    }
    const std::string key = text("queue");
    const auto retry_queue = [this, &key] {
        return admin_.retry_queue(key);
    };
    const auto count = co_await call_on(console_, queue_lane_, retry_queue);
    if (!count) {
        co_return failure(count.error(), "queue \"" + key + "\"");
    }
    co_return json_answer(json::object{{"recipients", *count}});
}

Task<HttpResponse> QueueResource::handle_messages(HttpRequest request) {
    HttpResponse answer =
        json_error(405, "messages can be listed, shown, exported (/content) and deleted");
    if (request.path.size() == 2 && request.method == HttpMethod::get) {
        answer = co_await list_messages(std::move(request));
        co_return answer;
    }
    const auto id =
        request.path.size() > 2 ? QueueId::parse(request.path[2]) : Result<QueueId>(QueueId{});
    if (!id) {
        co_return json_error(
            400,
            "\"" + request.path[2] +
                "\" is no QueueId: 13 letters and digits, as in the reply to DATA");
    }
    if (request.path.size() == 3 && request.method == HttpMethod::get) {
        answer = co_await show_message(*id);
    } else if (request.path.size() == 3 && request.method == HttpMethod::remove) {
        answer = co_await remove_message(*id, std::move(request));
    } else if (
        request.path.size() == 4 && request.path[3] == "content" &&
        request.method == HttpMethod::get) {
        answer = co_await export_message(*id, std::move(request));
    }
    co_return answer;
}

Task<HttpResponse> QueueResource::list_messages(HttpRequest request) {
    std::size_t wanted = kDefaultMessages;
    if (const auto text = request.parameter("limit"); !text.empty()) {
        const auto number = ascii::parse_number(text);
        if (!number || *number == 0 || *number > kMaxMessages) {
            co_return json_error(
                400, "limit is a number from 1 to " + std::to_string(kMaxMessages));
        }
        wanted = static_cast<std::size_t>(*number);
    }
    MessageFilter filter;
    filter.sender = request.parameter("sender");
    filter.recipient = request.parameter("recipient");
    if (const auto queue = request.parameter("queue"); !queue.empty()) {
        filter.next_hop = std::string(queue);
    }
    json::array rows;
    bool more = true;
    while (more && rows.size() < wanted) {
        filter.limit = wanted - rows.size();
        const auto read = [this, &filter] {
            return admin_.list_messages(filter);
        };
        const auto page = co_await call_on(console_, queue_lane_, read);
        if (!page) {
            co_return failure(page.error(), "message");
        }
        for (const auto& message : page->messages) {
            rows.push_back(to_json(message));
        }
        more = page->next.has_value();
        if (more) {
            filter.after = *page->next;
        }
    }
    co_return json_answer(json::object{{"messages", std::move(rows)}, {"more", more}});
}

Task<HttpResponse> QueueResource::show_message(QueueId id) {
    const auto read = [this, id] {
        return admin_.find_message(id);
    };
    const auto message = co_await call_on(console_, queue_lane_, read);
    if (!message) {
        co_return failure(message.error(), message_title(id));
    }
    co_return json_answer(to_json(*message));
}

Task<HttpResponse> QueueResource::remove_message(QueueId id, HttpRequest request) {
    const bool with_report = request.parameter("with_ndr") != "false";
    if (request.parameter("what_if") == "true") {
        auto answer = co_await show_message(id);
        co_return answer;
    }
    const auto remove = [this, id, with_report] {
        return admin_.remove_message(id, with_report);
    };
    const auto removed = co_await call_on(console_, queue_lane_, remove);
    if (!removed) {
        co_return failure(removed.error(), message_title(id));
    }
    console_.log().info(
        "message removed",
        {{"queue-id", id},
         {"by", request.caller.text()},
         {"with-ndr", with_report ? "true" : "false"}});
    co_return json_answer(json::object{{"removed", id.text()}});
}

Task<HttpResponse> QueueResource::export_message(QueueId id, HttpRequest request) {
    const std::string recipient(request.parameter("recipient"));
    const auto read = [this, id, &recipient] {
        return read_whole(admin_, id, recipient);
    };
    auto text = co_await call_on(console_, queue_lane_, read);
    if (!text) {
        const auto whose = recipient.empty() ? recipient : " for " + recipient;
        co_return failure(text.error(), message_title(id) + whose);
    }
    console_.log().info("message exported", {{"queue-id", id}, {"by", request.caller.text()}});
    co_return HttpResponse{200, "message/rfc822", std::move(*text)};
}

}  // namespace mailflow

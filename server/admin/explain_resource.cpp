#include "server/admin/explain_resource.hpp"

#include "config/schema/values.hpp"
#include "server/admin/json_answers.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxRecipients = 1000;
constexpr std::size_t kMaxFields = 1000;

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\t';
    });
}

// A text field; false when it is there and is no text.
bool read_text(const json::object& object, std::string_view key, std::string& into) {
    const auto* const value = object.if_contains(key);
    if (value == nullptr || value->is_null()) {
        return true;
    }
    if (!value->is_string()) {
        return false;
    }
    into = std::string(value->get_string());
    return true;
}

bool read_texts(const json::object& object, std::string_view key, std::vector<std::string>& into) {
    const auto* const value = object.if_contains(key);
    if (value == nullptr) {
        return true;
    }
    if (!value->is_array()) {
        return false;
    }
    for (const auto& entry : value->get_array()) {
        if (!entry.is_string()) {
            return false;
        }
        into.emplace_back(entry.get_string());
    }
    return true;
}

struct Words {
    std::string client;
    std::string local;
    std::string from;
    std::string size;
    std::vector<std::string> to;
};

std::string read_words(const json::object& object, Words& words, ExplainRequest& request) {
    const bool texts =
        read_text(object, "client_ip", words.client) &&
        read_text(object, "connector", request.connector) &&
        read_text(object, "local", words.local) && read_text(object, "auth", request.account) &&
        read_text(object, "from", words.from) && read_text(object, "size", words.size);
    if (!texts || object.if_contains("from") == nullptr) {
        return "client_ip and from are wanted; connector, local, auth and size are texts too";
    }
    if (!read_texts(object, "to", words.to) || !read_texts(object, "header", request.fields)) {
        return "to and header are lists of texts";
    }
    return {};
}

std::string read_paths(const Words& words, ExplainRequest& request) {
    const auto bracketed = [](const std::string& text) {
        return text.starts_with('<') ? text : "<" + text + ">";
    };
    const auto from = ReversePath::parse(bracketed(words.from));
    if (!from) {
        return quoted(words.from) + " is no address to send from: write alice@contoso.com, or <>";
    }
    request.from = *from;
    if (words.to.empty() || words.to.size() > kMaxRecipients) {
        return "name 1 to " + std::to_string(kMaxRecipients) + " recipients in to";
    }
    for (const auto& text : words.to) {
        auto path = ForwardPath::parse(bracketed(text));
        if (!path) {
            return quoted(text) + " is no address to send to: write bob@fabrikam.com";
        }
        request.to.push_back(std::move(*path));
    }
    return {};
}

std::string check_fields(const std::vector<std::string>& fields) {
    if (fields.size() > kMaxFields) {
        return "at most " + std::to_string(kMaxFields) + " header fields";
    }
    for (const auto& field : fields) {
        const auto colon = field.find(':');
        if (colon == 0 || colon == std::string::npos || has_control(field)) {
            return quoted(field) + " is no header field: write 'From: Alice <alice@contoso.com>'";
        }
    }
    return {};
}

}  // namespace

std::string read_explain_request(const std::string& body, ExplainRequest& into) {
    json::object object;
    if (!parse_object(body, object)) {
        return "the body is no JSON object";
    }
    Words words;
    if (auto wrong = read_words(object, words, into); !wrong.empty()) {
        return wrong;
    }
    const auto client = IpAddress::parse(words.client);
    if (!client) {
        return quoted(words.client) + " is no IP address of a client";
    }
    into.client = *client;
    if (!words.local.empty()) {
        const auto local = Endpoint::parse(words.local);
        if (!local || !into.connector.empty()) {
            return local ? "name connector or local, not both"
                         : quoted(words.local) + " is no local address: write 192.0.2.1:25";
        }
        into.local = *local;
    }
    if (!words.size.empty()) {
        into.size = schema::parse_size(words.size);
        if (!into.size) {
            return quoted(words.size) + " is no size: write 25 MB";
        }
    }
    if (auto wrong = read_paths(words, into); !wrong.empty()) {
        return wrong;
    }
    return check_fields(into.fields);
}

Task<HttpResponse> ExplainResource::handle(HttpRequest request) {
    if (request.method != HttpMethod::post) {
        co_return json_error(405, "POST what is to be explained");
    }
    ExplainRequest wanted;
    auto wrong = read_explain_request(request.body, wanted);
    if (!wrong.empty()) {
        co_return json_error(400, wrong);
    }
    if (!ask_) {
        co_return json_error(503, "nothing can be explained here");
    }
    std::string why;
    const auto answer = co_await ask_(std::move(wanted), &why);
    if (!answer && answer.error() == Error::not_found) {
        co_return json_error(404, why);
    }
    if (!answer) {
        co_return json_error(503, "the directory does not answer: " + answer.error().message());
    }
    co_return json_answer(to_json(*answer));
}

}  // namespace mailflow

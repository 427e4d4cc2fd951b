#include "server/ctl/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <limits>

namespace mailflow::ctl {

namespace http = boost::beast::http;
namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;

namespace {

std::string words_of_failure(unsigned status, const std::string& body) {
    boost::system::error_code error;
    const auto parsed = boost::json::parse(body, error);
    if (!error && parsed.is_object()) {
        if (const auto* text = parsed.as_object().if_contains("error");
            text != nullptr && text->is_string()) {
            return std::string(text->as_string());
        }
    }
    return "the daemon answered " + std::to_string(status) + (body.empty() ? "" : ": " + body);
}

boost::json::value parsed(const std::string& body) {
    boost::system::error_code error;
    auto value = boost::json::parse(body.empty() ? "null" : body, error);
    if (error) {
        throw Failure("the daemon's answer is not JSON: " + error.message());
    }
    return value;
}

}  // namespace

std::string Client::request(
    std::string_view method, const std::string& target, const std::string& body) const {
    asio::io_context context(1);
    Protocol::socket socket(context);
    boost::system::error_code error;
    socket.connect(Protocol::endpoint(socket_path_), error);
    if (error) {
        throw Failure(
            "cannot reach mailflowd at " + socket_path_ + ": " + error.message() +
            ". Is it running? Is --socket (or MAILFLOW_SOCKET) right? Are you root or a member of "
            "mailflow-admin?");
    }
    http::request<http::string_body> message;
    message.method_string({method.data(), method.size()});
    message.target(target);
    message.set(http::field::host, "mailflowd");
    message.set(http::field::content_type, "application/json");
    message.keep_alive(false);
    message.body() = body;
    message.prepare_payload();
    http::write(socket, message, error);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());
    if (!error) {
        http::read(socket, buffer, parser, error);
    }
    if (error) {
        throw Failure("the connection to mailflowd broke: " + error.message());
    }
    if (parser.get().result_int() >= 400) {
        throw Failure(words_of_failure(parser.get().result_int(), parser.get().body()));
    }
    return std::move(parser.get().body());
}

boost::json::value Client::get(const std::string& target) const {
    return parsed(request("GET", target, ""));
}

std::string Client::get_text(const std::string& target) const {
    return request("GET", target, "");
}

boost::json::value Client::send(
    std::string_view method, const std::string& target, const boost::json::value& body) const {
    return parsed(request(method, target, boost::json::serialize(body)));
}

boost::json::value Client::remove(const std::string& target) const {
    return parsed(request("DELETE", target, ""));
}

}  // namespace mailflow::ctl

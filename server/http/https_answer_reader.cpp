#include "server/http/https_answer_reader.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <utility>

namespace mailflow {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

Error error_of(const ErrorCode& error) {
    const bool is_large = error == http::error::body_limit || error == http::error::header_limit ||
                          error == http::error::buffer_overflow;
    return is_large ? Error::too_large : Error::syntax;
}

}  // namespace

struct HttpsAnswerReader::Parser {
    explicit Parser(std::size_t max_body) {
        http.body_limit(max_body);
        http.header_limit(kMaxAnswerHeader);
        http.eager(true);
    }

    http::response_parser<http::string_body> http;
};

HttpsAnswerReader::HttpsAnswerReader(std::size_t max_body)
    : max_body_(max_body)
    , parser_(std::make_unique<Parser>(max_body)) {}

HttpsAnswerReader::~HttpsAnswerReader() = default;

Result<> HttpsAnswerReader::feed(std::string_view octets) {
    pending_.append(octets);
    std::size_t taken = 0;
    while (taken < pending_.size() && !is_done()) {
        ErrorCode error;
        taken += parser_->http.put(
            asio::buffer(pending_.data() + taken, pending_.size() - taken), error);
        if (error == http::error::need_more) {
            break;
        }
        if (error) {
            return error_of(error);
        }
        if (is_done() && parser_->http.get().result_int() < 200) {
            if (const auto again = start_again(); !again) {
                return again;
            }
        }
    }
    pending_.erase(0, taken);
    // What is not whole yet is kept, and not for ever.
    if (!is_done() && pending_.size() > kMaxAnswerHeader) {
        return Error::too_large;
    }
    return {};
}

// RFC 9110 §15.2: a client ignores 1xx answers it did not ask for.
Result<> HttpsAnswerReader::start_again() {
    if (++interim_ > kMaxInterimAnswers) {
        return Error::syntax;
    }
    parser_ = std::make_unique<Parser>(max_body_);
    return {};
}

Result<> HttpsAnswerReader::end() {
    if (is_done()) {
        return {};
    }
    if (!parser_->http.got_some()) {
        return Error::truncated;
    }
    ErrorCode error;
    parser_->http.put_eof(error);
    if (error || !is_done()) {
        return Error::truncated;
    }
    return {};
}

bool HttpsAnswerReader::is_done() const noexcept {
    return parser_->http.is_done();
}

HttpsAnswer HttpsAnswerReader::take() {
    auto message = parser_->http.release();
    HttpsAnswer answer;
    answer.status = message.result_int();
    const auto type = message[http::field::content_type];
    const std::string_view text(type.data(), type.size());
    answer.content_type = ascii::to_lower(ascii::trimmed(text.substr(0, text.find(';'))));
    answer.body = std::move(message.body());
    return answer;
}

}  // namespace mailflow

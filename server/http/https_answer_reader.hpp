// One HTTP/1.1 answer out of octets as they come, in bounded memory: over Boost.Beast's parser.
// Used by the fetcher; no I/O.
#pragma once

#include "transport/base/result.hpp"
#include "transport/ports/https_fetcher.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

constexpr std::uint32_t kMaxAnswerHeader = 16U * 1024;
// 1xx before the answer (RFC 9110 §15.2).
constexpr unsigned kMaxInterimAnswers = 5;

class HttpsAnswerReader {
  public:
    explicit HttpsAnswerReader(std::size_t max_body);
    ~HttpsAnswerReader();
    HttpsAnswerReader(const HttpsAnswerReader&) = delete;
    HttpsAnswerReader& operator=(const HttpsAnswerReader&) = delete;

    // What comes behind the answer is ignored. Error::syntax, Error::too_large.
    [[nodiscard]] Result<> feed(std::string_view octets);
    // The server has ended the connection in order. Error::truncated when something is missing.
    [[nodiscard]] Result<> end();

    [[nodiscard]] bool is_done() const noexcept;
    // Once, when done.
    [[nodiscard]] HttpsAnswer take();

  private:
    struct Parser;

    [[nodiscard]] Result<> start_again();

    std::size_t max_body_;
    unsigned interim_ = 0;
    std::string pending_;  // a field or a chunk's size that is not whole yet
    std::unique_ptr<Parser> parser_;
};

}  // namespace mailflow

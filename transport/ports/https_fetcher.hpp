// One HTTPS request, for MTA-STS policies and access tokens. Bounded in time and in octets; the
// server's certificate must be valid and name the host. One per lane, used on it.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/result.hpp"
#include "transport/base/task.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

struct HttpsRequest {
    std::string url;  // https only
    std::string method = "GET";
    std::string content_type;  // of a body
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::size_t max_body = 64UL * 1024;  // of the answer, octets
    Duration timeout = std::chrono::seconds(60);
    // The host was named by an administrator; otherwise addresses obey the rules for MX hosts
    // (decisions §2.8, §2.9): no loopback, private or own ones but those allowed.
    bool trusted_host = false;
};

struct HttpsAnswer {
    unsigned status = 0;
    std::string content_type;  // lower case, without parameters
    std::string body;
};

// Redirects are answers like any other: they are not followed (RFC 8461 §3.3).
class HttpsFetcher {
  public:
    virtual ~HttpsFetcher() = default;
    // Why there is no answer: Error::tls_failed (the certificate), Error::timed_out,
    // Error::too_large, Error::refused_target, Error::syntax (no https URL, no HTTP), or the
    // system's; `why` (not null) says it in words.
    virtual Task<Result<HttpsAnswer>> fetch(HttpsRequest request, std::string* why) = 0;
};

}  // namespace mailflow

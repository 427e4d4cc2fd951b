// Access tokens for OAuth2 at smart hosts (RFC 6749): fetched by refresh token or client
// credentials, kept until shortly before they expire, one fetch at a time for each connector. One
// per lane, used on it.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/org/send_connector.hpp"
#include "transport/ports/https_fetcher.hpp"
#include "transport/ports/secrets.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// For `send-connector show`. No token, no secret.
struct TokenState {
    std::string connector;
    bool valid = false;
    UtcTime expires{};  // of a valid one
    UtcTime fetched{};
    std::string error;  // of the last fetch; empty: it worked
};

class AccessTokens {
  public:
    AccessTokens(const Clock& clock, HttpsFetcher& fetcher, const Secrets& secrets);

    // A token with at least kMinLife left; Error::unavailable with the token endpoint's words in
    // `why` (not null).
    Task<Result<std::string>> token_for(const SendConnector& connector, std::string* why);
    // The host refused it (535): the next call fetches anew.
    void refuse(const std::string& connector);
    [[nodiscard]] std::optional<TokenState> state_of(const std::string& connector) const;

  private:
    struct Entry;
    const Clock& clock_;
    HttpsFetcher& fetcher_;
    const Secrets& secrets_;
    std::map<std::string, std::shared_ptr<Entry>> entries_;
};

}  // namespace mailflow

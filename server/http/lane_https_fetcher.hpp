// Fetches over TLS of our own network, so that limits, deadlines and address rules are those of the
// mail flow. One per lane, owned by it, used by MTA-STS and access tokens.
#pragma once

#include "server/http/https_url.hpp"
#include "transport/deliver/mx_targets.hpp"
#include "transport/net/network.hpp"
#include "transport/net/tls_stream.hpp"
#include "transport/ports/https_fetcher.hpp"
#include "transport/ports/resolver.hpp"
#include "transport/ports/tls_contexts.hpp"

#include <memory>
#include <string>
#include <vector>

namespace mailflow {

class LaneHttpsFetcher final : public HttpsFetcher {
  public:
    // All outlive the fetcher.
    struct Parts {
        Lane& lane;
        Network& network;
        Resolver& resolver;
    };

    // `rules`: own addresses and allowed ranges; their port is that of each URL.
    LaneHttpsFetcher(Parts parts, TargetRules rules)
        : parts_(parts)
        , rules_(std::move(rules)) {}

    Task<Result<HttpsAnswer>> fetch(HttpsRequest request, std::string* why) override;

    // Null: nothing is fetched.
    void set_tls_contexts(TlsContextsPtr contexts) noexcept { contexts_ = std::move(contexts); }

    void set_listeners(std::vector<Endpoint> listeners) { rules_.listeners = std::move(listeners); }

  private:
    Task<Result<std::vector<IpAddress>>> find_addresses(
        const HttpsUrl& url, bool is_trusted, std::string* why);
    [[nodiscard]] std::vector<IpAddress> usable(
        const std::vector<IpAddress>& addresses, std::uint16_t port) const;
    Task<Result<std::unique_ptr<Stream>>> connect(
        const std::vector<IpAddress>& addresses,
        std::uint16_t port,
        MonotonicTime deadline,
        std::string* why);
    Task<Result<std::unique_ptr<Stream>>> encrypt(
        std::unique_ptr<Stream> stream,
        const HttpsUrl& url,
        MonotonicTime deadline,
        std::string* why);
    Task<Result<HttpsAnswer>> exchange(
        std::unique_ptr<Stream> stream,
        const std::string& request,
        std::size_t max_body,
        MonotonicTime deadline,
        std::string* why);

    Parts parts_;
    TargetRules rules_;
    TlsContextsPtr contexts_;
};

}  // namespace mailflow

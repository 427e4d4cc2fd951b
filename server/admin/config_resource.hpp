// /v1/config: the whole configuration as TOML (GET; `?shared=true`, `?with_secrets=true`), and
// making everything as a text says (POST `{"text": …}`; `?what_if=true` only tells what would be
// done). On the console lane.
#pragma once

#include "config/organization_service.hpp"
#include "server/http/http_message.hpp"
#include "transport/net/lane.hpp"

#include <utility>
#include <vector>

namespace mailflow {

class ConfigResource {
  public:
    // All outlive this. A change is published to the first of `lanes`, which tells the others.
    ConfigResource(OrganizationService& service, Lane& console, std::vector<Lane*> lanes)
        : service_(service)
        , console_(console)
        , lanes_(std::move(lanes)) {}

    Task<HttpResponse> handle(HttpRequest request);

  private:
    Task<HttpResponse> export_text(HttpRequest request);
    Task<HttpResponse> apply(HttpRequest request);

    OrganizationService& service_;
    Lane& console_;
    std::vector<Lane*> lanes_;
};

}  // namespace mailflow

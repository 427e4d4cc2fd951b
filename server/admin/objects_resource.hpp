// /v1/objects/TYPE[/NAME]: list, show, create, set and remove whatever the schema describes.
// `?what_if=true` checks and shows a change without making it. On the console lane.
#pragma once

#include "config/mx_answers.hpp"
#include "config/organization_service.hpp"
#include "server/http/http_message.hpp"
#include "transport/net/lane.hpp"

#include <utility>
#include <vector>

namespace mailflow {

class ObjectsResource {
  public:
    // All outlive this. A change is published to the first of `lanes`, which tells the others.
    // `find_mx` may be empty: nobody knows then what the DNS says.
    ObjectsResource(
        OrganizationService& service, Lane& console, std::vector<Lane*> lanes, FindMx find_mx = {})
        : service_(service)
        , console_(console)
        , lanes_(std::move(lanes))
        , find_mx_(std::move(find_mx)) {}

    // `request.path` is v1, objects, TYPE and perhaps NAME.
    Task<HttpResponse> handle(HttpRequest request);

  private:
    Task<HttpResponse> list(std::string type);
    Task<HttpResponse> show(std::string type, std::string name);
    Task<HttpResponse> change(HttpRequest request);
    Task<void> wait_until_applied();

    OrganizationService& service_;
    Lane& console_;
    std::vector<Lane*> lanes_;
    FindMx find_mx_;
};

}  // namespace mailflow

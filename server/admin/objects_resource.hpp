// /v1/objects/TYPE[/NAME]: list, show, create, set and remove whatever the schema describes.
// `?what_if=true` checks and shows a change without making it. On the console lane.
#pragma once

#include "config/organization_service.hpp"
#include "server/http/http_message.hpp"

namespace mailflow {

class ObjectsResource {
  public:
    // `service` outlives this.
    explicit ObjectsResource(OrganizationService& service)
        : service_(service) {}

    // `request.path` is v1, objects, TYPE and perhaps NAME.
    Task<HttpResponse> handle(HttpRequest request);

  private:
    Task<HttpResponse> list(std::string type);
    Task<HttpResponse> show(std::string type, std::string name);
    Task<HttpResponse> change(HttpRequest request);

    OrganizationService& service_;
};

}  // namespace mailflow

// /v1/recipients: mailboxes, contacts and groups a page or a batch at a time, for lists, import,
// export, one change to many, and `address-policy apply`. One by one they are /v1/objects. A client
// that goes through all of them asks again with `next` of the answer as `after`. On the console
// lane.
#pragma once

#include "config/organization_service.hpp"
#include "server/http/http_message.hpp"

namespace mailflow {

class RecipientsResource {
  public:
    // `service` outlives this.
    explicit RecipientsResource(OrganizationService& service)
        : service_(service) {}

    // GET   /v1/recipients?kind=&where=&after=&limit=[&export=true[&secrets=true]]
    // PATCH /v1/recipients?kind=&where=&after=[&what_if=true]      fields
    // POST  /v1/recipients/import[?kind=][&what_if=true]           {"rows": [{"row", "fields"}]}
    // POST  /v1/recipients/apply[?policy=][&secondary_only=true][&what_if=true][&after=&mark=]
    Task<HttpResponse> handle(HttpRequest request);

  private:
    Task<HttpResponse> list(HttpRequest request);
    Task<HttpResponse> set(HttpRequest request);
    Task<HttpResponse> import(HttpRequest request);
    Task<HttpResponse> apply(HttpRequest request);

    OrganizationService& service_;
};

}  // namespace mailflow

// /v1/log/receive: lines of the receive connectors' protocol log, the last ones or those behind a
// cursor. On the console lane; the log's writer reads the files.
#pragma once

#include "config/organization_service.hpp"
#include "server/http/http_message.hpp"
#include "server/receive/protocol_log.hpp"

#include <string>

namespace mailflow {

class LogResource {
  public:
    // Both outlive this.
    LogResource(OrganizationService& organization, ProtocolLog& log)
        : organization_(organization)
        , log_(log) {}

    // `?connector=NAME&lines=N` or `&after=CURSOR`. An object with `lines`, `cursor` and `more`.
    Task<HttpResponse> handle(HttpRequest request);

  private:
    // The connector's name as it is written, into `name`; or why there is nothing to show.
    [[nodiscard]] HttpResponse check_connector(std::string& name) const;
    Task<Result<ProtocolLogFiles::Page>> read(
        std::string connector, std::string cursor, bool from_cursor, std::size_t count);

    OrganizationService& organization_;
    ProtocolLog& log_;
};

}  // namespace mailflow

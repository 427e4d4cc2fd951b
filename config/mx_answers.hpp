// What the DNS says of the mail of an accepted domain: the record to publish, whether it is there,
// and whether mail that leaves by MX would come back. The look-up itself is somebody else's, who
// keeps a limit of a few seconds. Console lane.
#pragma once

#include "config/schema/document.hpp"
#include "transport/base/task.hpp"
#include "transport/mail/domain_name.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/records/dns_records.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mailflow {

// DnsStatus::temporary when there is no answer in time.
using FindMx = std::function<Task<DnsAnswer<MxRecord>>(DomainName domain)>;

// `contoso.com. IN MX 10 mail.contoso.com.`; two of them for `*.contoso.com`.
[[nodiscard]] std::vector<std::string> mx_records_to_publish(
    const AcceptedDomain& domain, const NodeSettings& node);

enum class MxPublication : std::uint8_t {
    published,  // one of the domain's MX records names this node
    missing,    // it has none
    elsewhere,  // it has others
    unknown,    // the DNS did not answer
};

[[nodiscard]] const char* to_text(MxPublication publication) noexcept;
[[nodiscard]] MxPublication publication_of(
    const DnsAnswer<MxRecord>& answer, const NodeSettings& node);
// `10 mail.contoso.com`, in order of preference.
[[nodiscard]] std::vector<std::string> mx_texts(const DnsAnswer<MxRecord>& answer);

// Internal-relay domains of `next` whose mail would come back: the one connector that takes it
// routes by MX, and the preferred MX is this node (reference 3.2). Only those that `before` did not
// have so are looked up.
[[nodiscard]] Task<std::vector<schema::Problem>> find_relay_loops(
    FindMx find_mx, const Organization::Parts& before, const Organization::Parts& next);

}  // namespace mailflow

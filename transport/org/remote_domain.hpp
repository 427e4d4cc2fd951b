// Switches for mail that leaves to a domain (reference 5.5): the longest match rules, `*` is always
// there. Plain data.
#pragma once

#include "transport/mail/domain_name.hpp"

#include <optional>
#include <string>

namespace mailflow {

struct RemoteDomain {
    std::string name;
    std::optional<DomainName> domain;  // none: `*`, every domain without an entry of its own
    bool include_subdomains = false;   // `*.contoso.com`: the domain itself and everything below
    // What is off is deleted by the categorizer, and tracked so; it is not bounced.
    bool auto_reply_enabled = true;    // RFC 3834 replies
    bool auto_forward_enabled = true;  // mail that one of our mailboxes forwards
    bool ndr_enabled = true;
    bool delivery_report_enabled = true;      // DSNs of success, relay and expansion
    bool ndr_diagnostic_info_enabled = true;  // false: reports without the administrator's part
};

}  // namespace mailflow

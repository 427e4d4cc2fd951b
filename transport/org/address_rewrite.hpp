// Addresses changed in transit (reference 4.8): one entry as configured. Applied by
// `transport/addressing/address_rewriter`. Plain data.
#pragma once

#include "transport/mail/domain_name.hpp"
#include "transport/mail/email_address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// An address, a domain (`contoso.com`), or a domain with everything below it (`*.contoso.com`).
struct AddressPattern {
    std::optional<EmailAddress> address;
    std::optional<DomainName> domain;  // when `address` is none
    bool include_subdomains = false;
};

struct AddressRewrite {
    std::string name;
    AddressPattern internal;
    AddressPattern external;             // of the same kind, never with subdomains
    std::vector<DomainName> exceptions;  // domains below `*.` that are left alone
    bool outbound_only = false;          // always true for `*.`
    // To and Cc too: outbound internal to external, inbound external to internal.
    bool rewrite_recipient_fields = false;
};

}  // namespace mailflow

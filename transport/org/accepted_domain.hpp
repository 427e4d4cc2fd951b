// A domain this organization takes mail for, and what it does with recipients it does not know
// (reference: accepted domains, table 3.2).
#pragma once

#include "transport/mail/domain_name.hpp"

#include <cstdint>
#include <string>

namespace mailflow {

enum class AcceptedDomainType : std::uint8_t {
    authoritative,   // unknown recipients are refused: 550 5.1.1
    internal_relay,  // known recipients are delivered here, the others relayed by the closest
                     // address space
    external_relay,  // always relayed
};

struct AcceptedDomain {
    std::string name;
    DomainName domain;
    bool include_subdomains =
        false;  // written `*.contoso.com`: the domain itself and everything below
    AcceptedDomainType type = AcceptedDomainType::authoritative;
    bool is_default = false;
    // Name of the recipient that gets what nobody else has; empty: none.
    std::string catch_all{};
    // `+`: bob+lists@ is bob@ when there is no bob+lists@; empty: not so.
    std::string recipient_delimiter{};
};

}  // namespace mailflow

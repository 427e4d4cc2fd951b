// What a person can make of a status code (RFC 3463 §3; reference 10.4): what happened, and what to
// do about it, in plain words without jargon. Pure tables.
#pragma once

#include "transport/mail/delivery_status.hpp"

#include <string_view>

namespace mailflow {

struct DsnExplanation {
    std::string_view happened;  // sentences; never empty
    std::string_view to_do;     // sentences; never empty

    friend bool operator==(const DsnExplanation&, const DsnExplanation&) = default;
};

// Of a failure or a delay. Where one code has several meanings our own words (`RESOLVER.RST.…`)
// tell them apart; a code that is in no table is explained by its subject, then by its class.
[[nodiscard]] DsnExplanation explain_status(const DeliveryStatus& status) noexcept;

}  // namespace mailflow

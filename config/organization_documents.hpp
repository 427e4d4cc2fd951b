// Normalised documents become the parts of an Organization, a function for each type
// (connectors have files of their own). Inside config only. Pure.
#pragma once

#include "config/document_reader.hpp"
#include "transport/org/organization.hpp"

#include <string>

namespace mailflow {

[[nodiscard]] AcceptedDomain read_accepted_domain(
    const std::string& name, const DocumentReader& reader);
[[nodiscard]] RemoteDomain read_remote_domain(
    const std::string& name, const DocumentReader& reader);
[[nodiscard]] AddressPolicy read_address_policy(
    const std::string& name, const DocumentReader& reader);
[[nodiscard]] AddressRewrite read_address_rewrite(
    const std::string& name, const DocumentReader& reader);
[[nodiscard]] SystemMessage read_system_message(
    const std::string& name, const DocumentReader& reader);
[[nodiscard]] TransportSettings read_transport_settings(const DocumentReader& reader);

// Of an address policy's document: `conditional_company` is about the attribute `company`.
constexpr std::string_view kConditionPrefix = "conditional_";

}  // namespace mailflow

// What accepted domains, remote domains and system messages may be beside the other objects
// (reference 3.3, 3.4, 5.5). Part of validation; inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"

#include <string>
#include <vector>

namespace mailflow {

void check_accepted_domains(
    const Organization::Parts& parts, std::vector<schema::Problem>& problems);
void check_remote_domains(const Organization::Parts& parts, std::vector<schema::Problem>& problems);
void check_system_messages(
    const Organization::Parts& parts, std::vector<schema::Problem>& problems);

// Relay domains whose mail has nowhere to go.
void warn_of_relay_domains(const Organization::Parts& parts, std::vector<std::string>& warnings);

// `contoso.com`, `*.contoso.com`.
[[nodiscard]] std::string to_text(const AcceptedDomain& domain);
// `accepted-domain "Contoso"`.
[[nodiscard]] std::string title_of(const AcceptedDomain& domain);

// The enabled connector that routes by MX and is the one that mail for the unknown recipients of
// this internal-relay domain would take; null when there is another or none.
[[nodiscard]] const SendConnector* sole_mx_connector(
    const Organization::Parts& parts, const AcceptedDomain& domain);
// `smtpctl send-connector create "contoso.com" --address-space contoso.com --smart-host HOST`.
[[nodiscard]] std::string smart_host_command(const AcceptedDomain& domain);

}  // namespace mailflow

#include "config/validation.hpp"

#include "config/address_policy_rules.hpp"
#include "config/address_rewrite_rules.hpp"
#include "config/domain_rules.hpp"
#include "config/receive_connector_rules.hpp"
#include "config/send_connector_rules.hpp"

namespace mailflow {

using schema::Problem;

namespace {

using Problems = std::vector<Problem>;

}  // namespace

std::vector<Problem> find_problems(const Organization::Parts& parts) {
    Problems problems;
    check_accepted_domains(parts, problems);
    check_receive_connectors(parts, problems);
    check_nodes(parts, problems);
    check_send_connectors(parts, problems);
    check_destination_policies(parts, problems);
    check_address_policies(parts, problems);
    check_address_rewrites(parts, problems);
    check_remote_domains(parts, problems);
    check_system_messages(parts, problems);
    return problems;
}

std::vector<std::string> find_warnings(const Organization::Parts& parts) {
    std::vector<std::string> warnings;
    warn_of_receive_connectors(parts, warnings);
    warn_of_relay_domains(parts, warnings);
    const auto& transport = parts.transport;
    if (transport.delay_dsn_enabled &&
        transport.delay_notification_timeout >= transport.message_expiration_timeout) {
        warnings.emplace_back(
            "delay_notification_timeout is not less than message_expiration_timeout: senders will "
            "never be told of a delay");
    }
    return warnings;
}

}  // namespace mailflow

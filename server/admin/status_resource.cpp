#include "server/admin/status_resource.hpp"

#include <boost/json/array.hpp>

namespace mailflow {

namespace json = boost::json;

json::object to_json(const ServerStatus& status) {
    json::array listeners;
    bool all_open = true;
    for (const auto& listener : status.listeners) {
        all_open = all_open && listener.open;
        listeners.push_back(json::object{
            {"connector", listener.connector},
            {"endpoint", listener.endpoint},
            {"tls", listener.tls},
            {"open", listener.open},
            {"reason", listener.reason}});
    }
    json::array problems;
    for (const auto& problem : status.problems) {
        problems.emplace_back(problem);
    }
    json::array warnings;
    for (const auto& warning : status.warnings) {
        warnings.emplace_back(warning);
    }
    json::object object;
    object["node"] = status.node;
    object["version"] = MAILFLOW_VERSION;
    object["healthy"] = all_open && status.problems.empty();
    object["uptime_seconds"] = status.uptime_seconds;
    object["durability"] = status.durability;
    object["configuration_version"] = status.configuration_version;
    object["queue"] = json::object{
        {"messages", status.messages},
        {"active_recipients", status.active_recipients},
        {"deferred_recipients", status.deferred_recipients},
        {"held_messages", status.held_messages}};
    object["back_pressure"] =
        json::object{{"level", status.pressure}, {"reading", status.pressure_reading}};
    object["dnssec"] = json::object{{"state", status.dnssec}, {"reason", status.dnssec_detail}};
    object["listeners"] = std::move(listeners);
    object["problems"] = std::move(problems);
    object["warnings"] = std::move(warnings);
    return object;
}

}  // namespace mailflow

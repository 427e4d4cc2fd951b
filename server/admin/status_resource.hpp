// /v1/status: is this node well? Gathers from a StatusSource (the daemon) what an administrator
// looks at first.
#pragma once

#include "server/http/http_message.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

struct ListenerStatus {
    std::string connector;
    std::string endpoint;
    std::string tls;  // none, opportunistic, required or implicit
    bool open = true;
    std::string reason;  // why it is not
};

struct ServerStatus {
    std::string node;
    std::string durability;
    std::uint64_t uptime_seconds = 0;
    std::uint64_t messages = 0;
    std::uint64_t active_recipients = 0;
    std::uint64_t deferred_recipients = 0;
    std::uint64_t held_messages = 0;
    std::uint64_t configuration_version = 0;
    std::string pressure = "normal";   // normal, medium or high
    std::string pressure_reading;      // of the resource that is short; empty at normal
    std::string dnssec = "untrusted";  // proven, unproven or untrusted
    std::string dnssec_detail;         // why it is not proven
    std::vector<ListenerStatus> listeners;
    std::vector<std::string> problems;  // unhealthy
    std::vector<std::string> warnings;
};

class StatusSource {
  public:
    virtual ~StatusSource() = default;
    // On the console lane.
    virtual Task<ServerStatus> status() = 0;
    // Likewise. Prometheus' text format.
    virtual Task<std::string> metrics() = 0;
};

[[nodiscard]] boost::json::object to_json(const ServerStatus& status);

}  // namespace mailflow

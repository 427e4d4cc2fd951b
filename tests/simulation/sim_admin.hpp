// What the administrator of a simulated day does, each as an operation the server repeats until it
// got through. Through the organization service, as the admin API does. One thread.
#pragma once

#include "tests/simulation/sim_server.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace mailflow::sim {

[[nodiscard]] AdminOperation create_object(
    std::string type, std::string name, boost::json::object fields, MonotonicTime due = {});
[[nodiscard]] AdminOperation remove_object(std::string type, std::string name, MonotonicTime due);
// Of transport-config.
[[nodiscard]] AdminOperation set_limits(boost::json::object fields, MonotonicTime due = {});
// `Remote`: everything below remote.test, by MX.
[[nodiscard]] AdminOperation create_remote_connector(MonotonicTime due = {});

}  // namespace mailflow::sim

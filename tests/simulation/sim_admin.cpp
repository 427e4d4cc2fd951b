#include "tests/simulation/sim_admin.hpp"

#include <boost/json/array.hpp>

namespace mailflow::sim {

namespace json = boost::json;

AdminOperation create_object(
    std::string type, std::string name, json::object fields, MonotonicTime due) {
    AdminOperation operation;
    operation.name = "create " + type + " " + name;
    operation.due = due;
    operation.run = [type = std::move(type), name = std::move(name), fields = std::move(fields)](
                        MailFlow& flow) {
        return flow.organization().create({type, name, fields, {"simulation", "create"}, false});
    };
    return operation;
}

AdminOperation set_limits(json::object fields, MonotonicTime due) {
    AdminOperation operation;
    operation.name = "set transport-config";
    operation.due = due;
    operation.run = [fields = std::move(fields)](MailFlow& flow) {
        return flow.organization().set(
            {"transport-config", "", fields, {"simulation", "set"}, false});
    };
    return operation;
}

AdminOperation remove_object(std::string type, std::string name, MonotonicTime due) {
    AdminOperation operation;
    operation.name = "remove " + type + " " + name;
    operation.due = due;
    operation.run = [type = std::move(type), name = std::move(name)](MailFlow& flow) {
        return flow.organization().remove({type, name, {}, {"simulation", "remove"}, false});
    };
    return operation;
}

AdminOperation create_remote_connector(MonotonicTime due) {
    return create_object(
        "send-connector", "Remote", {{"address_spaces", {"smtp:*.remote.test"}}}, due);
}

}  // namespace mailflow::sim

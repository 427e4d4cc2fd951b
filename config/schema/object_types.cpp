#include "config/schema/address_types.hpp"
#include "config/schema/domain_types.hpp"
#include "config/schema/object_type.hpp"
#include "config/schema/receive_connector_type.hpp"
#include "config/schema/recipient_types.hpp"
#include "config/schema/send_connector_type.hpp"
#include "config/schema/transport_config_type.hpp"

#include <algorithm>

namespace mailflow::schema {

namespace {

// A flag is the name with dashes, where the field does not give the singular of a list.
void complete_flags(ObjectType& type) {
    for (auto& field : type.fields) {
        if (field.flag.empty()) {
            field.flag = field.name;
            std::replace(field.flag.begin(), field.flag.end(), '_', '-');
        }
    }
}

std::vector<ObjectType> make_types() {
    std::vector<ObjectType> types = {
        transport_config_type(),
        accepted_domain_type(),
        remote_domain_type(),
        address_policy_type(),
        address_rewrite_type(),
        system_message_type(),
        receive_connector_type(),
        node_type(),
        send_connector_type(),
        destination_policy_type(),
        mailbox_type(),
        contact_type(),
        group_type(),
    };
    for (auto& type : types)
        complete_flags(type);
    return types;
}

}  // namespace

std::span<const ObjectType> object_types() {
    static const std::vector<ObjectType> kTypes = make_types();
    return kTypes;
}

const ObjectType* find_type(std::string_view name) {
    const auto types = object_types();
    const auto found = std::find_if(
        types.begin(), types.end(), [name](const ObjectType& type) { return type.name == name; });
    return found == types.end() ? nullptr : &*found;
}

const Field* find_field(const ObjectType& type, std::string_view name) {
    const auto found =
        std::find_if(type.fields.begin(), type.fields.end(), [name](const Field& field) {
            return field.name == name;
        });
    return found == type.fields.end() ? nullptr : &*found;
}

const Field* find_flag(const ObjectType& type, std::string_view flag) {
    const auto found =
        std::find_if(type.fields.begin(), type.fields.end(), [flag](const Field& field) {
            return field.flag == flag && !field.read_only;
        });
    return found == type.fields.end() ? nullptr : &*found;
}

}  // namespace mailflow::schema

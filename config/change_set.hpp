// Sets of changes as values: what the objects would be after them, and the changes a first start
// makes. Pure; used by OrganizationService and by stores that live in memory.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// Null when there is none; names compare without case.
[[nodiscard]] const ObjectRecord* find_object(
    const ObjectSet& objects, std::string_view type, std::string_view name);

// The objects after the changes, by type, then name; the version is unchanged.
[[nodiscard]] ObjectSet with_changes(ObjectSet objects, const std::vector<ObjectChange>& changes);

// What the first start of an empty store is told. A default connector without bindings is not made.
struct FirstStart {
    std::string domain;  // the default accepted domain; empty: the domain part of the node's FQDN
    std::vector<Endpoint> smtp = {};         // bindings of `Default Frontend <fqdn>`
    std::vector<Endpoint> submission = {};   // of `Client Frontend <fqdn>`: STARTTLS, then AUTH
    std::vector<Endpoint> submissions = {};  // of `Client Frontend TLS <fqdn>`: TLS on connect
};

// What an empty store gets: the default accepted domain, the receive connectors for mail from
// anywhere and for submission, and the transport configuration.
[[nodiscard]] std::vector<ObjectChange> first_objects(
    const NodeSettings& node, const FirstStart& first, std::vector<schema::Problem>& problems);

// `contoso.com` of `mail.contoso.com`.
[[nodiscard]] std::string domain_part(std::string_view fqdn);

}  // namespace mailflow

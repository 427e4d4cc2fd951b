// The part of OrganizationService that asks the world before a change of receive connectors is
// stored: whether their bindings can be opened, and whether their certificates are there.
#include "config/organization_service.hpp"

#include <algorithm>

namespace mailflow {

using schema::Problem;

namespace {

std::string title_of(const ReceiveConnector& connector) {
    return schema::object_title(*schema::find_type("receive-connector"), connector.name);
}

bool wants(const ReceiveConnector& connector, const Endpoint& binding) {
    const auto& bindings = connector.bindings;
    return connector.enabled &&
           std::find(bindings.begin(), bindings.end(), binding) != bindings.end();
}

const ReceiveConnector* first_that_wants(
    const Organization& organization, const Endpoint& binding) {
    const auto& connectors = organization.receive_connectors();
    const auto found = std::find_if(
        connectors.begin(), connectors.end(), [&binding](const ReceiveConnector& connector) {
            return wants(connector, binding);
        });
    return found == connectors.end() ? nullptr : &*found;
}

// What would be opened that is not open now: a binding that could not be opened before does not
// stop changes elsewhere.
std::vector<Endpoint> new_bindings(const Organization& before, const Organization& next) {
    std::vector<Endpoint> added;
    for (const auto& connector : next.receive_connectors()) {
        for (const auto& binding : connector.bindings) {
            const bool known = !connector.enabled || first_that_wants(before, binding) != nullptr ||
                               std::find(added.begin(), added.end(), binding) != added.end();
            if (!known) added.push_back(binding);
        }
    }
    return added;
}

bool had_certificate(const Organization& before, const std::string& certificate) {
    const auto& connectors = before.receive_connectors();
    return std::any_of(
        connectors.begin(), connectors.end(), [&certificate](const ReceiveConnector& connector) {
            return connector.certificate == certificate;
        });
}

}  // namespace

Task<std::vector<Problem>> OrganizationService::find_refused_bindings(OrganizationPtr next) {
    std::vector<Problem> problems;
    if (organization_ == nullptr || !parts_.probe_bindings) {
        co_return problems;
    }
    auto wanted = new_bindings(*organization_, *next);
    if (wanted.empty()) {
        co_return problems;
    }
    const auto refused = co_await parts_.probe_bindings(std::move(wanted));
    for (const auto& binding : refused) {
        const auto* connector = first_that_wants(*next, binding.binding);
        problems.push_back(
            {connector == nullptr ? std::string() : title_of(*connector),
             "bindings",
             binding.binding.text() + " cannot be opened: " + binding.reason +
                 ". Choose another address or port, or free this one"});
    }
    co_return problems;
}

std::vector<std::string> OrganizationService::certificate_warnings(const Organization& next) const {
    std::vector<std::string> warnings;
    if (organization_ == nullptr || !parts_.has_certificate) {
        return warnings;
    }
    for (const auto& connector : next.receive_connectors()) {
        const auto& certificate = connector.certificate;
        const bool is_new = !certificate.empty() && !had_certificate(*organization_, certificate);
        if (is_new && !parts_.has_certificate(certificate)) {
            warnings.push_back(
                title_of(connector) + ": there is no certificate \"" + certificate +
                "\"; TLS is not offered until there is");
        }
    }
    return warnings;
}

}  // namespace mailflow

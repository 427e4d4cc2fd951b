#include "server/daemon/node_status.hpp"

#include "server/daemon/port_holder.hpp"
#include "transport/net/call_on.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// Of the connector of this name, as an administrator writes it.
std::string tls_of(const Organization* organization, const std::string& connector) {
    if (organization == nullptr) {
        return {};
    }
    const auto& all = organization->receive_connectors();
    const auto found = std::find_if(
        all.begin(), all.end(), [&connector](const auto& one) { return one.name == connector; });
    if (found == all.end()) {
        return {};
    }
    switch (found->tls) {
        case TlsMode::none: return "none";
        case TlsMode::opportunistic: return "opportunistic";
        case TlsMode::required: return "required";
        case TlsMode::implicit: break;
    }
    return "implicit";
}

}  // namespace

NodeStatus::NodeStatus(Parts parts)
    : parts_(std::move(parts))
    , started_(parts_.clock.monotonic()) {}

Task<NodeStatus::Gathered> NodeStatus::gather_there(MailFlow* flow) {
    Gathered result{
        flow->listeners(),
        flow->store_statistics(),
        flow->observation().figures(),
        flow->resolver().dnssec(),
        flow->resolver().dnssec_detail()};
    const auto statistics = flow->queue_statistics();
    result.queue.active_recipients = statistics.rows;
    result.queue.running_attempts = statistics.running;
    result.queue.stuck_recipients =
        std::max<std::uint64_t>(result.queue.stuck_recipients, statistics.stuck);
    const auto totals = co_await flow->queue_totals();
    if (totals) {
        result.queue.totals = *totals;
    }
    co_return result;
}

Task<NodeStatus::Gathered> NodeStatus::gather() {
    const auto there = [flow = &parts_.flow] {
        return gather_there(flow);
    };
    auto gathered = co_await call_on(parts_.console, parts_.flow.queue_lane(), there);
    co_return gathered;
}

// /proc is read by a worker.
Task<std::string> NodeStatus::why_closed(ListenerState listener) {
    std::string holder;
    if (listener.error == boost::system::errc::address_in_use) {
        const auto look = [&listener] {
            return find_port_holder(listener.binding, HolderSearch::anyone);
        };
        holder = co_await offload(parts_.worker, look);
    }
    co_return binding_failure_words(listener.error, holder);
}

Task<void> NodeStatus::add_listeners(
    ServerStatus& status, const std::vector<ListenerState>& listeners) {
    const auto organization = parts_.flow.organization().organization();
    for (const auto& listener : listeners) {
        std::string reason;
        if (!listener.is_open()) {
            reason = co_await why_closed(listener);
            status.problems.push_back(
                "cannot listen on " + listener.binding.text() + ": " + reason);
        }
        for (const auto& connector : listener.connectors) {
            status.listeners.push_back(
                {connector,
                 listener.is_open() ? listener.local.text() : listener.binding.text(),
                 tls_of(organization.get(), connector),
                 listener.is_open(),
                 reason});
        }
    }
}

void NodeStatus::add_pressure(ServerStatus& status, const QueueFigures& queue) {
    const auto& pressure = queue.pressure;
    status.pressure = to_text(pressure.level);
    if (pressure.level == PressureLevel::normal) {
        return;
    }
    status.pressure_reading = describe(pressure.resource, queue.readings);
    if (pressure.level == PressureLevel::high) {
        status.problems.push_back(
            "back pressure is high, no mail is taken: " + status.pressure_reading);
    } else {
        status.warnings.push_back(
            "back pressure is medium, mail from strangers is slowed down or put off: " +
            status.pressure_reading);
    }
}

// Decisions §2.8. A host whose administrator never said whom to believe gets along without DANE,
// and is told.
void NodeStatus::add_dnssec(ServerStatus& status, const Gathered& gathered) const {
    status.dnssec = to_text(gathered.dnssec);
    status.dnssec_detail = gathered.dnssec_detail;
    const auto organization = parts_.flow.organization().organization();
    if (gathered.dnssec == DnssecTrust::proven || organization == nullptr) {
        return;
    }
    const auto& connectors = organization->send_connectors();
    const bool wanted = std::any_of(connectors.begin(), connectors.end(), [](const auto& one) {
        return one.enabled && one.routing == SendRouting::mx && one.dane && !one.ignore_starttls;
    });
    if (!wanted) {
        return;
    }
    auto words = "DANE is off: " + gathered.dnssec_detail;
    if (parts_.counts_on_dane) {
        status.problems.push_back(std::move(words));
    } else if (gathered.dnssec == DnssecTrust::unproven) {
        status.warnings.push_back(
            words + ". Run a validating resolver on this host, or set [dns] trust_ad");
    }
}

Task<ServerStatus> NodeStatus::status() {
    const auto gathered = co_await gather();
    ServerStatus result;
    result.node = parts_.node;
    result.durability = parts_.durability;
    const auto up = parts_.clock.monotonic() - started_;
    result.uptime_seconds =
        static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(up).count());
    result.active_recipients = gathered.queue.active_recipients;
    result.messages = gathered.queue.totals.messages;
    result.deferred_recipients = gathered.queue.totals.deferred_recipients;
    result.held_messages = gathered.queue.totals.held_messages;
    if (const auto organization = parts_.flow.organization().organization()) {
        result.configuration_version = organization->version();
    }
    co_await add_listeners(result, gathered.listeners);
    add_pressure(result, gathered.queue);
    add_dnssec(result, gathered);
    if (gathered.queue.stuck_recipients > 0) {
        result.problems.push_back(
            std::to_string(gathered.queue.stuck_recipients) +
            " recipients are due and nothing moves them");
    }
    if (!gathered.store.failure.empty()) {
        result.problems.push_back("the queue store takes nothing more: " + gathered.store.failure);
    }
    if (const auto broken = parts_.flow.organization_failure(); !broken.empty()) {
        result.problems.push_back("the organization store takes no change: " + broken);
    }
    if (const auto* const certificates = parts_.flow.certificates()) {
        for (const auto& warning : certificates->warnings()) {
            result.warnings.push_back(warning.text);
        }
    }
    if (parts_.flow.organization().list("send-connector").empty()) {
        result.warnings.emplace_back(
            "no send connector: mail to other domains waits. smtpctl send-connector create "
            "Internet --usage internet --address-space '*'");
    }
    co_return result;
}

Task<std::string> NodeStatus::metrics() {
    const auto gathered = co_await gather();
    co_return parts_.flow.observation().metrics_text(gathered.queue);
}

}  // namespace mailflow

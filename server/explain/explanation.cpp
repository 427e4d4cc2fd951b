#include "server/explain/explanation.hpp"

#include "transport/org/delivery_target.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

json::array array_of(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts)
        array.emplace_back(text);
    return array;
}

json::array array_of(const std::vector<Explanation::Loser>& losers) {
    json::array array;
    for (const auto& loser : losers) {
        json::object one{{"name", loser.name}, {"reason", loser.reason}};
        if (!loser.address_space.empty()) one["address_space"] = loser.address_space;
        array.push_back(std::move(one));
    }
    return array;
}

json::object to_json(const Explanation::Check& check) {
    return {
        {"stage", check.stage},
        {"subject", check.subject},
        {"check", check.name},
        {"passed", !check.refusal},
        {"reply", check.refusal ? check.refusal->one_line() : ""},
        {"detail", check.detail}};
}

json::object to_json(const CategorizerNote& step) {
    return {
        {"stage", to_text(step.stage)},
        {"before", step.before},
        {"after", array_of(step.after)},
        {"reason", step.reason},
        {"status", step.status}};
}

const char* outcome_of(const Explanation::Recipient& recipient) {
    switch (recipient.queued.state) {
        case RecipientState::failed: return "fails";
        case RecipientState::delivered: return "expanded";
        default: break;
    }
    if (!recipient.hop) {
        return "fails";
    }
    if (recipient.hop->is_waiting_room()) {
        return "waits";
    }
    return recipient.queued.target == RecipientTarget::mailbox ? "delivered" : "sent";
}

json::object to_json(const Explanation::Recipient& recipient) {
    const auto& row = recipient.queued;
    json::object object{
        {"address", row.address.text()},
        {"original", row.original},
        {"outcome", outcome_of(recipient)},
        {"mail_from", recipient.reverse_path.text()},
        {"mailbox", row.mailbox},
        {"place", row.target == RecipientTarget::mailbox ? to_text(row.place) : ""},
        {"next_hop", recipient.hop ? recipient.hop->key() : ""},
        {"failure", recipient.failure},
        {"send_connector", recipient.send_connector},
        {"address_space", recipient.address_space},
        {"other_connectors", array_of(recipient.losers)},
        {"hosts_detail", recipient.hosts},
        {"tls", recipient.tls}};
    json::array header;
    for (const auto& change : recipient.header) {
        header.push_back(json::object{{"before", change.before}, {"after", change.after}});
    }
    object["header"] = std::move(header);
    json::array hosts;
    for (const auto& target : recipient.targets) {
        hosts.push_back(json::object{{"host", target.host}, {"endpoint", target.endpoint.text()}});
    }
    object["hosts"] = std::move(hosts);
    return object;
}

template <class T>
json::array all_of(const std::vector<T>& entries) {
    json::array array;
    for (const auto& entry : entries)
        array.push_back(to_json(entry));
    return array;
}

}  // namespace

bool Explanation::is_accepted() const noexcept {
    return std::none_of(
        checks.begin(), checks.end(), [](const Check& check) { return check.refusal.has_value(); });
}

json::object to_json(const Explanation& explanation) {
    json::object object;
    object["accepted"] = explanation.is_accepted();
    object["local"] = explanation.local;
    object["receive_connector"] = explanation.connector;
    object["why"] = explanation.why;
    object["other_receive_connectors"] = array_of(explanation.losers);
    object["checks"] = all_of(explanation.checks);
    object["steps"] = all_of(explanation.steps);
    object["recipients"] = all_of(explanation.recipients);
    object["notes"] = array_of(explanation.notes);
    return object;
}

}  // namespace mailflow

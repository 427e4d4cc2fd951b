#include "tests/transport/queue/expected_rows.hpp"

#include <algorithm>
#include <map>

namespace mailflow {

namespace {

bool is_postmaster_or_abuse(const EmailAddress& address) {
    return address.local() == "postmaster" || address.local() == "abuse";
}

bool forwards(const MailRecipient& recipient) {
    return recipient.kind == RecipientKind::mailbox && recipient.forwarding.is_set();
}

// `*` before `*.relay.test` before `*.sub.relay.test` before `relay.test`.
std::size_t closeness(const AddressSpace& space) {
    const auto text = space.text();
    const auto domain = text.substr(text.find(':') + 1, text.find(';') - text.find(':') - 1);
    return domain == "*" ? 1 : domain.starts_with("*.") ? 2 + domain.size() : 1000;
}

}  // namespace

std::vector<std::string> ExpectedRows::of(const CategorizeRequest& request) {
    request_ = &request;
    later_.clear();
    mailboxes_.clear();
    expanded_.clear();
    elsewhere_.clear();
    failed_.clear();
    const auto& settings = organization_.transport();
    const auto& account = request.sender.account;
    const auto own = account ? account->limits.max_recipients : std::nullopt;
    if (request.recipients.size() > own.value_or(settings.max_recipient_envelope_limit)) {
        for (std::size_t i = 0; i < request.recipients.size(); ++i)
            fail(request.recipients[i].path.address(), {.root = i}, "5.5.3");
    } else {
        for (std::size_t i = 0; i < request.recipients.size(); ++i)
            walk_address(request.recipients[i].path.address(), {.root = i}, true);
        // Who is named himself comes before those that groups and forwardings lead to.
        for (const auto& [recipient, what] : std::exchange(later_, {}))
            walk(*recipient, {.root = what.first}, what.second);
        if (settings.always_bcc && mailboxes_.size() + elsewhere_.size() > 0) {
            walk_address(
                *settings.always_bcc, {.root = request.recipients.size(), .is_exempt = true});
        }
    }

    std::vector<std::string> rows(elsewhere_.begin(), elsewhere_.end());
    for (const auto* mailbox : mailboxes_)
        rows.push_back(mailbox->name);
    for (const auto& [root, address, status] : failed_) {
        const auto original = root < request.recipients.size()
                                  ? request.recipients[root].path.text()
                                  : settings.always_bcc->text();
        rows.push_back(original + " > " + address + ' ' + status);
    }
    std::sort(rows.begin(), rows.end());
    return rows;
}

// ---- one after the other

void ExpectedRows::walk_address(const EmailAddress& given, const Way& way, bool is_named) {
    const auto address = mapped(given);
    const auto* const domain =
        address.domain() ? organization_.find_accepted_domain(*address.domain()) : nullptr;
    if (domain == nullptr) {
        send_to(address, way);
        return;
    }
    const bool is_role = is_postmaster_or_abuse(address);
    const auto* const found = found_in(*domain, address, is_role);
    if (found == nullptr && domain->type == AcceptedDomainType::authoritative) {
        fail(address, way, "5.1.1");
    } else if (found == nullptr) {
        send_to(address, way);
    } else if (is_named && (found->kind == RecipientKind::group || forwards(*found))) {
        later_.push_back({found, {way.root, is_role}});
    } else {
        walk(*found, way, is_role);
    }
}

void ExpectedRows::walk(const MailRecipient& recipient, Way way, bool is_role) {
    const bool is_group = recipient.kind == RecipientKind::group;
    if (!is_group && is_circle(recipient, way)) {
        return;
    }
    if (!is_role && !way.is_exempt) {
        const auto status = refused_with(recipient);
        if (!status.empty()) {
            fail(recipient.primary(), way, status);
            return;
        }
    }
    if (is_group) {
        walk_group(recipient, std::move(way));
        return;
    }
    way.chain.push_back(&recipient);
    if (recipient.kind == RecipientKind::contact) {
        const auto& outside = *recipient.external_address;
        const bool is_ours =
            outside.domain() && organization_.find_accepted_domain(*outside.domain()) != nullptr;
        is_ours&& at(outside) != &recipient ? walk_address(outside, way) : send_to(outside, way);
        return;
    }
    const auto& forwarding = recipient.forwarding;
    if (!forwarding.is_set() || forwarding.deliver_and_forward) {
        mailboxes_.insert(&recipient);
    }
    way.is_forwarded = way.is_forwarded || forwarding.is_set();
    if (!forwarding.recipient.empty()) {
        walk(*named(forwarding.recipient), way);
    } else if (forwarding.address) {
        walk_address(*forwarding.address, way);
    }
}

void ExpectedRows::walk_group(const MailRecipient& group, Way way) {
    if (expanded_.contains(&group)) {
        return;
    }
    const bool is_null = request_->sender.path.is_null();
    const bool is_reply = request_->auto_submitted == AutoSubmitted::replied;
    if (is_reply ? !group.group.send_oof_to_originator : is_null && !group.group.report_to_owner) {
        return;
    }
    expanded_.insert(&group);
    if (is_null && group.group.report_to_owner) {
        const auto& owners = group.group.owners;
        const auto owner = std::find_if(owners.begin(), owners.end(), [this](const auto& name) {
            return named(name)->kind != RecipientKind::group;
        });
        way.is_exempt = true;
        if (owner != owners.end()) walk(*named(*owner), way);
        return;
    }
    const auto& list = directory_.members.at(group.name);
    for (const auto& name : std::set<std::string>(list.begin(), list.end()))
        walk(*named(name), way);
}

void ExpectedRows::send_to(const EmailAddress& address, const Way& way) {
    const bool is_ours =
        address.domain() && organization_.find_accepted_domain(*address.domain()) != nullptr;
    for (const auto& domain : organization_.remote_domains()) {
        const bool is_there = !is_ours && address.domain() && *address.domain() == *domain.domain;
        const bool replies = request_->auto_submitted == AutoSubmitted::replied;
        if (is_there && ((replies && !domain.auto_reply_enabled) ||
                         (way.is_forwarded && !domain.auto_forward_enabled))) {
            return;
        }
    }
    elsewhere_.insert(address.text());
}

void ExpectedRows::fail(const EmailAddress& address, const Way& way, const std::string& status) {
    const auto same = std::find_if(failed_.begin(), failed_.end(), [&](const auto& one) {
        return std::get<0>(one) == way.root && std::get<1>(one) == address.text();
    });
    if (same == failed_.end()) {
        failed_.emplace(way.root, address.text(), status);
    }
}

// Somebody in it who keeps a copy makes it harmless.
bool ExpectedRows::is_circle(const MailRecipient& recipient, const Way& way) {
    const auto begin = std::find(way.chain.begin(), way.chain.end(), &recipient);
    if (begin == way.chain.end()) {
        return false;
    }
    const bool is_harmless = std::any_of(begin, way.chain.end(), [](const auto* link) {
        return link->kind == RecipientKind::mailbox && link->forwarding.deliver_and_forward;
    });
    if (!is_harmless) {
        fail(recipient.primary(), way, "5.4.6");
    }
    return true;
}

// ---- who may send to whom

std::string ExpectedRows::refused_with(const MailRecipient& recipient) const {
    const auto& limits = recipient.limits;
    const auto& sender = request_->sender;
    if (limits.require_authenticated_sender && !sender.is_authenticated) {
        return "5.7.1";
    }
    const bool asks = !sender.path.is_null() || recipient.kind == RecipientKind::group;
    if (asks && is_listed(limits.reject_from)) {
        return "5.7.1";
    }
    if (asks && !limits.accept_from.empty() && !is_listed(limits.accept_from)) {
        return "5.7.1";
    }
    return limits.max_receive_size && request_->size > *limits.max_receive_size ? "5.2.3" : "";
}

bool ExpectedRows::is_listed(const std::vector<std::string>& names) const {
    const auto& path = request_->sender.path;
    const auto* const sender = path.is_null() ? nullptr : at(path.address());
    return sender != nullptr && std::any_of(names.begin(), names.end(), [&](const auto& name) {
               return name == sender->name || is_below(name, sender->name);
           });
}

bool ExpectedRows::is_below(const std::string& group, const std::string& name) const {
    std::set<std::string> reached{group};
    for (std::size_t before = 0; before != reached.size();) {
        before = reached.size();
        for (const auto& one : std::set<std::string>(reached)) {
            const auto found = directory_.members.find(one);
            if (found != directory_.members.end()) {
                reached.insert(found->second.begin(), found->second.end());
            }
        }
    }
    // Only what a group leads to is below it; the group itself may be so too.
    return group == name ? false : reached.contains(name);
}

// ---- tables

EmailAddress ExpectedRows::mapped(const EmailAddress& address) const {
    for (const auto& entry : organization_.address_rewrites()) {
        const bool is_it = !entry.outbound_only && entry.external.address &&
                           entry.external.address->text() == address.text();
        if (is_it) return *entry.internal.address;
    }
    for (const auto& entry : organization_.address_rewrites()) {
        const bool is_it = !entry.outbound_only && entry.external.domain && address.domain() &&
                           *entry.external.domain == *address.domain();
        if (is_it) return EmailAddress::of(address.local(), *entry.internal.domain);
    }
    return address;
}

const MailRecipient* ExpectedRows::named(const std::string& name) const {
    const auto& all = directory_.recipients;
    const auto found =
        std::find_if(all.begin(), all.end(), [&name](const auto& one) { return one.name == name; });
    return found == all.end() ? nullptr : &*found;
}

const MailRecipient* ExpectedRows::at(const EmailAddress& address) const {
    const MailRecipient* found = nullptr;
    for (const auto& recipient : directory_.recipients) {
        for (const auto& own : recipient.addresses)
            found = own.text() == address.text() ? &recipient : found;
    }
    return found;
}

const MailRecipient* ExpectedRows::found_in(
    const AcceptedDomain& domain, const EmailAddress& address, bool is_role) const {
    const bool has_recipients = domain.type != AcceptedDomainType::external_relay;
    const MailRecipient* found = has_recipients || is_role ? at(address) : nullptr;
    const auto plus = address.local().find('+');
    if (!found && has_recipients && !domain.recipient_delimiter.empty() &&
        plus != std::string::npos) {
        found = at(EmailAddress::of(address.local().substr(0, plus), *address.domain()));
    }
    if (!found && is_role) {
        found = at(EmailAddress::of("postmaster", organization_.default_domain().domain));
    }
    if (!found && has_recipients && !domain.catch_all.empty()) {
        found = named(domain.catch_all);
    }
    return found;
}

// ---- routing

std::string ExpectedRows::hop_of(const QueuedRecipient& row, std::uint64_t size) const {
    if (row.target == RecipientTarget::mailbox) {
        const auto& target = named(row.mailbox)->target;
        switch (target.kind) {
            case DeliveryTarget::Kind::maildir: return "mailbox|maildir|";
            case DeliveryTarget::Kind::lmtp: return "lmtp|" + target.place + '|';
            case DeliveryTarget::Kind::smtp: return "smtp-host|" + target.place + '|';
        }
    }
    const auto domain = row.address.domain_text();
    // Closest first, then cheapest, then ours, then by name.
    using Rank = std::tuple<std::size_t, std::uint32_t, bool, std::string>;
    std::map<Rank, const SendConnector*> ranked;
    bool is_too_large = false;
    for (const auto& connector : organization_.send_connectors()) {
        const bool is_ours = connector.source_servers.front() == organization_.node().fqdn;
        if (!connector.enabled || (connector.scoped && !is_ours)) continue;
        for (const auto& space : connector.address_spaces) {
            if (!space.matches(domain)) continue;
            if (connector.max_message_size && size > *connector.max_message_size) {
                is_too_large = true;
                continue;
            }
            ranked.emplace(
                Rank{1000 - closeness(space), space.cost(), !is_ours, connector.name}, &connector);
        }
    }
    if (ranked.empty()) {
        return is_too_large ? "" : "unreachable||";
    }
    const auto& first = *ranked.begin()->second;
    if (first.source_servers.front() != organization_.node().fqdn) {
        return "other-node|" + first.source_servers.front() + '|' + first.name;
    }
    return first.routing == SendRouting::smart_hosts ? "smart-host|[192.0.2.25]|" + first.name
                                                     : "dns|" + domain + '|' + first.name;
}

}  // namespace mailflow

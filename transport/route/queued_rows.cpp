// The rows of the answer: each recipient once, with what its queue needs to know.

#include "transport/base/ascii.hpp"
#include "transport/route/categorization_work.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// RFC 3461 §4.2, RFC 6533 §3: the type of an ORCPT.
std::string original_recipient(const std::string& address) {
    const bool is_ascii = std::none_of(address.begin(), address.end(), [](char c) {
        return static_cast<unsigned char>(c) > 0x7f;
    });
    return (is_ascii ? "rfc822;" : "utf-8;") + address;
}

const RemoteDomain* find_default(const Organization& organization) noexcept {
    for (const auto& entry : organization.remote_domains()) {
        if (!entry.domain) {
            return &entry;
        }
    }
    return nullptr;
}

}  // namespace

bool Categorization::Work::is_new(std::string key) {
    return seen_.insert(std::move(key)).second;
}

std::string Categorization::Work::original_of(const CategorizerWay& way) const {
    if (way.root < request_.recipients.size()) {
        return request_.recipients[way.root].path.text();
    }
    return organization_.transport().always_bcc->text();
}

QueuedRecipient& Categorization::Work::add_row(
    EmailAddress address, const CategorizerWayPtr& way, bool leaves) {
    auto original = original_of(*way);
    auto dsn = way->dsn;
    const bool is_named = way->root < request_.recipients.size();
    if (is_named && dsn.original_recipient.empty()) {
        // Fact 15: ORCPT keeps the address mail was sent to.
        if (!ascii::equal_ignoring_case(original, address.text())) {
            dsn.original_recipient = original_recipient(original);
        }
    }
    marks_.push_back({way, leaves});
    return answer_.recipients.emplace_back(QueuedRecipient{
        .target = RecipientTarget::remote,
        .address = std::move(address),
        .original = std::move(original),
        .mailbox = {},
        .next_hop = {},
        .last = std::nullopt,
        .dsn = std::move(dsn)});
}

void Categorization::Work::deliver_here(
    const MailRecipient& mailbox, const CategorizerWayPtr& way) {
    if (!is_new("m|" + ascii::to_lower(mailbox.name))) {
        return;
    }
    auto& row = add_row(mailbox.primary(), way, false);
    row.target = RecipientTarget::mailbox;
    row.mailbox = mailbox.name;
    row.place = delivery_place(mailbox);
}

// Reference 5.5: what a domain elsewhere is not to get.
std::optional<std::string> Categorization::Work::forbidden_by_domain(
    const EmailAddress& address, const CategorizerWay& way) const {
    const auto& name = address.domain();
    if (request_.sender.is_own_report || organization_.remote_domains().empty() ||
        (name && organization_.find_accepted_domain(*name) != nullptr)) {
        return std::nullopt;
    }
    const auto* const domain =
        name ? &organization_.find_remote_domain(*name) : find_default(organization_);
    if (domain == nullptr) {
        return std::nullopt;
    }
    if (request_.auto_submitted == AutoSubmitted::replied && !domain->auto_reply_enabled) {
        return "automatic replies to remote domain " + domain->name + " are switched off";
    }
    if (way.forwarder != nullptr && !domain->auto_forward_enabled) {
        return "forwarding to remote domain " + domain->name + " is switched off";
    }
    return std::nullopt;
}

void Categorization::Work::send_to(EmailAddress address, const CategorizerWayPtr& way) {
    auto forbidden = forbidden_by_domain(address, *way);
    if (forbidden) {
        drop(address, way, std::move(*forbidden));
        return;
    }
    if (const auto refusal = check_outbound_size(request_.sender, request_.size, organization_)) {
        fail(std::move(address), way, *refusal);
        return;
    }
    if (is_new("r|" + address.text())) {
        add_row(std::move(address), way, true);
    }
}

void Categorization::Work::fail(
    EmailAddress address, const CategorizerWayPtr& way, const Refusal& refusal) {
    // Each of those who were named is answered for.
    if (!is_new("f|" + std::to_string(way->root) + '|' + address.text())) {
        return;
    }
    auto failure = refusal.failure();
    note(
        {CategorizerStage::restrict,
         address.text(),
         {},
         failure.diagnostic,
         TrackingEventId::fail,
         failure.status.text()});
    auto& row = add_row(std::move(address), way, false);
    row.state = RecipientState::failed;
    row.last = std::move(failure);
}

void Categorization::Work::drop(
    const EmailAddress& address, const CategorizerWayPtr& way, std::string reason) {
    if (is_new("d|" + std::to_string(way->root) + '|' + address.text())) {
        note(
            {CategorizerStage::expand,
             address.text(),
             {},
             std::move(reason),
             TrackingEventId::remove});
    }
}

// RFC 3461 §5.2.7.3: a group that was named is reported as expanded, once, when success was asked.
void Categorization::Work::report_expanded(
    const MailRecipient& group, const CategorizerWayPtr& way) {
    const bool is_asked = way->dsn.wants(NotifyOn::success) && !request_.sender.path.is_null();
    if (way->depth > 0 || !is_asked || !is_new("g|" + ascii::to_lower(group.name))) {
        return;
    }
    DeliveryStatus status;
    status.action = DeliveryAction::expanded;
    status.status = {2, 1, 5};
    status.diagnostic = "250 2.1.5 expanded to its members";
    auto& row = add_row(group.primary(), way, false);
    row.state = RecipientState::delivered;
    row.last = std::move(status);
}

}  // namespace mailflow

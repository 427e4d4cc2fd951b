// From one frame to the next: what a path, a member or a forwarding leads to.

#include "transport/base/ascii.hpp"
#include "transport/route/categorization_work.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Members that tracking is told of one expansion.
constexpr std::size_t kMaxNotedMembers = 1000;
// Groups that one message is expanded through.
constexpr std::size_t kMaxExpandedGroups = 10'000;

constexpr std::uint8_t bit_of(NotifyOn event) noexcept {
    return static_cast<std::uint8_t>(event);
}

// Success is reported once, by who was named (RFC 3461 §5.2.7.3).
void leave_out_success(DsnRequest& dsn) noexcept {
    if ((dsn.notify & bit_of(NotifyOn::success)) != 0) {
        dsn.notify = static_cast<std::uint8_t>(dsn.notify & ~bit_of(NotifyOn::success));
        if (dsn.notify == 0) {
            dsn.notify = bit_of(NotifyOn::never);
        }
    }
}

bool is_forwarding(const MailRecipient& recipient) noexcept {
    return recipient.kind == RecipientKind::mailbox && recipient.forwarding.is_set();
}

// Local parts of ours ignore case.
bool is_same(const ForwardPath& path, const EmailAddress& primary) noexcept {
    return path.is_bare_postmaster()
               ? ascii::equal_ignoring_case(primary.local(), "postmaster")
               : ascii::equal_ignoring_case(path.address().local(), primary.local()) &&
                     path.address().domain_text() == primary.domain_text();
}

std::string reason_of(ResolvedBy by) {
    switch (by) {
        case ResolvedBy::address: break;
        case ResolvedBy::subaddress: return "without its subaddress";
        case ResolvedBy::role: return "the postmaster of the default domain";
        case ResolvedBy::catch_all: return "catch-all of the domain";
    }
    return "another address of the recipient";
}

}  // namespace

// Frames move when one is pushed, so they are known by their position.
Categorization::Work::Step Categorization::Work::follow(std::size_t frame) {
    if (frames_[frame].is_open) {
        return expand_group(frame);
    }
    if (frames_[frame].path) {
        return resolve(frame);
    }
    if (frames_[frame].resolved) {
        return follow_resolved(frame);
    }
    return follow_recipient(frame);
}

void Categorization::Work::pop(std::size_t frame) {
    frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(frame));
}

// ---- resolve

Categorization::Work::Step Categorization::Work::resolve(std::size_t number) {
    auto& frame = frames_[number];
    auto resolved =
        resolve_recipient(*frame.path, organization_, request_.tools, request_.now, facts);
    if (!resolved) {
        return Step::wanted;
    }
    frame.resolved = std::move(resolved);
    frame.path.reset();
    return Step::done;
}

Categorization::Work::Step Categorization::Work::follow_resolved(std::size_t number) {
    auto& frame = frames_[number];
    auto resolved = *std::exchange(frame.resolved, std::nullopt);
    const auto way = frame.way;
    const bool is_named = way->chain.empty() && way->depth == 0;
    const bool is_told = is_named && way->root < request_.recipients.size();
    if (resolved.rewrite != nullptr || resolved.is_srs) {
        note(
            {CategorizerStage::rewrite,
             original_of(*way),
             {resolved.address.text()},
             resolved.is_srs ? "SRS" : "address-rewrite " + resolved.rewrite->name,
             TrackingEventId::rewrite});
    }
    const bool is_changed = is_told && resolved.recipient != nullptr &&
                            !is_same(request_.recipients[way->root].path, resolved.address);
    if (is_changed || wants_notes()) {
        note(
            {CategorizerStage::resolve,
             original_of(*way),
             {resolved.address.text()},
             is_changed ? reason_of(resolved.by) : to_text(resolved.kind),
             is_changed ? std::optional(TrackingEventId::resolve) : std::nullopt});
    }
    switch (resolved.kind) {
        case ResolvedKind::unknown:
            fail(std::move(resolved.address), way, unknown_recipient());
            pop(number);
            return Step::done;
        case ResolvedKind::relay:
        case ResolvedKind::external:
            send_to(std::move(resolved.address), way);
            pop(number);
            return Step::done;
        case ResolvedKind::mailbox:
        case ResolvedKind::contact:
        case ResolvedKind::group: break;
    }
    frame.is_checked = frame.is_checked || resolved.is_role;
    frame.recipient = std::move(resolved.recipient);
    return Step::done;
}

// ---- restrict

RestrictStep Categorization::Work::restrict(const Frame& frame) {
    if (frame.is_checked || frame.way->is_exempt) {
        return RestrictStep::passed;
    }
    const auto found =
        check_restrictions(request_.sender, *frame.recipient, request_.size, organization_, facts);
    if (found.step == RestrictStep::refused) {
        fail(frame.recipient->primary(), frame.way, found.refusal);
    }
    return found.step;
}

// Fact of reference 8.1: who keeps a copy breaks a circle, those that only forward never end.
bool Categorization::Work::is_loop(const Frame& frame) {
    const auto& chain = frame.way->chain;
    const auto& recipient = *frame.recipient;
    const auto again = std::find_if(chain.begin(), chain.end(), [&recipient](const auto& link) {
        return ascii::equal_ignoring_case(link.name, recipient.name);
    });
    if (again == chain.end() && chain.size() < kMaxForwardings) {
        return false;
    }
    const bool is_harmless =
        std::any_of(again, chain.end(), [](const auto& link) { return link.keeps_a_copy; });
    if (!is_harmless) {
        fail(recipient.primary(), frame.way, mail_loop());
    } else if (wants_notes()) {
        note(
            {CategorizerStage::expand,
             recipient.primary().text(),
             {},
             "forwarding in a circle: who is in it has the message already",
             std::nullopt});
    }
    return true;
}

// False: `facts` wants something. Without anybody of that name the frame is gone.
bool Categorization::Work::find_by_name(std::size_t number) {
    const auto* const found = facts.find_by_name(frames_[number].name);
    if (found == nullptr) {
        return false;
    }
    if (*found == nullptr) {
        // Whom it was forwarded to has gone in this very moment: the mailbox keeps it.
        const auto way = frames_[number].way;
        deliver_here(*way->forwarder, way);
        pop(number);
        return true;
    }
    frames_[number].recipient = *found;
    return true;
}

// Who is named directly gets the message as it came, whatever a group would make of it.
bool Categorization::Work::comes_later(std::size_t number) {
    auto& frame = frames_[number];
    const bool may_wait = !frame.is_later && frame.way->root < request_.recipients.size();
    const bool leads_on =
        frame.recipient->kind == RecipientKind::group || is_forwarding(*frame.recipient);
    if (!may_wait || !leads_on) {
        return false;
    }
    frame.is_later = true;
    later_.push_back(std::move(frame));
    pop(number);
    return true;
}

Categorization::Work::Step Categorization::Work::follow_recipient(std::size_t number) {
    if (frames_[number].recipient == nullptr) {
        return find_by_name(number) ? Step::done : Step::wanted;
    }
    if (comes_later(number)) {
        return Step::done;
    }
    const auto& frame = frames_[number];
    const auto recipient = frame.recipient;
    const bool is_group = recipient->kind == RecipientKind::group;
    if (!is_group && is_loop(frame)) {
        pop(number);
        return Step::done;
    }
    const auto allowed = restrict(frame);
    if (allowed == RestrictStep::wanted) {
        return Step::wanted;
    }
    if (allowed == RestrictStep::refused) {
        pop(number);
        return Step::done;
    }
    if (is_group) {
        return open_group(number);
    }
    if (recipient->kind == RecipientKind::contact) {
        follow_contact(number);
    } else if (is_forwarding(*recipient)) {
        forward(number);
    } else {
        deliver_here(*recipient, frame.way);
        pop(number);
    }
    return Step::done;
}

// ---- forwarding and contacts

void Categorization::Work::forward(std::size_t number) {
    const auto mailbox = frames_[number].recipient;
    const auto& forwarding = mailbox->forwarding;
    const auto from = frames_[number].way;
    auto way = std::make_shared<CategorizerWay>(*from);
    way->forwarder = mailbox;
    way->chain.push_back({mailbox->name, forwarding.deliver_and_forward});
    if (forwarding.deliver_and_forward) {
        leave_out_success(way->dsn);
        deliver_here(*mailbox, from);
    }
    Frame next;
    next.way = std::move(way);
    next.is_later = true;
    std::string target = forwarding.recipient;
    if (!forwarding.recipient.empty()) {
        next.name = forwarding.recipient;
    } else {
        next.path.emplace(*forwarding.address);
        target = forwarding.address->text();
    }
    note(
        {CategorizerStage::expand,
         mailbox->primary().text(),
         {std::move(target)},
         forwarding.deliver_and_forward ? "delivered and forwarded" : "forwarded",
         TrackingEventId::redirect});
    frames_[number] = std::move(next);
}

void Categorization::Work::follow_contact(std::size_t number) {
    const auto contact = frames_[number].recipient;
    const auto from = frames_[number].way;
    const auto& address =
        contact->external_address ? *contact->external_address : contact->primary();
    const auto* const domain =
        address.domain() ? organization_.find_accepted_domain(*address.domain()) : nullptr;
    if (domain == nullptr || contact->has_address(address.lookup_key())) {
        if (wants_notes()) {
            note(
                {CategorizerStage::expand,
                 contact->primary().text(),
                 {address.text()},
                 "external address of the contact",
                 std::nullopt});
        }
        send_to(address, from);
        pop(number);
        return;
    }
    // The address outside is inside after all.
    auto way = std::make_shared<CategorizerWay>(*from);
    way->chain.push_back({contact->name, false});
    Frame next;
    next.way = std::move(way);
    next.is_later = true;
    next.path.emplace(address);
    frames_[number] = std::move(next);
}

// ---- groups

// Reference 5.3: what answers the group itself.
bool Categorization::Work::drops_for_group(const Frame& frame) {
    const auto& group = *frame.recipient;
    if (request_.auto_submitted == AutoSubmitted::replied && !group.group.send_oof_to_originator) {
        drop(group.primary(), frame.way, "automatic reply to a group");
        return true;
    }
    const bool is_report =
        request_.sender.path.is_null() && request_.auto_submitted != AutoSubmitted::replied;
    if (is_report && !group.group.report_to_owner) {
        drop(group.primary(), frame.way, "report to a group");
        return true;
    }
    return false;
}

// The first owner who can take reports; null: nobody. False: `facts` wants something.
bool Categorization::Work::find_owner(const MailRecipient& group, RecipientPtr& owner) {
    if (!group.group.report_to_owner) {
        return true;
    }
    for (const auto& name : group.group.owners) {
        const auto* const found = facts.find_by_name(name);
        if (found == nullptr) {
            return false;
        }
        if (*found != nullptr && (*found)->kind != RecipientKind::group) {
            owner = *found;
            return true;
        }
    }
    return true;
}

// A report about what the group sent: its owner's, not its members'.
void Categorization::Work::go_to_owner(
    std::size_t number, RecipientPtr owner, const CategorizerWayPtr& from) {
    if (owner == nullptr) {
        drop(frames_[number].recipient->primary(), from, "report to a group without an owner");
        pop(number);
        return;
    }
    auto way = std::make_shared<CategorizerWay>(*from);
    way->is_exempt = true;
    Frame next;
    next.way = std::move(way);
    next.recipient = std::move(owner);
    next.is_later = true;
    frames_[number] = std::move(next);
}

Categorization::Work::Step Categorization::Work::open_group(std::size_t number) {
    const auto group = frames_[number].recipient;
    const auto from = frames_[number].way;
    const auto key = ascii::to_lower(group->name);
    if (expanded_.contains(key) || drops_for_group(frames_[number])) {
        pop(number);
        return Step::done;
    }
    if (from->depth >= kMaxGroupDepth || expanded_.size() >= kMaxExpandedGroups) {
        fail(group->primary(), from, group_too_deep());
        pop(number);
        return Step::done;
    }
    RecipientPtr owner;
    if (!find_owner(*group, owner)) {
        return Step::wanted;
    }
    expanded_.insert(key);
    if (request_.sender.path.is_null() && group->group.report_to_owner) {
        go_to_owner(number, std::move(owner), from);
        return Step::done;
    }
    auto way = std::make_shared<CategorizerWay>(*from);
    ++way->depth;
    if (owner != nullptr) {
        // Reference 5.3: failures go to the owner, other reports to nobody.
        way->owner = owner->primary();
        if ((way->dsn.notify & bit_of(NotifyOn::never)) == 0) {
            way->dsn.notify = bit_of(NotifyOn::failure);
        }
    } else if (!group->group.report_to_originator) {
        way->dsn.notify = bit_of(NotifyOn::never);
    } else {
        report_expanded(*group, from);
        leave_out_success(way->dsn);
    }
    auto& frame = frames_[number];
    frame.way = std::move(way);
    frame.is_open = true;
    frame.note = answer_.notes.size();
    note(
        {CategorizerStage::expand,
         group->primary().text(),
         {},
         "group " + group->name,
         TrackingEventId::expand});
    return Step::done;
}

Categorization::Work::Step Categorization::Work::expand_group(std::size_t number) {
    auto& frame = frames_[number];
    if (frame.next < frame.page.size()) {
        auto member = std::move(frame.page[frame.next++]);
        if (member == nullptr) {
            return Step::done;
        }
        if (answer_.recipients.size() >= kMaxExpandedRecipients) {
            fail(frame.recipient->primary(), frame.way, too_many_recipients());
            pop(number);
            return Step::done;
        }
        auto& noted = answer_.notes[frame.note].after;
        if (noted.size() < kMaxNotedMembers) {
            noted.push_back(member->primary().text());
        }
        Frame next;
        next.way = frame.way;
        next.recipient = std::move(member);
        next.is_later = true;
        frames_.push_back(std::move(next));
        return Step::done;
    }
    if (frame.is_last_page) {
        pop(number);
        return Step::done;
    }
    auto page = facts.take_members(frame.recipient->name, frame.after);
    if (!page) {
        return Step::wanted;
    }
    frame.is_last_page = page->size() < kMembersPage;
    frame.next = 0;
    if (!page->empty() && page->back() != nullptr) {
        frame.after = page->back()->name;
    }
    frame.page = std::move(*page);
    return Step::done;
}

}  // namespace mailflow

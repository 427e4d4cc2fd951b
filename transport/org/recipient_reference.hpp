// How one recipient speaks of another: by name in MailRecipient, by id in a store, so that names
// follow renames and vanish when somebody is removed. Used by the stores, and by the service that
// checks names and warns before a removal.
#pragma once

#include "transport/org/mail_recipient.hpp"

#include <cstdint>
#include <string>

namespace mailflow {

// The numbers are in the store: they never change.
enum class ReferenceRole : std::uint8_t {
    send_as = 1,
    accept_from = 2,
    reject_from = 3,
    forwarding = 4,
    owner = 5,
    member = 6,
};

[[nodiscard]] constexpr const char* to_text(ReferenceRole role) noexcept {
    switch (role) {
        case ReferenceRole::send_as: return "send_as";
        case ReferenceRole::accept_from: return "accept_from";
        case ReferenceRole::reject_from: return "reject_from";
        case ReferenceRole::forwarding: return "forwarding";
        case ReferenceRole::owner: return "owner";
        case ReferenceRole::member: return "member";
    }
    return "";
}

// Who refers to a recipient, and as what: the group `name` has it as a member, …
struct Referrer {
    std::string name;
    ReferenceRole role = ReferenceRole::send_as;

    friend bool operator==(const Referrer&, const Referrer&) = default;
};

// Calls `visit(role, names)` for each list of names that `recipient` (const or not) holds; a
// group's members are not among them.
template <class Recipient, class Visit>
void visit_name_lists(Recipient& recipient, const Visit& visit) {
    visit(ReferenceRole::send_as, recipient.send_as);
    visit(ReferenceRole::accept_from, recipient.limits.accept_from);
    visit(ReferenceRole::reject_from, recipient.limits.reject_from);
    visit(ReferenceRole::owner, recipient.group.owners);
}

// Calls `visit(role, name)` for each name in these lists, in order, and for the one forwarded to.
template <class Recipient, class Visit>
void visit_references(Recipient& recipient, const Visit& visit) {
    visit_name_lists(recipient, [&visit](ReferenceRole role, auto& names) {
        for (auto& name : names)
            visit(role, name);
    });
    if (!recipient.forwarding.recipient.empty()) {
        visit(ReferenceRole::forwarding, recipient.forwarding.recipient);
    }
}

}  // namespace mailflow

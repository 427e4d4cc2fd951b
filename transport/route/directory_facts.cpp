#include "transport/route/directory_facts.hpp"

#include "transport/base/ascii.hpp"

#include <utility>

namespace mailflow {

namespace {

// Names never hold a line end.
std::string membership_key(const std::string& group, const std::string& recipient) {
    return ascii::to_lower(group) + '\n' + ascii::to_lower(recipient);
}

}  // namespace

const RecipientPtr* DirectoryFacts::find(const EmailAddress& address) {
    wanted_.reset();
    const auto found = by_address_.find(address.lookup_key());
    if (found != by_address_.end()) {
        return &found->second;
    }
    want({.kind = DirectoryLookup::Kind::address, .address = address});
    return nullptr;
}

const RecipientPtr* DirectoryFacts::find_by_name(std::string_view name) {
    wanted_.reset();
    const auto found = by_name_.find(ascii::to_lower(name));
    if (found != by_name_.end()) {
        return &found->second;
    }
    want({.kind = DirectoryLookup::Kind::name, .name = std::string(name)});
    return nullptr;
}

std::optional<bool> DirectoryFacts::is_member(
    const std::string& group, const std::string& recipient) {
    wanted_.reset();
    const auto found = memberships_.find(membership_key(group, recipient));
    if (found != memberships_.end()) {
        return found->second;
    }
    want({.kind = DirectoryLookup::Kind::membership, .name = group, .other = recipient});
    return std::nullopt;
}

std::optional<std::vector<RecipientPtr>> DirectoryFacts::take_members(
    const std::string& group, const std::string& after) {
    wanted_.reset();
    if (members_) {
        return std::exchange(members_, std::nullopt);
    }
    want({.kind = DirectoryLookup::Kind::members, .name = group, .other = after});
    return std::nullopt;
}

void DirectoryFacts::answer(RecipientPtr recipient) {
    const auto& lookup = wanted_.value();
    if (lookup.kind == DirectoryLookup::Kind::address) {
        by_address_.emplace(lookup.address.value().lookup_key(), std::move(recipient));
    } else {
        by_name_.emplace(ascii::to_lower(lookup.name), std::move(recipient));
    }
    wanted_.reset();
}

void DirectoryFacts::answer(std::vector<RecipientPtr> members) {
    members_ = std::move(members);
    wanted_.reset();
}

void DirectoryFacts::answer(bool is_member) {
    const auto& lookup = wanted_.value();
    memberships_.emplace(membership_key(lookup.name, lookup.other), is_member);
    wanted_.reset();
}

}  // namespace mailflow

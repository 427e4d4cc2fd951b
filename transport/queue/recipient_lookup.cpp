#include "transport/queue/recipient_lookup.hpp"

#include <utility>

namespace mailflow {

namespace {

template <class Answer>
ErrorCode take(DirectoryFacts& facts, Result<Answer>& answer) {
    if (!answer) {
        return answer.error();
    }
    facts.answer(std::move(*answer));
    return {};
}

}  // namespace

Task<ErrorCode> answer_wanted(Directory& directory, DirectoryFacts& facts) {
    const auto lookup = facts.wanted().value();
    switch (lookup.kind) {
        case DirectoryLookup::Kind::address: {
            auto found = co_await directory.find_recipient(*lookup.address);
            co_return take(facts, found);
        }
        case DirectoryLookup::Kind::name: {
            auto found = co_await directory.find_by_name(lookup.name);
            co_return take(facts, found);
        }
        case DirectoryLookup::Kind::members: {
            auto page = co_await directory.members(lookup.name, lookup.other, kMembersPage);
            co_return take(facts, page);
        }
        case DirectoryLookup::Kind::membership: break;
    }
    auto is_member = co_await directory.is_member(lookup.name, lookup.other);
    co_return take(facts, is_member);
}

Task<Result<ResolvedRecipient>> look_up_recipient(
    Directory& directory, OrganizationPtr organization, ForwardPath path) {
    DirectoryFacts facts;
    auto resolved = resolve_recipient(path, *organization, nullptr, UtcTime{}, facts);
    while (!resolved) {
        const auto error = co_await answer_wanted(directory, facts);
        if (error) {
            co_return error;
        }
        resolved = resolve_recipient(path, *organization, nullptr, UtcTime{}, facts);
    }
    co_return *std::move(resolved);
}

}  // namespace mailflow

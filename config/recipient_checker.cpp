#include "config/recipient_checker.hpp"

#include "transport/base/ascii.hpp"
#include "transport/org/recipient_reference.hpp"

#include <algorithm>

namespace mailflow {

using schema::Problem;
using Planning = CheckedRecipient::Planning;

namespace {

// Numbers of a taken address that are asked for at a time, at first; four times as many next time.
constexpr std::uint32_t kFirstNumbers = 16;

std::string_view field_of(ReferenceRole role) {
    switch (role) {
        case ReferenceRole::forwarding: return "forwarding_recipient";
        case ReferenceRole::owner: return "owners";
        case ReferenceRole::member: return "members";
        default: return to_text(role);
    }
}

std::string own_name(const RecipientDraft& draft) {
    return draft.current ? draft.current->name : std::string();
}

std::string title_of(const RecipientDraft& draft) {
    return title_of(draft.next.recipient.kind, draft.next.recipient.name);
}

void add_problem(RecipientDraft& draft, std::string_view field, std::string message) {
    draft.next.problems.push_back({title_of(draft), std::string(field), std::move(message)});
}

// What is wrong when a recipient names itself; empty: it may.
std::string_view self_problem(ReferenceRole role) {
    switch (role) {
        case ReferenceRole::send_as: return "a mailbox may send as itself: leave it out";
        case ReferenceRole::forwarding:
            return "a mailbox cannot be forwarded to itself: name another recipient";
        case ReferenceRole::member: return "a group cannot be its own member";
        default: return {};
    }
}

void drop_repeated(std::vector<std::string>& names) {
    std::vector<std::string> kept;
    kept.reserve(names.size());
    std::unordered_map<std::string, bool> seen;
    for (auto& name : names) {
        if (seen.emplace(ascii::to_lower(name), true).second) kept.push_back(std::move(name));
    }
    names = std::move(kept);
}

// Calls `visit(role, text)` for all names of a draft, of members too.
template <class Draft, class Visit>
void visit_names(Draft& draft, const Visit& visit) {
    visit_references(draft.next.recipient, visit);
    auto& members = draft.next.members;
    if (members.all) {
        for (auto& name : *members.all)
            visit(ReferenceRole::member, name);
    }
    for (auto* list : {&members.add, &members.remove}) {
        for (auto& name : *list)
            visit(ReferenceRole::member, name);
    }
}

}  // namespace

std::string recipient_key(std::string_view text) {
    if (text.find('@') != std::string_view::npos) {
        if (const auto address = EmailAddress::parse(text)) return address->lookup_key();
    }
    return ascii::to_lower(text);
}

Task<ErrorCode> RecipientChecker::complete(std::vector<RecipientDraft>& drafts) {
    announce(drafts);
    Keys keys;
    for (const auto& draft : drafts) {
        if (draft.next.ok()) {
            auto more = keys_of(draft);
            std::move(more.begin(), more.end(), std::back_inserter(keys));
        }
    }
    auto error = co_await learn(std::move(keys));
    for (std::size_t i = 0; i < drafts.size() && !error; ++i) {
        if (drafts[i].next.ok()) {
            error = co_await complete_one(drafts[i], i);
        }
    }
    co_return error;
}

// Recipients of one batch may name each other, whichever comes first.
void RecipientChecker::announce(const std::vector<RecipientDraft>& drafts) {
    for (const auto& draft : drafts) {
        const auto& recipient = draft.next.recipient;
        if (!draft.next.ok()) continue;
        announced_.emplace(recipient_key(recipient.name), recipient.name);
        announced_.emplace(recipient_key(recipient.alias), recipient.name);
        for (const auto& address : recipient.addresses)
            announced_.emplace(address.lookup_key(), recipient.name);
    }
}

RecipientChecker::Keys RecipientChecker::keys_of(const RecipientDraft& draft) const {
    const auto& recipient = draft.next.recipient;
    Keys keys = {recipient_key(recipient.name), recipient_key(recipient.alias)};
    if (!recipient.upn.empty()) keys.push_back(recipient_key(recipient.upn));
    for (const auto& address : recipient.addresses)
        keys.push_back(address.lookup_key());
    if (draft.next.planning != Planning::never) {
        for (const auto& address : policies_.wanted(recipient))
            keys.push_back(address.lookup_key());
    }
    visit_names(draft, [&keys](ReferenceRole, const std::string& name) {
        keys.push_back(recipient_key(name));
    });
    return keys;
}

Task<ErrorCode> RecipientChecker::learn(Keys keys) {
    std::erase_if(keys, [this](const std::string& key) { return owners_.contains(key); });
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    if (keys.empty()) {
        co_return ErrorCode();
    }
    for (const auto& key : keys)
        owners_.try_emplace(key);
    const auto taken = co_await store_.taken(std::move(keys), std::string());
    if (!taken) {
        co_return taken.error();
    }
    for (const auto& name : *taken)
        owners_[recipient_key(name.lookup_key)].push_back(name.owner);
    co_return ErrorCode();
}

Task<ErrorCode> RecipientChecker::complete_one(RecipientDraft& draft, std::size_t index) {
    resolve_names(draft);
    if (!draft.next.ok()) {
        co_return ErrorCode();
    }
    auto error = co_await plan(draft);
    if (!error) {
        error = co_await find_conflicts(draft);
    }
    if (!error && draft.next.ok()) {
        claim(draft, index);
    }
    co_return error;
}

const std::string* RecipientChecker::name_of(const std::string& reference) const {
    const auto key = recipient_key(reference);
    if (const auto found = announced_.find(key); found != announced_.end()) {
        return &found->second;
    }
    const auto found = owners_.find(key);
    return found == owners_.end() || found->second.empty() ? nullptr : &found->second.front();
}

void RecipientChecker::resolve_names(RecipientDraft& draft) const {
    const auto own = draft.next.recipient.name;
    visit_names(draft, [&](ReferenceRole role, std::string& name) {
        const auto* found = name_of(name);
        if (found == nullptr) {
            const std::string_view noun = role == ReferenceRole::send_as ? "mailbox" : "recipient";
            add_problem(
                draft,
                field_of(role),
                "there is no " + std::string(noun) + " \"" + ascii::escaped(name) + "\"");
            draft.missing.push_back(name);
            return;
        }
        name = *found;
        const auto problem = self_problem(role);
        if (!problem.empty() && ascii::equal_ignoring_case(name, own)) {
            add_problem(draft, field_of(role), std::string(problem));
        }
    });
    visit_name_lists(draft.next.recipient, [](ReferenceRole, std::vector<std::string>& names) {
        drop_repeated(names);
    });
    auto& members = draft.next.members;
    if (members.all) drop_repeated(*members.all);
    drop_repeated(members.add);
    drop_repeated(members.remove);
}

// Null: nobody else has it.
const std::string* RecipientChecker::other_owner(
    const RecipientDraft& draft, const std::string& key) const {
    const auto found = owners_.find(key);
    if (found == owners_.end()) {
        return nullptr;
    }
    for (const auto& owner : found->second) {
        if (!ascii::equal_ignoring_case(owner, own_name(draft))) return &owner;
    }
    return nullptr;
}

bool RecipientChecker::is_taken(const RecipientDraft& draft, const std::string& key) const {
    return claimed_.contains(key) || other_owner(draft, key) != nullptr;
}

// The planned addresses, or the keys nothing is known of that the plan depends on.
RecipientChecker::Keys RecipientChecker::try_plan(RecipientDraft& draft) const {
    auto& recipient = draft.next.recipient;
    Keys unknown;
    auto planned = policies_.plan(recipient, [&](const EmailAddress& address) {
        auto key = address.lookup_key();
        if (!owners_.contains(key)) unknown.push_back(key);
        return is_taken(draft, key);
    });
    if (unknown.empty()) {
        if (planned.policy != nullptr) recipient.addresses = std::move(planned.addresses);
        draft.numbered = std::move(planned.numbered);
    }
    return unknown;
}

// Reference 4.3, 4.4, 4.6. What another row of the same batch has got is taken, too.
Task<ErrorCode> RecipientChecker::plan(RecipientDraft& draft) {
    auto& recipient = draft.next.recipient;
    const bool unchanged = draft.next.planning == Planning::if_changed &&
                           policies_.wanted(*draft.current) == policies_.wanted(recipient);
    if (draft.next.planning == Planning::never || unchanged) {
        co_return ErrorCode();
    }
    std::uint32_t first = 2;
    std::uint32_t count = kFirstNumbers;
    for (auto unknown = try_plan(draft); !unknown.empty(); unknown = try_plan(draft)) {
        for (const auto& address : policies_.wanted(recipient)) {
            for (auto number = first; number < first + count; ++number)
                unknown.push_back(numbered(address, number).lookup_key());
        }
        first += count;
        count *= 4;
        const auto error = co_await learn(std::move(unknown));
        if (error) {
            co_return error;
        }
    }
    if (recipient.addresses.empty()) {
        // No policy is for it.
        recipient.addresses.push_back(
            EmailAddress::of(recipient.alias, organization_.default_domain().domain));
        Keys key(1, recipient.primary().lookup_key());
        const auto error = co_await learn(std::move(key));
        co_return error;
    }
    co_return ErrorCode();
}

// ` is taken by mailbox "alice"`: how a name is said to be another's.
Task<Result<std::string>> RecipientChecker::holder_of(
    const RecipientDraft& draft, std::string key, bool address) {
    if (!is_taken(draft, key)) {
        co_return std::string();
    }
    if (const auto row = claimed_.find(key); row != claimed_.end()) {
        co_return " is also in row " + std::to_string(row->second);
    }
    const auto owner = *other_owner(draft, key);
    const auto found = co_await store_.find(owner);
    if (!found) {
        co_return found.error();
    }
    const auto title = *found ? title_of((*found)->kind, (*found)->name) : "\"" + owner + "\"";
    if (!address) {
        co_return " is taken by " + title;
    }
    co_return (*found && !(*found)->has_address(key) ? " is the login name of " : " belongs to ") +
        title;
}

Task<ErrorCode> RecipientChecker::find_conflicts(RecipientDraft& draft) {
    auto& recipient = draft.next.recipient;
    const bool is_mailbox = recipient.kind == RecipientKind::mailbox;
    if (is_mailbox && draft.next.upn_is_primary) recipient.upn = recipient.primary().text();
    const auto name = co_await holder_of(draft, recipient_key(recipient.name), false);
    if (!name) {
        co_return name.error();
    }
    if (!name->empty()) add_problem(draft, "name", name->substr(1));
    const auto alias = co_await holder_of(draft, recipient_key(recipient.alias), false);
    if (!alias) {
        co_return alias.error();
    }
    if (name->empty() && !alias->empty()) add_problem(draft, "alias", recipient.alias + *alias);
    const auto upn_key = recipient_key(recipient.upn);
    for (const auto& address : recipient.addresses) {
        const auto holder = co_await holder_of(draft, address.lookup_key(), true);
        if (!holder) {
            co_return holder.error();
        }
        if (!holder->empty() &&
            !(is_mailbox && address.lookup_key() == upn_key && !draft.next.upn_is_primary)) {
            add_problem(draft, "addresses", address.text() + *holder);
        }
    }
    if (!is_mailbox || !draft.next.ok()) {
        co_return ErrorCode();
    }
    Keys key(1, upn_key);
    const auto error = co_await learn(std::move(key));
    if (error) {
        co_return error;
    }
    if (is_taken(draft, upn_key)) {
        const auto holder = co_await holder_of(draft, upn_key, false);
        const auto words = holder ? *holder : std::string();
        const std::string_view taken = " is taken by ";
        const auto said =
            words.starts_with(taken) ? " logs in to " + words.substr(taken.size()) : words;
        add_problem(draft, "upn", recipient.upn + said + "; give another login name, with --upn");
    }
    co_return ErrorCode();
}

void RecipientChecker::claim(const RecipientDraft& draft, std::size_t index) {
    const auto row = draft.row == 0 ? index + 1 : draft.row;
    const auto& recipient = draft.next.recipient;
    claimed_.emplace(recipient_key(recipient.name), row);
    claimed_.emplace(recipient_key(recipient.alias), row);
    if (!recipient.upn.empty()) claimed_.emplace(recipient_key(recipient.upn), row);
    for (const auto& address : recipient.addresses)
        claimed_.emplace(address.lookup_key(), row);
}

}  // namespace mailflow

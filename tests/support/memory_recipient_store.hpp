// A RecipientStore that keeps its recipients in memory, as the real one would. One thread.
#pragma once

#include "tests/support/memory_object_store.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/recipient_store.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace mailflow {

class MemoryRecipientStore final : public RecipientStore {
  public:
    // Without `objects` no objects change with recipients; they outlive this.
    explicit MemoryRecipientStore(MemoryObjectStore* objects = nullptr) noexcept
        : objects_(objects) {}

    Task<Result<std::optional<MailRecipient>>> find(std::string name) override {
        co_return found(find_entry(name));
    }

    Task<Result<std::optional<MailRecipient>>> find_by_address(EmailAddress address) override {
        co_return found(owner_of(Kind::address, address.lookup_key()));
    }

    Task<Result<std::optional<MailRecipient>>> find_by_upn(std::string upn) override {
        co_return found(owner_of(Kind::upn, upn));
    }

    Task<Result<std::vector<MailRecipient>>> page(std::string after, std::size_t limit) override {
        co_return page_if(after, limit, [](const MailRecipient&) { return true; });
    }

    Task<Result<std::vector<MailRecipient>>> page_of(
        RecipientKind kind, std::string after, std::size_t limit) override {
        co_return page_if(after, limit, [kind](const MailRecipient& recipient) {
            return recipient.kind == kind;
        });
    }

    [[nodiscard]] Task<Result<std::uint64_t>> count(RecipientKind kind) override {
        const auto number =
            std::count_if(recipients_.begin(), recipients_.end(), [kind](const auto& entry) {
                return entry.second.recipient.kind == kind;
            });
        co_return static_cast<std::uint64_t>(number);
    }

    Task<Result<std::vector<std::string>>> members(
        std::string group, std::string after, std::size_t limit) override {
        const auto entry = find_group(group);
        if (entry == recipients_.end()) {
            co_return make_error_code(Error::not_found);
        }
        std::vector<std::string> names;
        const auto& members = entry->second.members;
        for (auto it = members.upper_bound(after); it != members.end() && names.size() < limit;
             ++it) {
            names.push_back(*it);
        }
        co_return names;
    }

    Task<Result<std::vector<Referrer>>> referrers(std::string name, std::size_t limit) override {
        const auto entry = find_entry(name);
        if (entry == recipients_.end()) {
            co_return make_error_code(Error::not_found);
        }
        std::vector<Referrer> all;
        for (const auto& [key, other] : recipients_) {
            visit_references(other.recipient, [&](ReferenceRole role, const std::string& named) {
                if (named == entry->first) all.push_back({key, role});
            });
            if (other.members.contains(entry->first)) {
                all.push_back({key, ReferenceRole::member});
            }
        }
        std::stable_sort(
            all.begin(), all.end(), [](const auto& a, const auto& b) { return a.role < b.role; });
        all.resize(std::min(all.size(), limit));
        co_return all;
    }

    Task<Result<std::vector<std::string>>> accepting_only(
        std::string name, std::size_t limit) override {
        const auto entry = find_entry(name);
        if (entry == recipients_.end()) {
            co_return make_error_code(Error::not_found);
        }
        std::vector<std::string> names;
        for (const auto& [key, other] : recipients_) {
            const auto& accepted = other.recipient.limits.accept_from;
            const bool opens = key != entry->first && !accepted.empty() &&
                               std::count(accepted.begin(), accepted.end(), entry->first) ==
                                   static_cast<std::ptrdiff_t>(accepted.size());
            if (opens && names.size() < limit) names.push_back(key);
        }
        co_return names;
    }

    Task<Result<std::uint64_t>> count_in_domain(DomainName domain) override {
        std::uint64_t count = 0;
        for (const auto& [key, entry] : recipients_) {
            const auto& addresses = entry.recipient.addresses;
            count += std::any_of(addresses.begin(), addresses.end(), [&](const auto& address) {
                return address.domain_text() == domain.text();
            });
        }
        co_return count;
    }

    Task<Result<std::vector<std::string>>> domains(std::string after, std::size_t limit) override {
        std::set<std::string> all;
        for (const auto& [key, entry] : recipients_) {
            for (const auto& address : entry.recipient.addresses)
                all.insert(address.domain_text());
        }
        std::vector<std::string> found;
        for (auto it = all.upper_bound(after); it != all.end() && found.size() < limit; ++it) {
            found.push_back(*it);
        }
        co_return found;
    }

    Task<Result<std::vector<TakenName>>> taken(
        std::vector<std::string> lookup_keys, std::string except) override {
        std::vector<TakenName> found;
        for (const auto& key : lookup_keys) {
            std::set<std::string, Less> owners;
            if (const auto named = recipients_.find(key); named != recipients_.end()) {
                owners.insert(named->first);
            }
            for (const auto kind : {Kind::alias, Kind::upn, Kind::address}) {
                const auto owner = owner_of(kind, key);
                if (owner != recipients_.end()) owners.insert(owner->first);
            }
            owners.erase(except);
            for (const auto& owner : owners)
                found.push_back({key, owner});
        }
        co_return found;
    }

    Task<Result<>> create(MailRecipient recipient, ChangeAuthor) override {
        co_return put(recipients_.end(), std::move(recipient));
    }

    using RecipientStore::remove;
    using RecipientStore::replace;

    Task<Result<>> replace(
        std::string name,
        MailRecipient recipient,
        ChangeAuthor author,
        ObjectEdits objects) override {
        const auto entry = find_entry(name);
        if (entry == recipients_.end()) {
            co_return make_error_code(Error::not_found);
        }
        const auto before = recipients_;
        const auto keys_before = keys_;
        auto done = put(entry, std::move(recipient));
        if (done) done = change_objects(objects, std::move(author));
        if (!done) {
            recipients_ = before;
            keys_ = keys_before;
        }
        co_return done;
    }

    Task<Result<>> remove(std::string name, ChangeAuthor author, ObjectEdits objects) override {
        const auto entry = find_entry(name);
        if (entry == recipients_.end()) {
            co_return make_error_code(Error::not_found);
        }
        if (auto done = change_objects(objects, std::move(author)); !done) {
            co_return done;
        }
        rename_everywhere(entry->first, {});
        take_out(entry);
        co_return Result<>();
    }

    // Names of later ones count as soon as those are in; a row is tried until nothing changes.
    Task<Result<std::vector<Result<>>>> write_batch(
        std::vector<MailRecipient> recipients, ChangeAuthor) override {
        if (recipients.size() > kRecipientBatch) {
            co_return make_error_code(Error::too_large);
        }
        const auto before = recipients_;
        const auto keys_before = keys_;
        std::vector<Result<>> results(recipients.size());
        std::vector<bool> names_nobody(recipients.size());
        for (bool again = true; again;) {
            again = false;
            recipients_ = before;
            keys_ = keys_before;
            for (std::size_t i = 0; i < recipients.size(); ++i) {
                if (names_nobody[i]) continue;
                auto unnamed = recipients[i];
                forget_names(unnamed);
                const auto known = recipients_.find(unnamed.name);
                results[i] = put(known, std::move(unnamed));
            }
            for (std::size_t i = 0; i < recipients.size(); ++i) {
                if (!results[i]) continue;
                results[i] = put(recipients_.find(recipients[i].name), recipients[i]);
                if (!results[i]) again = names_nobody[i] = true;
            }
        }
        co_return results;
    }

    Task<Result<>> edit_members(
        std::string group,
        std::vector<std::string> add,
        std::vector<std::string> remove,
        ChangeAuthor) override {
        const auto entry = find_group(group);
        if (entry == recipients_.end() || !take_names(add) || !take_names(remove)) {
            co_return make_error_code(Error::not_found);
        }
        for (const auto& name : add)
            entry->second.members.insert(name);
        for (const auto& name : remove)
            entry->second.members.erase(name);
        co_return Result<>();
    }

    Task<Result<>> stage(std::vector<StagedRow> rows) override {
        auto staged = staged_;
        for (auto& row : rows) {
            if (!staged.emplace(row.number, std::move(row.document)).second) {
                co_return make_error_code(Error::already_exists);
            }
        }
        staged_ = std::move(staged);
        co_return Result<>();
    }

    Task<Result<std::vector<StagedRow>>> staged(
        std::optional<std::uint64_t> after, std::size_t limit) override {
        std::vector<StagedRow> rows;
        for (auto it = after ? staged_.upper_bound(*after) : staged_.begin();
             it != staged_.end() && rows.size() < limit;
             ++it) {
            rows.push_back({it->first, it->second});
        }
        co_return rows;
    }

    Task<Result<>> unstage() override {
        staged_.clear();
        co_return Result<>();
    }

    Task<Result<>> begin(ChangeAuthor) override {
        if (before_) {
            co_return make_error_code(Error::conflict);
        }
        before_.emplace(recipients_, keys_);
        co_return Result<>();
    }

    Task<Result<>> end(bool keep) override {
        if (!before_) {
            co_return make_error_code(Error::conflict);
        }
        if (!keep) std::tie(recipients_, keys_) = *before_;
        before_.reset();
        co_return Result<>();
    }

  private:
    Result<> change_objects(const ObjectEdits& edits, ChangeAuthor author) {
        if (edits.changes.empty()) {
            return {};
        }
        if (objects_ == nullptr) {
            return Error::unavailable;
        }
        const auto changed = objects_->change_now(edits, std::move(author));
        return changed ? Result<>() : changed.error();
    }

    struct Less {
        bool operator()(const std::string& a, const std::string& b) const noexcept {
            return ascii::less_ignoring_case(ascii::to_lower(a), ascii::to_lower(b));
        }
    };

    struct Entry {
        MailRecipient recipient;
        std::set<std::string, Less> members;
    };

    using Recipients = std::map<std::string, Entry, Less>;

    // What but the name belongs to one recipient alone.
    enum class Kind { alias, upn, address };

    template <class Visit>
    static void visit_keys(const MailRecipient& recipient, const Visit& visit) {
        visit(Kind::alias, recipient.alias);
        if (!recipient.upn.empty()) visit(Kind::upn, recipient.upn);
        for (const auto& address : recipient.addresses)
            visit(Kind::address, address.lookup_key());
    }

    Recipients::iterator owner_of(Kind kind, const std::string& key) {
        const auto owner = keys_.find({kind, ascii::to_lower(key)});
        return owner == keys_.end() ? recipients_.end() : recipients_.find(owner->second);
    }

    static void forget_names(MailRecipient& recipient) {
        visit_name_lists(recipient, [](ReferenceRole, auto& names) { names.clear(); });
        recipient.forwarding.recipient.clear();
    }

    Recipients::iterator find_entry(const std::string& name) {
        const auto by_name = recipients_.find(name);
        return by_name != recipients_.end() ? by_name : owner_of(Kind::alias, name);
    }

    Recipients::iterator find_group(const std::string& name) {
        const auto entry = recipients_.find(name);
        const bool is_group =
            entry != recipients_.end() && entry->second.recipient.kind == RecipientKind::group;
        return is_group ? entry : recipients_.end();
    }

    [[nodiscard]] std::optional<MailRecipient> found(Recipients::iterator entry) const {
        return entry == recipients_.end() ? std::nullopt : std::optional(entry->second.recipient);
    }

    template <class Predicate>
    std::vector<MailRecipient> page_if(
        const std::string& after, std::size_t limit, const Predicate& matches) const {
        std::vector<MailRecipient> found;
        for (auto it = recipients_.upper_bound(after);
             it != recipients_.end() && found.size() < limit;
             ++it) {
            if (matches(it->second.recipient)) found.push_back(it->second.recipient);
        }
        return found;
    }

    // A new one, or in place of `old`.
    Result<> put(Recipients::iterator old, MailRecipient recipient) {
        if (recipient.kind != RecipientKind::mailbox) {
            recipient.upn.clear();
            recipient.verifier.reset();
        } else if (recipient.upn.empty()) {
            recipient.upn = recipient.primary().text();
        }
        if (is_taken(recipient, old)) {
            return make_error_code(Error::already_exists);
        }
        if (!spell_references(recipient, old)) {
            return make_error_code(Error::not_found);
        }
        Entry entry;
        if (old != recipients_.end()) {
            if (old->first != recipient.name) rename_everywhere(old->first, recipient.name);
            entry.members = std::move(old->second.members);
            take_out(old);
        }
        if (recipient.kind != RecipientKind::group) entry.members.clear();
        visit_keys(recipient, [&](Kind kind, const std::string& key) {
            keys_[{kind, ascii::to_lower(key)}] = recipient.name;
        });
        auto name = recipient.name;
        entry.recipient = std::move(recipient);
        recipients_.emplace(std::move(name), std::move(entry));
        return {};
    }

    void take_out(Recipients::iterator entry) {
        visit_keys(entry->second.recipient, [&](Kind kind, const std::string& key) {
            keys_.erase({kind, ascii::to_lower(key)});
        });
        recipients_.erase(entry);
    }

    // As their owners spell them; false when one is nobody's. One may name itself.
    bool spell_references(MailRecipient& recipient, Recipients::iterator old) {
        bool all_found = true;
        visit_references(recipient, [&](ReferenceRole, std::string& name) {
            const auto other = recipients_.find(name);
            if (ascii::equal_ignoring_case(name, recipient.name)) {
                name = recipient.name;
            } else if (other != recipients_.end() && other != old) {
                name = other->first;
            } else {
                all_found = false;
            }
        });
        return all_found;
    }

    // As their owners spell them; false when one is nobody's.
    bool take_names(std::vector<std::string>& names) const {
        for (auto& name : names) {
            const auto found = recipients_.find(name);
            if (found == recipients_.end()) return false;
            name = found->first;
        }
        return true;
    }

    // An empty new name: gone.
    void rename_everywhere(const std::string& old_name, const std::string& new_name) {
        for (auto& [key, entry] : recipients_) {
            visit_name_lists(entry.recipient, [&](ReferenceRole, std::vector<std::string>& names) {
                std::replace(names.begin(), names.end(), old_name, new_name);
                std::erase(names, std::string());
            });
            auto& forwarding = entry.recipient.forwarding.recipient;
            if (forwarding == old_name) forwarding = new_name;
            if (entry.members.erase(old_name) != 0 && !new_name.empty()) {
                entry.members.insert(new_name);
            }
        }
    }

    bool is_taken(const MailRecipient& recipient, Recipients::iterator itself) {
        const auto is_other = [&](Recipients::iterator owner) {
            return owner != recipients_.end() && owner != itself;
        };
        bool taken = is_other(recipients_.find(recipient.name));
        visit_keys(recipient, [&](Kind kind, const std::string& key) {
            taken = taken || is_other(owner_of(kind, key));
        });
        return taken;
    }

    MemoryObjectStore* objects_;
    using KeyOwners = std::map<std::pair<Kind, std::string>, std::string>;

    Recipients recipients_;
    KeyOwners keys_;  // in lower case; the owner's name
    std::map<std::uint64_t, std::string> staged_;
    std::optional<std::pair<Recipients, KeyOwners>> before_;  // begun, not ended
};

}  // namespace mailflow

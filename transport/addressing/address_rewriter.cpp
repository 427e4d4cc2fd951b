#include "transport/addressing/address_rewriter.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// Addresses have an `@` in their keys, domains do not.
std::string key_of(const AddressPattern& pattern) {
    if (pattern.address) {
        return pattern.address->lookup_key();
    }
    return pattern.domain ? pattern.domain->text() : std::string();
}

EmailAddress put_in(const AddressPattern& pattern, const EmailAddress& address) {
    return pattern.address ? *pattern.address : EmailAddress::of(address.local(), *pattern.domain);
}

bool is_excepted(const AddressRewrite& entry, const DomainName& domain) {
    return std::any_of(
        entry.exceptions.begin(), entry.exceptions.end(), [&domain](const DomainName& exception) {
            return domain.is_within(exception);
        });
}

using Table = std::unordered_map<std::string, const AddressRewrite*>;

// Reference 4.8: a single address before its domain.
const AddressRewrite* find(const Table& table, const EmailAddress& address) {
    auto found = table.find(address.lookup_key());
    if (found == table.end() && address.domain()) {
        found = table.find(address.domain()->text());
    }
    return found == table.end() ? nullptr : found->second;
}

}  // namespace

AddressRewriter::AddressRewriter(const std::vector<AddressRewrite>& entries)
    : entries_(&entries) {
    for (const auto& entry : entries) {
        const bool is_whole = (entry.internal.address && entry.external.address) ||
                              (entry.internal.domain && entry.external.domain);
        if (!is_whole) {
            continue;
        }
        if (entry.internal.include_subdomains) {
            trees_.push_back(&entry);
            continue;
        }
        by_internal_.try_emplace(key_of(entry.internal), &entry);
        if (!entry.outbound_only) {
            by_external_.try_emplace(key_of(entry.external), &entry);
        }
    }
    std::stable_sort(trees_.begin(), trees_.end(), [](const auto* a, const auto* b) {
        return a->internal.domain->text().size() > b->internal.domain->text().size();
    });
}

std::optional<AddressRewriter::Rewritten> AddressRewriter::outbound(
    const EmailAddress& address) const {
    if (const auto* const entry = find(by_internal_, address)) {
        return Rewritten{put_in(entry->external, address), entry};
    }
    if (!address.domain()) {
        return std::nullopt;
    }
    const auto tree =
        std::find_if(trees_.begin(), trees_.end(), [&address](const AddressRewrite* entry) {
            return address.domain()->is_within(*entry->internal.domain);
        });
    // The closest tree is the one that counts: what it leaves alone, no other takes.
    if (tree == trees_.end() || is_excepted(**tree, *address.domain())) {
        return std::nullopt;
    }
    return Rewritten{put_in((*tree)->external, address), *tree};
}

std::optional<AddressRewriter::Rewritten> AddressRewriter::inbound(
    const EmailAddress& address) const {
    if (const auto* const entry = find(by_external_, address)) {
        return Rewritten{put_in(entry->internal, address), entry};
    }
    return std::nullopt;
}

}  // namespace mailflow

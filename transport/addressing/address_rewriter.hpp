// Addresses changed in transit by `address-rewrite` entries (reference 4.8): a single address
// before a domain before `*.domain` (the longest), one rewrite only. An exception of `*.domain`
// leaves its domain and everything below alone. Where two entries say the same address, the first
// counts. Pure; made once for each Organization.
#pragma once

#include "transport/mail/email_address.hpp"
#include "transport/org/address_rewrite.hpp"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mailflow {

class AddressRewriter {
  public:
    // The entries outlive it.
    explicit AddressRewriter(const std::vector<AddressRewrite>& entries);

    struct Rewritten {
        EmailAddress address;
        const AddressRewrite* by = nullptr;
    };

    // Internal to external: mail that leaves. Nothing: no entry is for it.
    [[nodiscard]] std::optional<Rewritten> outbound(const EmailAddress& address) const;
    // External to internal: mail that comes in. Entries that are outbound only take no part.
    [[nodiscard]] std::optional<Rewritten> inbound(const EmailAddress& address) const;

    [[nodiscard]] bool empty() const noexcept { return entries_->empty(); }

  private:
    const std::vector<AddressRewrite>* entries_;
    std::unordered_map<std::string, const AddressRewrite*> by_internal_;  // lookup key, domain
    std::unordered_map<std::string, const AddressRewrite*> by_external_;
    std::vector<const AddressRewrite*> trees_;  // `*.domain`, the longest first
};

}  // namespace mailflow

// Step "resolve": a forward-path becomes a recipient of ours or one to be relayed. Pure: what it
// needs of the directory it reads from DirectoryFacts. Used at RCPT, which refuses what cannot be
// accepted, for the addresses mail is forwarded to, and for the recipients of DSNs.
//
// The path is looked at in this order (reference 3.2, 4.8, 5.1):
//   1. an inbound address-rewrite entry maps it;
//   2. an SRS address of ours leads back to whom it was made for;
//   3. the exact address, then without its subaddress, then the role of postmaster and abuse, then
//      the catch-all of the domain; an external relay domain has roles only.
#pragma once

#include "transport/addressing/address_rewriter.hpp"
#include "transport/addressing/srs.hpp"
#include "transport/mail/path.hpp"
#include "transport/org/organization.hpp"
#include "transport/route/directory_facts.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace mailflow {

enum class ResolvedKind : std::uint8_t {
    mailbox,  // a local mailbox
    contact,  // one of ours, elsewhere
    group,    // one of ours, its members get the mail
    relay,    // unknown here, in a relay domain of ours (reference 3.2): leaves by a send connector
    external,  // in no accepted domain: needs the right any-recipient
    unknown,   // in an authoritative domain and not in the directory: 550 5.1.1
};

[[nodiscard]] const char* to_text(ResolvedKind kind) noexcept;

// By what a recipient of ours was found.
enum class ResolvedBy : std::uint8_t { address, subaddress, role, catch_all };

struct ResolvedRecipient {
    ResolvedKind kind = ResolvedKind::unknown;
    EmailAddress address;      // the primary address of a recipient of ours, else as it is mapped
    std::string mailbox{};     // name of the recipient of ours; empty otherwise
    RecipientPtr recipient{};  // of ours; null otherwise
    ResolvedBy by = ResolvedBy::address;
    bool is_role = false;             // postmaster or abuse: no restriction keeps mail from it
    bool is_srs = false;              // leads back to a sender
    const AddressRewrite* rewrite{};  // the entry that mapped it; into the organization
};

// What an organization's addresses are changed by; made once for each snapshot, shared by whoever
// categorizes.
class AddressTools {
  public:
    // Without `mac` there is no SRS: forwarded mail leaves under the mailbox's address.
    AddressTools(OrganizationPtr organization, Srs::Mac mac);

    [[nodiscard]] const OrganizationPtr& organization() const noexcept { return organization_; }

    [[nodiscard]] const AddressRewriter& rewriter() const noexcept { return rewriter_; }

    // Null: none.
    [[nodiscard]] const Srs* srs() const noexcept { return srs_ ? &*srs_ : nullptr; }

  private:
    OrganizationPtr organization_;
    AddressRewriter rewriter_;
    std::optional<Srs> srs_;
};

// None: `facts` says what is wanted. `tools` may be null: no rewriting, no SRS.
[[nodiscard]] std::optional<ResolvedRecipient> resolve_recipient(
    const ForwardPath& path,
    const Organization& organization,
    const AddressTools* tools,
    UtcTime now,
    DirectoryFacts& facts);

}  // namespace mailflow

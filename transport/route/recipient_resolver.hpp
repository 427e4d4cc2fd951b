// Step "resolve": a forward-path becomes a recipient of ours or one to be relayed. Pure: the caller
// asks the Directory for `lookup_addresses` in order and hands in the first recipient found (or
// null). Used at RCPT, which refuses what cannot be accepted, and for the recipients of DSNs.
#pragma once

#include "transport/mail/path.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/org/organization.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

enum class ResolvedKind : std::uint8_t {
    mailbox,  // a local mailbox
    relay,    // unknown here, in a relay domain of ours (reference 3.2): leaves by a send connector
    external,  // in no accepted domain: needs the right any-recipient
    unknown,   // in an authoritative domain and not in the directory: 550 5.1.1
};

struct ResolvedRecipient {
    ResolvedKind kind = ResolvedKind::unknown;
    EmailAddress address;  // the primary address of a mailbox, else the address as given
    std::string mailbox;   // name of the mailbox; empty otherwise
};

// Addresses to ask for, in order; the first that exists decides. Empty when no look-up can matter
// (external domains, external relay). The bare <postmaster>, and postmaster@ and abuse@ of every
// accepted domain, fall back to the postmaster of the default domain.
[[nodiscard]] std::vector<EmailAddress> lookup_addresses(
    const ForwardPath& path, const Organization& organization);

// `found`: what the look-up gave, null when nothing.
[[nodiscard]] ResolvedRecipient resolve_recipient(
    const ForwardPath& path, const Organization& organization, const MailRecipient* found);

}  // namespace mailflow

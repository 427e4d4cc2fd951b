// The mailboxes in an address field (RFC 5322 §3.4, with the obsolete forms of §4.4): where each
// stands and what it says, comments, quoted strings, groups and folds understood. What cannot be
// read is passed over up to the next comma and told to the caller. Pure; used by the submission
// policy, which edits a bare address where it stands and nothing around it, and by the header
// rewriter, which replaces addresses so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct ScannedMailbox {
    // The addr-spec without comments and white space, as written otherwise: `"a b"@example.com`.
    // Bare: the local part alone.
    std::string address;
    bool bare = false;
    std::size_t local_end = 0;  // in the text: behind the local part, where a bare one lacks `@…`
    std::size_t local_begin = 0;
    // Of the domain or literal; both 0 for a bare one. Comments and white space may stand between
    // it and the local part.
    std::size_t domain_begin = 0;
    std::size_t domain_end = 0;
};

struct AddressList {
    std::vector<ScannedMailbox> mailboxes;  // in order, members of groups among them
    bool is_whole = true;                   // nothing was passed over; false at the limit too
};

// `ceo@x <alice@b>` has no display name by the grammar, and readers differ on what it says.
enum class DisplayNames : std::uint8_t {
    phrases,  // it is passed over: who asks whom a message is from must be sure
    any,      // it is read as alice@b, and is not whole
};

// `text`: a field's body, folded as it came. At most `limit` mailboxes are read.
[[nodiscard]] AddressList scan_addresses(
    std::string_view text, std::size_t limit, DisplayNames names = DisplayNames::phrases);

}  // namespace mailflow

// The mailboxes in an address field (RFC 5322 §3.4, with the obsolete forms of §4.4): where each
// stands and what it says, comments, quoted strings, groups and folds understood. What cannot be
// read is passed over up to the next comma and told to the caller. Pure; used by the submission
// policy, which edits a bare address where it stands and nothing around it.
#pragma once

#include <cstddef>
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
};

struct AddressList {
    std::vector<ScannedMailbox> mailboxes;  // in order, members of groups among them
    bool is_whole = true;                   // nothing was passed over; false at the limit too
};

// `text`: a field's body, folded as it came. At most `limit` mailboxes are read.
[[nodiscard]] AddressList scan_addresses(std::string_view text, std::size_t limit);

}  // namespace mailflow

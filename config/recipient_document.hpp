// A recipient as people write it (a document of the schema) becomes the record the store keeps:
// what can be judged from the document and the organization alone. Whether names and addresses are
// free, whether recipients it names exist, and which addresses its policy gives it is
// RecipientChecker's. Pure.
#pragma once

#include "config/recipient_fields.hpp"
#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Members given in one document; more are added by further edits.
constexpr std::size_t kMaxMembersGiven = 200'000;

// What an edit does to the members of a group: names, aliases or addresses.
struct MemberEdit {
    std::optional<std::vector<std::string>> all;  // these and no others
    std::vector<std::string> add;
    std::vector<std::string> remove;

    [[nodiscard]] bool empty() const noexcept { return !all && add.empty() && remove.empty(); }
};

// Where a document comes from.
enum class RecipientOrigin : std::uint8_t {
    command,
    // A row of a file: one that gives both `addresses` and `address_policy_enabled` is taken as
    // written, so that an export comes back as it was (reference 4.5 notwithstanding).
    import,
};

struct CheckedRecipient {
    enum class Planning : std::uint8_t {
        never,       // its addresses are given
        always,      // new, or the policy was switched on
        if_changed,  // when the edit changes what its policy makes of it
    };

    MailRecipient recipient;  // of the stored one: its verifier, unless the password goes
    // The one that was given: to be made a verifier of, then forgotten.
    std::optional<std::string> password;
    MemberEdit members;
    Planning planning = Planning::never;
    bool upn_is_primary = false;  // of a mailbox: its UPN is to be the primary address
    std::vector<schema::Problem> problems;

    [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};

// A new recipient. Without an alias the name is the alias, less what no alias may hold; without
// addresses a contact has its external address, and the others are to be planned.
[[nodiscard]] CheckedRecipient make_recipient(
    RecipientKind kind,
    const std::string& name,
    const boost::json::object& fields,
    const Organization& organization,
    RecipientOrigin origin = RecipientOrigin::command);

// A stored one with some fields changed. An address added with `SMTP:` becomes the primary one,
// where no policy manages it. `upn`: the word `primary`, or nothing, is the primary address;
// `password` null removes the password.
[[nodiscard]] CheckedRecipient edit_recipient(
    const MailRecipient& current,
    const std::string& name,
    const boost::json::object& edit,
    const Organization& organization,
    RecipientOrigin origin = RecipientOrigin::command);

}  // namespace mailflow

// One of our recipients as the directory knows it: a mailbox, a contact or a group (reference 5).
// Plain data; names of other recipients are current names, kept true by the store when one of them
// is renamed or removed. A group's members are not in it: they are asked for page by page.
#pragma once

#include "transport/mail/email_address.hpp"
#include "transport/org/delivery_target.hpp"
#include "transport/org/scram_verifier.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

enum class RecipientKind : std::uint8_t {
    mailbox,  // mail is kept here, or handed to a mailbox server of ours
    contact,  // a person elsewhere, known by an address of ours too
    group,    // its members get the mail
};

[[nodiscard]] constexpr const char* to_text(RecipientKind kind) noexcept {
    switch (kind) {
        case RecipientKind::mailbox: return "mailbox";
        case RecipientKind::contact: return "contact";
        case RecipientKind::group: return "group";
    }
    return "";
}

// Mailboxes (reference 5.2).
struct Forwarding {
    std::string recipient;  // name of one of ours; rules when both are set
    std::optional<EmailAddress> address;
    bool deliver_and_forward = false;

    [[nodiscard]] bool is_set() const noexcept { return !recipient.empty() || address; }

    friend bool operator==(const Forwarding&, const Forwarding&) = default;
};

// Who may send to a recipient, and how much it may send and get (reference 5.2).
struct RecipientLimits {
    std::vector<std::string> accept_from;  // names; a group stands for its members; empty: everyone
    std::vector<std::string> reject_from;  // names; wins over accept_from
    bool require_authenticated_sender = false;
    std::optional<std::uint64_t> max_receive_size;  // octets; none: the organization's
    std::optional<std::uint64_t> max_send_size;
    std::optional<std::uint32_t> max_recipients;  // of a message it sends; none: organization's

    friend bool operator==(const RecipientLimits&, const RecipientLimits&) = default;
};

// Groups within groups that are followed.
constexpr std::uint32_t kMaxGroupDepth = 20;

// Groups (reference 5.3). Never both reports; neither: members' failures are reported to nobody.
struct GroupSettings {
    std::vector<std::string> owners;  // names
    bool report_to_owner = false;
    bool report_to_originator = true;
    bool send_oof_to_originator = false;

    friend bool operator==(const GroupSettings&, const GroupSettings&) = default;
};

struct MailRecipient {
    std::string name;   // unique, ≤ 64 characters
    std::string alias;  // used in templates and as folder of the Maildir
    std::string first_name;
    std::string last_name;
    std::string display_name;
    // The first is the primary (`SMTP:`), the others are proxies (`smtp:`). Never empty.
    std::vector<EmailAddress> addresses;
    // Login name of a mailbox, `local@domain`; unique without case. Never empty once stored; empty
    // for contacts and groups.
    std::string upn;
    // None: nobody can log in as this recipient.
    std::optional<ScramVerifier> verifier;
    // Names of other mailboxes whose owners may send as this one.
    std::vector<std::string> send_as;

    RecipientKind kind = RecipientKind::mailbox;
    std::string initials;
    // What address policies filter by (reference 4.1, 4.7), by field name: `company`, `department`,
    // `state_or_province`, `city`, `country_or_region`, `office`, `title`, `custom_attribute_1` …
    // `custom_attribute_15`. Only those that are set.
    std::map<std::string, std::string, std::less<>> attributes;
    // Off: its addresses are managed by hand, no policy touches them.
    bool address_policy_enabled = true;
    // None: the organization's rewrite_sender_to_primary.
    std::optional<bool> rewrite_sender_to_primary;
    RecipientLimits limits;
    DeliveryTarget target;                         // mailboxes
    Forwarding forwarding;                         // mailboxes
    std::optional<EmailAddress> external_address;  // contacts: never none there
    GroupSettings group;                           // groups

    [[nodiscard]] const EmailAddress& primary() const { return addresses.front(); }

    // One of `addresses` has this EmailAddress::lookup_key().
    [[nodiscard]] bool has_address(std::string_view lookup_key) const {
        return std::any_of(addresses.begin(), addresses.end(), [lookup_key](const auto& own) {
            return own.lookup_key() == lookup_key;
        });
    }
};

}  // namespace mailflow

// A property of a recipient by its name, as filters and lists ask for it: Exchange's names
// (`CustomAttribute3`) and ours (`custom_attribute_3`), in any case, underscores left out or not.
// Pure; names are read once, values as often as there are recipients.
#pragma once

#include "transport/org/mail_recipient.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

class RecipientProperty {
  public:
    // Nothing: no such property.
    [[nodiscard]] static std::optional<RecipientProperty> find(std::string_view name);
    // All of them for people, as Exchange writes them: `Alias, City, …`.
    [[nodiscard]] static std::string names();

    using Visitor = std::function<bool(std::string_view value)>;

    // True when `visitor` says so for a value. Values that are not set, or empty, are not shown.
    [[nodiscard]] bool any_value(const MailRecipient& recipient, const Visitor& visitor) const;
    // `text` in the form the property's values have: addresses without `SMTP:`, types of recipients
    // as Exchange says them (`UserMailbox` for `mailbox`).
    [[nodiscard]] std::string comparable(std::string_view text) const;

    enum class Id : std::uint8_t {
        addresses,
        address_policy_enabled,
        alias,
        attribute,
        display_name,
        external_address,
        first_name,
        initials,
        kind,
        last_name,
        name,
        primary,
        recipient_type,
        upn,
    };

  private:
    RecipientProperty(Id id, std::string attribute)
        : id_(id)
        , attribute_(std::move(attribute)) {}

    Id id_;
    std::string attribute_;  // key in MailRecipient::attributes
};

}  // namespace mailflow

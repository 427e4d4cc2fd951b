#include "transport/addressing/recipient_property.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <array>

namespace mailflow {

namespace {

using Id = RecipientProperty::Id;

struct Named {
    std::string_view name;  // as Exchange has it, or as we do where it has none
    Id id;
    std::string_view attribute;
};

// Other names of the same come behind, not shown.
constexpr std::array kProperties{
    Named{"Alias", Id::alias, ""},
    Named{"City", Id::attribute, "city"},
    Named{"Company", Id::attribute, "company"},
    Named{"CountryOrRegion", Id::attribute, "country_or_region"},
    Named{"Department", Id::attribute, "department"},
    Named{"DisplayName", Id::display_name, ""},
    Named{"EmailAddresses", Id::addresses, ""},
    Named{"EmailAddressPolicyEnabled", Id::address_policy_enabled, ""},
    Named{"ExternalEmailAddress", Id::external_address, ""},
    Named{"FirstName", Id::first_name, ""},
    Named{"Initials", Id::initials, ""},
    Named{"LastName", Id::last_name, ""},
    Named{"Name", Id::name, ""},
    Named{"Office", Id::attribute, "office"},
    Named{"PrimarySmtpAddress", Id::primary, ""},
    Named{"RecipientType", Id::recipient_type, ""},
    Named{"StateOrProvince", Id::attribute, "state_or_province"},
    Named{"Title", Id::attribute, "title"},
    Named{"UserPrincipalName", Id::upn, ""}};
constexpr std::array kOtherNames{
    Named{"addresses", Id::addresses, ""},
    Named{"addresspolicyenabled", Id::address_policy_enabled, ""},
    Named{"externaladdress", Id::external_address, ""},
    Named{"kind", Id::kind, ""},
    Named{"primary", Id::primary, ""},
    Named{"upn", Id::upn, ""}};
constexpr std::string_view kCustomAttribute = "customattribute";
constexpr std::uint64_t kCustomAttributes = 15;

struct KindName {
    RecipientKind kind;
    std::string_view type;
};

constexpr std::array kTypes{
    KindName{RecipientKind::mailbox, "UserMailbox"},
    KindName{RecipientKind::contact, "MailContact"},
    KindName{RecipientKind::group, "MailUniversalDistributionGroup"}};

std::string_view type_of(RecipientKind kind) noexcept {
    const auto* const found = std::find_if(
        kTypes.begin(), kTypes.end(), [kind](const auto& type) { return type.kind == kind; });
    return found == kTypes.end() ? std::string_view() : found->type;
}

bool show(std::string_view value, const RecipientProperty::Visitor& visitor) {
    return !value.empty() && visitor(value);
}

}  // namespace

std::optional<RecipientProperty> RecipientProperty::find(std::string_view name) {
    std::string plain(name);
    std::erase(plain, '_');
    const auto is_named = [&plain](const Named& named) {
        return ascii::equal_ignoring_case(named.name, plain);
    };
    const auto* const property = std::find_if(kProperties.begin(), kProperties.end(), is_named);
    if (property != kProperties.end()) {
        return RecipientProperty(property->id, std::string(property->attribute));
    }
    const auto* const other = std::find_if(kOtherNames.begin(), kOtherNames.end(), is_named);
    if (other != kOtherNames.end()) {
        return RecipientProperty(other->id, std::string());
    }
    if (!ascii::starts_with_ignoring_case(plain, kCustomAttribute)) {
        return std::nullopt;
    }
    const auto digits = std::string_view(plain).substr(kCustomAttribute.size());
    const auto number = ascii::parse_number(digits);
    if (!number || *number == 0 || *number > kCustomAttributes || digits.starts_with('0')) {
        return std::nullopt;
    }
    return RecipientProperty(Id::attribute, "custom_attribute_" + std::to_string(*number));
}

std::string RecipientProperty::names() {
    std::string names;
    for (const auto& property : kProperties) {
        names += names.empty() ? "" : ", ";
        names += property.name;
        if (property.attribute == "country_or_region") {
            names += ", CustomAttribute1 to CustomAttribute15";
        }
    }
    return names;
}

bool RecipientProperty::any_value(const MailRecipient& recipient, const Visitor& visitor) const {
    switch (id_) {
        case Id::addresses:
            return std::any_of(
                recipient.addresses.begin(),
                recipient.addresses.end(),
                [&visitor](const auto& address) { return visitor(address.text()); });
        case Id::address_policy_enabled:
            return visitor(recipient.address_policy_enabled ? "true" : "false");
        case Id::alias: return show(recipient.alias, visitor);
        case Id::attribute: {
            const auto found = recipient.attributes.find(attribute_);
            return found != recipient.attributes.end() && show(found->second, visitor);
        }
        case Id::display_name: return show(recipient.display_name, visitor);
        case Id::external_address:
            return recipient.external_address && visitor(recipient.external_address->text());
        case Id::first_name: return show(recipient.first_name, visitor);
        case Id::initials: return show(recipient.initials, visitor);
        case Id::kind: return visitor(to_text(recipient.kind));
        case Id::last_name: return show(recipient.last_name, visitor);
        case Id::name: return show(recipient.name, visitor);
        case Id::primary:
            return !recipient.addresses.empty() && visitor(recipient.primary().text());
        case Id::recipient_type: return visitor(type_of(recipient.kind));
        case Id::upn: return show(recipient.upn, visitor);
    }
    return false;
}

std::string RecipientProperty::comparable(std::string_view text) const {
    constexpr std::string_view kPrefix = "smtp:";
    const bool is_address =
        id_ == Id::addresses || id_ == Id::primary || id_ == Id::external_address;
    if (is_address && ascii::starts_with_ignoring_case(text, kPrefix)) {
        text.remove_prefix(kPrefix.size());
    }
    if (id_ == Id::recipient_type || id_ == Id::kind) {
        for (const auto& type : kTypes) {
            const bool is_type = ascii::equal_ignoring_case(text, type.type) ||
                                 ascii::equal_ignoring_case(text, to_text(type.kind));
            if (is_type) {
                return std::string(id_ == Id::kind ? to_text(type.kind) : type.type);
            }
        }
    }
    return std::string(text);
}

}  // namespace mailflow

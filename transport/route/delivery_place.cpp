#include "transport/base/ascii.hpp"
#include "transport/route/categorization_work.hpp"

namespace mailflow {

namespace {

// A piece of a path made from what people are called: it stays below its folder.
std::string folder_name(std::string_view value) {
    std::string name;
    for (const char c : value) {
        const bool is_harmless = c != '/' && static_cast<unsigned char>(c) >= ' ' && c != '\x7f';
        name += is_harmless ? c : '_';
    }
    return name.empty() || name == "." || name == ".." ? "_" : name;
}

std::string filled_in(std::string_view text, const MailRecipient& mailbox) {
    const auto& address = mailbox.primary();
    std::string place;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char token = text[i] == '%' && i + 1 < text.size() ? text[i + 1] : '\0';
        switch (token) {
            case 'm': place += folder_name(mailbox.alias); break;
            case 'u': place += folder_name(address.local()); break;
            case 'd': place += folder_name(address.domain_text()); break;
            case '%': place += '%'; break;
            default: place += text[i]; continue;
        }
        ++i;
    }
    return place;
}

}  // namespace

DeliveryTarget delivery_place(const MailRecipient& mailbox) {
    const auto& target = mailbox.target;
    if (target.kind != DeliveryTarget::Kind::maildir) {
        return target;
    }
    if (!target.place.empty()) {
        return {target.kind, filled_in(target.place, mailbox)};
    }
    // Mostly both are the same, and then the row need not say it.
    return mailbox.alias.empty() || mailbox.alias == mailbox.name
               ? DeliveryTarget{}
               : DeliveryTarget{target.kind, folder_name(mailbox.alias)};
}

}  // namespace mailflow

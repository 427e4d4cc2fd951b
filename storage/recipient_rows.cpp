#include "storage/recipient_rows.hpp"

namespace mailflow {

namespace {

std::optional<std::int64_t> first_id(SqliteQuery& rows) {
    const bool found = rows.step();
    return found ? std::optional(rows.integer(0)) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> RecipientRows::find_id(const std::string& name) {
    auto by_name = connection_.query("SELECT id FROM recipient WHERE name = ?");
    by_name.bind_text(name);
    if (const auto id = first_id(by_name)) {
        return id;
    }
    auto by_alias = connection_.query("SELECT id FROM recipient WHERE alias = ?");
    by_alias.bind_text(name);
    return first_id(by_alias);
}

std::optional<std::int64_t> RecipientRows::find_id_by_address(const std::string& lookup_key) {
    auto rows = connection_.query("SELECT recipient FROM address WHERE key = ?");
    rows.bind_text(lookup_key);
    return first_id(rows);
}

Result<std::optional<MailRecipient>> RecipientRows::read(std::optional<std::int64_t> id) {
    if (!id) {
        return std::optional<MailRecipient>();
    }
    MailRecipient recipient;
    {
        auto row = connection_.query(
            "SELECT name, alias, first_name, last_name, display_name FROM recipient WHERE id = ?");
        row.bind(*id);
        if (!row.step()) {
            return std::optional<MailRecipient>();
        }
        recipient.name = row.text(0);
        recipient.alias = row.text(1);
        recipient.first_name = row.text(2);
        recipient.last_name = row.text(3);
        recipient.display_name = row.text(4);
    }
    auto rows = connection_.query("SELECT text FROM address WHERE recipient = ? ORDER BY position");
    rows.bind(*id);
    while (rows.step()) {
        auto address = EmailAddress::parse(rows.bytes(0));
        if (!address) {
            return Error::corrupt;
        }
        recipient.addresses.push_back(std::move(*address));
    }
    if (recipient.addresses.empty()) {
        return Error::corrupt;
    }
    return std::optional(std::move(recipient));
}

std::vector<std::int64_t> RecipientRows::page(const std::string& after, std::size_t limit) {
    std::vector<std::int64_t> ids;
    auto rows = connection_.query("SELECT id FROM recipient WHERE name > ? ORDER BY name LIMIT ?");
    rows.bind_text(after).bind(static_cast<std::uint64_t>(limit));
    while (rows.step())
        ids.push_back(rows.integer(0));
    return ids;
}

}  // namespace mailflow

#include "storage/recipient_rows.hpp"

#include <algorithm>

namespace mailflow {

namespace {

std::optional<std::int64_t> first_id(SqliteQuery& rows) {
    const bool found = rows.step();
    return found ? std::optional(rows.integer(0)) : std::nullopt;
}

// Nothing when the rows name two.
std::optional<std::int64_t> only_id(SqliteQuery& rows) {
    const auto id = first_id(rows);
    while (id && rows.step()) {
        if (rows.integer(0) != *id) return std::nullopt;
    }
    return id;
}

template <std::size_t N>
bool read_key(std::string_view octets, std::array<std::uint8_t, N>& key) {
    if (octets.size() != N) {
        return false;
    }
    std::copy(octets.begin(), octets.end(), key.begin());
    return true;
}

}  // namespace

std::optional<std::int64_t> RecipientRows::find_id(const std::string& name) {
    auto by_name = connection_.query("SELECT id FROM recipient WHERE name = ?");
    by_name.bind_text(name);
    if (const auto id = first_id(by_name)) {
        return id;
    }
    return find_id_by_alias(name);
}

std::optional<std::int64_t> RecipientRows::find_id_by_alias(const std::string& alias) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE alias = ?");
    rows.bind_text(alias);
    return first_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_id_by_upn(const std::string& upn_key) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE upn_key = ?");
    rows.bind_text(upn_key);
    return first_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_id_by_login(const std::string& lookup_key) {
    auto rows = connection_.query(
        "SELECT id FROM recipient WHERE upn_key = ?1 "
        "UNION SELECT recipient FROM address WHERE key = ?1");
    rows.bind_text(lookup_key);
    return only_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_id_in_domain(
    const std::string& label, const std::string& alias) {
    // Keys and domains that begin with the label and a dot lie between two texts: `/` is the
    // character behind the dot.
    const auto first_domain = label + ".";
    const auto after_domains = label + "/";
    const auto first_key = alias + "@" + first_domain;
    const auto after_keys = alias + "@" + after_domains;
    auto rows = connection_.query(
        "SELECT id FROM recipient WHERE alias = ?1 AND EXISTS("
        "SELECT 1 FROM address WHERE recipient = id AND domain >= ?2 AND domain < ?3) "
        "UNION SELECT recipient FROM address WHERE key >= ?4 AND key < ?5");
    rows.bind_text(alias).bind_text(first_domain).bind_text(after_domains);
    rows.bind_text(first_key).bind_text(after_keys);
    return only_id(rows);
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
            "SELECT name, alias, first_name, last_name, display_name, upn, iterations, salt, "
            "stored_key, server_key FROM recipient WHERE id = ?");
        row.bind(*id);
        if (!row.step()) {
            return std::optional<MailRecipient>();
        }
        recipient.name = row.text(0);
        recipient.alias = row.text(1);
        recipient.first_name = row.text(2);
        recipient.last_name = row.text(3);
        recipient.display_name = row.text(4);
        recipient.upn = row.text(5);
        if (const auto iterations = row.integer(6); iterations != 0) {
            auto& verifier = recipient.verifier.emplace();
            verifier.iterations = static_cast<std::uint32_t>(iterations);
            verifier.salt = row.text(7);
            if (!read_key(row.bytes(8), verifier.stored_key) ||
                !read_key(row.bytes(9), verifier.server_key)) {
                return Error::corrupt;
            }
        }
    }
    read_send_as(*id, recipient);
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

void RecipientRows::read_send_as(std::int64_t id, MailRecipient& recipient) {
    auto rows = connection_.query(
        "SELECT name FROM send_as JOIN recipient ON recipient.id = sender WHERE send_as.recipient "
        "= ? ORDER BY position");
    rows.bind(id);
    while (rows.step())
        recipient.send_as.push_back(rows.text(0));
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

#include "storage/recipient_rows.hpp"

#include "transport/ports/directory.hpp"

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

std::vector<std::int64_t> all_ids(SqliteQuery& rows) {
    std::vector<std::int64_t> ids;
    while (rows.step())
        ids.push_back(rows.integer(0));
    return ids;
}

template <std::size_t N>
bool read_key(std::string_view octets, std::array<std::uint8_t, N>& key) {
    if (octets.size() != N) {
        return false;
    }
    std::copy(octets.begin(), octets.end(), key.begin());
    return true;
}

// The columns of a recipient, from left to right.
class Columns {
  public:
    explicit Columns(const SqliteQuery& row) noexcept
        : row_(row) {}

    std::string text() { return row_.text(next_++); }

    bool boolean() { return row_.boolean(next_++); }

    template <class Number>
    std::optional<Number> number() {
        const int column = next_++;
        return row_.is_null(column) ? std::nullopt
                                    : std::optional(static_cast<Number>(row_.integer(column)));
    }

    // False: there is one, and it is none.
    bool address(std::optional<EmailAddress>& into) {
        const int column = next_++;
        if (row_.is_null(column)) {
            return true;
        }
        auto address = EmailAddress::parse(row_.bytes(column));
        if (address) into = std::move(*address);
        return into.has_value();
    }

    // False: no such kind.
    template <class Kind>
    bool kind(Kind& into, Kind last) {
        const auto number = row_.integer(next_++);
        into = static_cast<Kind>(number);
        return number >= 0 && number <= static_cast<std::int64_t>(last);
    }

    bool verifier(std::optional<ScramVerifier>& into) {
        const int column = next_;
        next_ += 4;
        const auto iterations = row_.integer(column);
        if (iterations == 0) {
            return true;
        }
        auto& verifier = into.emplace();
        verifier.iterations = static_cast<std::uint32_t>(iterations);
        verifier.salt = row_.text(column + 1);
        return read_key(row_.bytes(column + 2), verifier.stored_key) &&
               read_key(row_.bytes(column + 3), verifier.server_key);
    }

  private:
    const SqliteQuery& row_;
    int next_ = 0;
};

// What a row of read_details is; others are of a ReferenceRole.
constexpr std::int64_t kAddressDetail = 0;
constexpr std::int64_t kAttributeDetail = -1;

// False: no such role, of those a recipient itself has.
bool take_reference(ReferenceRole role, std::string name, MailRecipient& recipient) {
    auto& limits = recipient.limits;
    switch (role) {
        case ReferenceRole::send_as: recipient.send_as.push_back(std::move(name)); return true;
        case ReferenceRole::accept_from: limits.accept_from.push_back(std::move(name)); return true;
        case ReferenceRole::reject_from: limits.reject_from.push_back(std::move(name)); return true;
        case ReferenceRole::forwarding:
            recipient.forwarding.recipient = std::move(name);
            return true;
        case ReferenceRole::owner: recipient.group.owners.push_back(std::move(name)); return true;
        case ReferenceRole::member: break;
    }
    return false;
}

}  // namespace

std::optional<std::int64_t> RecipientRows::find_id(const std::string& name) {
    const auto by_name = find_id_by_name(name);
    return by_name ? by_name : find_id_by_alias(name);
}

std::optional<std::int64_t> RecipientRows::find_id_by_name(const std::string& name) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE name = ?");
    rows.bind_text(name);
    return first_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_id_by_address(const std::string& lookup_key) {
    auto rows = connection_.query("SELECT recipient FROM address WHERE key = ?");
    rows.bind_text(lookup_key);
    return first_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_id_by_upn(const std::string& upn_key) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE upn_key = ? AND upn_key <> ''");
    rows.bind_text(upn_key);
    return first_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_id_by_alias(const std::string& alias) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE alias = ?");
    rows.bind_text(alias);
    return first_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_mailbox_by_login(const std::string& lookup_key) {
    auto rows = connection_.query(
        "SELECT id FROM recipient WHERE upn_key = ?1 AND upn_key <> '' AND kind = 0 "
        "UNION SELECT recipient FROM address JOIN recipient ON id = recipient "
        "WHERE key = ?1 AND kind = 0");
    rows.bind_text(lookup_key);
    return only_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_mailbox_by_alias(const std::string& alias) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE alias = ? AND kind = 0");
    rows.bind_text(alias);
    return first_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_mailbox_in_domain(
    const std::string& label, const std::string& alias) {
    // Keys and domains that begin with the label and a dot lie between two texts: `/` is the
    // character behind the dot.
    const auto first_domain = label + ".";
    const auto after_domains = label + "/";
    const auto first_key = alias + "@" + first_domain;
    const auto after_keys = alias + "@" + after_domains;
    auto rows = connection_.query(
        "SELECT id FROM recipient WHERE alias = ?1 AND kind = 0 AND EXISTS("
        "SELECT 1 FROM address WHERE recipient = id AND domain >= ?2 AND domain < ?3) "
        "UNION SELECT recipient FROM address JOIN recipient ON id = recipient "
        "WHERE key >= ?4 AND key < ?5 AND kind = 0");
    rows.bind_text(alias).bind_text(first_domain).bind_text(after_domains);
    rows.bind_text(first_key).bind_text(after_keys);
    return only_id(rows);
}

std::optional<std::int64_t> RecipientRows::find_group(const std::string& name) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE name = ? AND kind = 2");
    rows.bind_text(name);
    return first_id(rows);
}

Result<std::optional<MailRecipient>> RecipientRows::read(std::optional<std::int64_t> id) {
    if (!id) {
        return std::optional<MailRecipient>();
    }
    MailRecipient recipient;
    if (!read_row(*id, recipient)) {
        return Error::corrupt;
    }
    if (recipient.name.empty()) {
        return std::optional<MailRecipient>();
    }
    if (!read_details(*id, recipient)) {
        return Error::corrupt;
    }
    return std::optional(std::move(recipient));
}

// Without a row the name stays empty.
bool RecipientRows::read_row(std::int64_t id, MailRecipient& recipient) {
    auto row = connection_.query(
        "SELECT name, alias, first_name, last_name, display_name, initials, upn, "
        "iterations, salt, stored_key, server_key, kind, address_policy_enabled, "
        "rewrite_sender_to_primary, require_authenticated_sender, max_receive_size, "
        "max_send_size, max_recipients, target_kind, target_place, forwarding_address, "
        "deliver_and_forward, external_address, report_to_owner, report_to_originator, "
        "send_oof_to_originator FROM recipient WHERE id = ?");
    row.bind(id);
    if (!row.step()) {
        return true;
    }
    Columns columns(row);
    recipient.name = columns.text();
    recipient.alias = columns.text();
    recipient.first_name = columns.text();
    recipient.last_name = columns.text();
    recipient.display_name = columns.text();
    recipient.initials = columns.text();
    recipient.upn = columns.text();
    bool sound = columns.verifier(recipient.verifier);
    sound = columns.kind(recipient.kind, RecipientKind::group) && sound;
    recipient.address_policy_enabled = columns.boolean();
    recipient.rewrite_sender_to_primary = columns.number<bool>();
    recipient.limits.require_authenticated_sender = columns.boolean();
    recipient.limits.max_receive_size = columns.number<std::uint64_t>();
    recipient.limits.max_send_size = columns.number<std::uint64_t>();
    recipient.limits.max_recipients = columns.number<std::uint32_t>();
    sound = columns.kind(recipient.target.kind, DeliveryTarget::Kind::smtp) && sound;
    recipient.target.place = columns.text();
    sound = columns.address(recipient.forwarding.address) && sound;
    recipient.forwarding.deliver_and_forward = columns.boolean();
    sound = columns.address(recipient.external_address) && sound;
    recipient.group.report_to_owner = columns.boolean();
    recipient.group.report_to_originator = columns.boolean();
    recipient.group.send_oof_to_originator = columns.boolean();
    return sound;
}

// Addresses, attributes and names of others in one statement: a look-up asks twice in all.
bool RecipientRows::read_details(std::int64_t id, MailRecipient& recipient) {
    auto rows = connection_.query(
        "SELECT 0, '', text FROM (SELECT text FROM address WHERE recipient = ?1 ORDER BY position) "
        "UNION ALL SELECT -1, name, value FROM attribute WHERE recipient = ?1 "
        "UNION ALL SELECT role, '', name FROM (SELECT role, name FROM reference "
        "CROSS JOIN recipient ON recipient.id = target WHERE reference.recipient = ?1 "
        "ORDER BY role, position)");
    rows.bind(id);
    auto& attributes = recipient.attributes;
    bool sound = true;
    while (rows.step()) {
        switch (rows.integer(0)) {
            case kAddressDetail: {
                auto address = EmailAddress::parse(rows.bytes(2));
                sound = sound && address.has_value();
                if (address) recipient.addresses.push_back(std::move(*address));
                break;
            }
            case kAttributeDetail:
                attributes.emplace_hint(attributes.end(), rows.text(1), rows.text(2));
                break;
            default:
                sound = take_reference(
                            static_cast<ReferenceRole>(rows.integer(0)), rows.text(2), recipient) &&
                        sound;
        }
    }
    return sound && !recipient.addresses.empty();
}

std::vector<std::int64_t> RecipientRows::page(const std::string& after, std::size_t limit) {
    auto rows = connection_.query("SELECT id FROM recipient WHERE name > ? ORDER BY name LIMIT ?");
    rows.bind_text(after).bind(static_cast<std::uint64_t>(limit));
    return all_ids(rows);
}

// Mailboxes are most of the recipients, so the index of names is theirs.
std::vector<std::int64_t> RecipientRows::page_of(
    RecipientKind kind, const std::string& after, std::size_t limit) {
    auto rows = kind == RecipientKind::mailbox
                    ? connection_.query(
                          "SELECT id FROM recipient WHERE kind + 0 = ? AND name > ? "
                          "ORDER BY name LIMIT ?")
                    : connection_.query(
                          "SELECT id FROM recipient INDEXED BY recipient_kind WHERE "
                          "kind = ? AND kind <> 0 AND name > ? ORDER BY name LIMIT ?");
    rows.bind(static_cast<int>(kind)).bind_text(after).bind(static_cast<std::uint64_t>(limit));
    return all_ids(rows);
}

std::uint64_t RecipientRows::count(RecipientKind kind) {
    auto row = connection_.query("SELECT number FROM recipient_count WHERE kind = ?");
    row.bind(static_cast<int>(kind));
    const bool found = row.step();
    return found ? row.unsigned_integer(0) : 0;
}

std::vector<std::int64_t> RecipientRows::member_ids(
    std::int64_t group, const std::string& after, std::size_t limit) {
    auto rows = connection_.query(
        "SELECT recipient FROM member WHERE \"group\" = ? AND name > ? ORDER BY name LIMIT ?");
    rows.bind(group).bind_text(after).bind(static_cast<std::uint64_t>(limit));
    return all_ids(rows);
}

std::vector<std::string> RecipientRows::member_names(
    std::int64_t group, const std::string& after, std::size_t limit) {
    std::vector<std::string> names;
    auto rows = connection_.query(
        "SELECT name FROM member WHERE \"group\" = ? AND name > ? ORDER BY name LIMIT ?");
    rows.bind(group).bind_text(after).bind(static_cast<std::uint64_t>(limit));
    while (rows.step())
        names.push_back(rows.text(0));
    return names;
}

// Upwards from the recipient: few groups have it, a group may have everybody. UNION ends circles,
// and no depth comes twice for one group.
bool RecipientRows::is_member(std::int64_t group, std::int64_t recipient) {
    auto rows = connection_.query(
        "WITH RECURSIVE above(id, depth) AS ("
        "SELECT \"group\", 0 FROM member WHERE recipient = ?1 "
        "UNION SELECT \"group\", depth + 1 FROM above JOIN member ON recipient = id "
        "WHERE depth < ?2) "
        "SELECT 1 FROM above WHERE id = ?3 LIMIT 1");
    rows.bind(recipient).bind(kMaxGroupDepth).bind(group);
    return rows.step();
}

std::vector<Referrer> RecipientRows::referrers(std::int64_t id, std::size_t limit) {
    std::vector<Referrer> found;
    const auto take = [&](SqliteQuery rows) {
        rows.bind(id).bind(static_cast<std::uint64_t>(limit - found.size()));
        while (rows.step())
            found.push_back({rows.text(0), static_cast<ReferenceRole>(rows.integer(1))});
    };
    take(
        connection_.query("SELECT name, role FROM reference CROSS JOIN recipient ON recipient.id = "
                          "reference.recipient WHERE target = ? ORDER BY role LIMIT ?"));
    take(connection_.query(
        "SELECT owner.name, 6 FROM member CROSS JOIN recipient AS owner ON owner.id = \"group\" "
        "WHERE recipient = ? LIMIT ?"));
    return found;
}

std::vector<std::string> RecipientRows::accepting_only(std::int64_t id, std::size_t limit) {
    std::vector<std::string> names;
    auto rows = connection_.query(
        "SELECT name FROM reference AS one CROSS JOIN recipient ON id = one.recipient "
        "WHERE target = ?1 AND role = 2 AND one.recipient <> ?1 AND NOT EXISTS("
        "SELECT 1 FROM reference AS other WHERE other.recipient = one.recipient AND "
        "other.role = 2 AND other.target <> ?1) LIMIT ?2");
    rows.bind(id).bind(static_cast<std::uint64_t>(limit));
    while (rows.step())
        names.push_back(rows.text(0));
    return names;
}

}  // namespace mailflow

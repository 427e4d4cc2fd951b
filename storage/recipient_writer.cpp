#include "storage/recipient_writer.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <array>
#include <utility>

namespace mailflow {

namespace {

template <std::size_t N>
std::string_view octets_of(const std::array<std::uint8_t, N>& key) {
    return {reinterpret_cast<const char*>(key.data()), key.size()};
}

// What of a row is no field as it is; lives until the row is written.
struct Derived {
    explicit Derived(const MailRecipient& recipient)
        : forwarding(text_of(recipient.forwarding.address))
        , external(text_of(recipient.external_address)) {
        if (recipient.kind == RecipientKind::mailbox) {
            // No mailbox is without a login name: the primary address is one by itself.
            upn = recipient.upn.empty() ? recipient.primary().text() : recipient.upn;
            upn_key = ascii::to_lower(upn);
            verifier = recipient.verifier ? &*recipient.verifier : nullptr;
        }
    }

    static std::optional<std::string> text_of(const std::optional<EmailAddress>& address) {
        return address ? std::optional(address->text()) : std::nullopt;
    }

    std::string upn;
    std::string upn_key;
    const ScramVerifier* verifier = nullptr;
    std::optional<std::string> forwarding;
    std::optional<std::string> external;
};

void bind_optional(SqliteQuery& row, const std::optional<std::string>& text) {
    if (text) {
        row.bind_text(*text);
    } else {
        row.bind_null();
    }
}

template <class Number>
void bind_optional(SqliteQuery& row, const std::optional<Number>& number) {
    if (number) {
        row.bind(*number);
    } else {
        row.bind_null();
    }
}

void bind_verifier(SqliteQuery& row, const ScramVerifier* verifier) {
    if (verifier == nullptr) {
        row.bind(0).bind_null().bind_null().bind_null();
        return;
    }
    row.bind(verifier->iterations)
        .bind_blob(verifier->salt)
        .bind_blob(octets_of(verifier->stored_key))
        .bind_blob(octets_of(verifier->server_key));
}

// In the order of the columns in both statements below.
void bind_row(SqliteQuery& row, const MailRecipient& recipient, const Derived& derived) {
    row.bind_text(recipient.name)
        .bind_text(recipient.alias)
        .bind_text(recipient.first_name)
        .bind_text(recipient.last_name)
        .bind_text(recipient.display_name)
        .bind_text(recipient.initials)
        .bind_text(derived.upn)
        .bind_text(derived.upn_key);
    bind_verifier(row, derived.verifier);
    row.bind(static_cast<int>(recipient.kind)).bind(recipient.address_policy_enabled);
    bind_optional(row, recipient.rewrite_sender_to_primary);
    const auto& limits = recipient.limits;
    row.bind(limits.require_authenticated_sender);
    bind_optional(row, limits.max_receive_size);
    bind_optional(row, limits.max_send_size);
    bind_optional(row, limits.max_recipients);
    row.bind(static_cast<int>(recipient.target.kind)).bind_text(recipient.target.place);
    bind_optional(row, derived.forwarding);
    row.bind(recipient.forwarding.deliver_and_forward);
    bind_optional(row, derived.external);
    row.bind(recipient.group.report_to_owner)
        .bind(recipient.group.report_to_originator)
        .bind(recipient.group.send_oof_to_originator);
}

}  // namespace

std::int64_t RecipientWriter::next_id() {
    return connection_.number("SELECT coalesce(max(id), 0) + 1 FROM recipient");
}

void RecipientWriter::insert(std::int64_t id, const MailRecipient& recipient) {
    const Derived derived(recipient);
    auto row = connection_.query(
        "INSERT INTO recipient(name, alias, first_name, last_name, display_name, initials, upn, "
        "upn_key, iterations, salt, stored_key, server_key, kind, address_policy_enabled, "
        "rewrite_sender_to_primary, require_authenticated_sender, max_receive_size, "
        "max_send_size, max_recipients, target_kind, target_place, forwarding_address, "
        "deliver_and_forward, external_address, report_to_owner, report_to_originator, "
        "send_oof_to_originator, id) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    bind_row(row, recipient, derived);
    row.bind(id).run();
    write_addresses(id, recipient);
    write_attributes(id, recipient);
}

void RecipientWriter::update(std::int64_t id, const MailRecipient& recipient) {
    const Derived derived(recipient);
    auto row = connection_.query(
        "UPDATE recipient SET name = ?, alias = ?, first_name = ?, last_name = ?, "
        "display_name = ?, initials = ?, upn = ?, upn_key = ?, iterations = ?, salt = ?, "
        "stored_key = ?, server_key = ?, kind = ?, address_policy_enabled = ?, "
        "rewrite_sender_to_primary = ?, require_authenticated_sender = ?, max_receive_size = ?, "
        "max_send_size = ?, max_recipients = ?, target_kind = ?, target_place = ?, "
        "forwarding_address = ?, deliver_and_forward = ?, external_address = ?, "
        "report_to_owner = ?, report_to_originator = ?, send_oof_to_originator = ? WHERE id = ?");
    bind_row(row, recipient, derived);
    row.bind(id).run();
    if (recipient.kind != RecipientKind::group) {
        connection_.query("DELETE FROM member WHERE \"group\" = ?").bind(id).run();
    }
    if (!has_addresses(id, recipient)) {
        connection_.query("DELETE FROM address WHERE recipient = ?").bind(id).run();
        write_addresses(id, recipient);
    }
    connection_.query("DELETE FROM attribute WHERE recipient = ?").bind(id).run();
    write_attributes(id, recipient);
}

// Most changes leave them as they are, which costs one index instead of three trees twice.
bool RecipientWriter::has_addresses(std::int64_t id, const MailRecipient& recipient) {
    auto row = connection_.query("SELECT text FROM address WHERE recipient = ? ORDER BY position");
    row.bind(id);
    for (const auto& address : recipient.addresses) {
        if (!row.step() || row.bytes(0) != address.text()) return false;
    }
    return !row.step();
}

void RecipientWriter::write_addresses(std::int64_t id, const MailRecipient& recipient) {
    auto row = connection_.query(
        "INSERT INTO address(key, recipient, position, domain, text) VALUES(?, ?, ?, ?, ?)");
    std::int64_t position = 0;
    for (const auto& address : recipient.addresses) {
        const auto key = address.lookup_key();
        const auto text = address.text();
        row.again().bind_text(key).bind(id).bind(position++);
        row.bind_text(address.domain_text()).bind_text(text).run();
    }
}

void RecipientWriter::write_attributes(std::int64_t id, const MailRecipient& recipient) {
    if (recipient.attributes.empty()) {
        return;
    }
    auto attribute =
        connection_.query("INSERT INTO attribute(recipient, name, value) VALUES(?, ?, ?)");
    for (const auto& [name, value] : recipient.attributes)
        attribute.again().bind(id).bind_text(name).bind_text(value).run();
}

Result<> RecipientWriter::write_references(std::int64_t id, const MailRecipient& recipient) {
    connection_.query("DELETE FROM reference WHERE recipient = ?").bind(id).run();
    return add_references(id, recipient);
}

Result<> RecipientWriter::add_references(std::int64_t id, const MailRecipient& recipient) {
    auto row = connection_.query(
        "INSERT INTO reference(recipient, role, position, target) VALUES(?, ?, ?, ?)");
    std::int64_t position = 0;
    bool all_found = true;
    visit_references(recipient, [&](ReferenceRole role, const std::string& name) {
        const auto target = rows_.find_id_by_name(name);
        all_found = all_found && target;
        if (all_found) {
            row.again().bind(id).bind(static_cast<int>(role)).bind(position++).bind(*target).run();
        }
    });
    return all_found ? Result<>() : make_error_code(Error::not_found);
}

void RecipientWriter::erase(std::int64_t id) {
    connection_.query("DELETE FROM reference WHERE recipient = ?").bind(id).run();
    connection_.query("DELETE FROM reference WHERE target = ?").bind(id).run();
    connection_.query("DELETE FROM member WHERE \"group\" = ?").bind(id).run();
    connection_.query("DELETE FROM member WHERE recipient = ?").bind(id).run();
    connection_.query("DELETE FROM attribute WHERE recipient = ?").bind(id).run();
    connection_.query("DELETE FROM address WHERE recipient = ?").bind(id).run();
    connection_.query("DELETE FROM recipient WHERE id = ?").bind(id).run();
}

Result<> RecipientWriter::add_members(std::int64_t group, const std::vector<std::string>& names) {
    auto member = connection_.query("SELECT id, name FROM recipient WHERE name = ?");
    auto row = connection_.query(
        "INSERT OR IGNORE INTO member(\"group\", name, recipient) VALUES(?, ?, ?)");
    for (const auto& name : names) {
        member.again().bind_text(name);
        if (!member.step()) {
            return Error::not_found;
        }
        const auto as_stored = member.text(1);
        row.again().bind(group).bind_text(as_stored).bind(member.integer(0)).run();
    }
    return {};
}

Result<> RecipientWriter::remove_members(
    std::int64_t group, const std::vector<std::string>& names) {
    auto row = connection_.query("DELETE FROM member WHERE \"group\" = ? AND name = ?");
    for (const auto& name : names) {
        if (!rows_.find_id_by_name(name)) {
            return Error::not_found;
        }
        row.again().bind(group).bind_text(name).run();
    }
    return {};
}

}  // namespace mailflow

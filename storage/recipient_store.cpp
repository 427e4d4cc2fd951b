#include "storage/recipient_store.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

namespace mailflow {

namespace {

template <std::size_t N>
std::string_view octets_of(const std::array<std::uint8_t, N>& key) {
    return {reinterpret_cast<const char*>(key.data()), key.size()};
}

}  // namespace

Task<Result<std::optional<MailRecipient>>> SqliteRecipientStore::find(std::string name) {
    const auto work = [&] {
        return guarded([&] { return rows_.read(rows_.find_id(name)); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Task<Result<std::optional<MailRecipient>>> SqliteRecipientStore::find_by_address(
    EmailAddress address) {
    const auto key = address.lookup_key();
    const auto work = [&] {
        return guarded([&] { return rows_.read(rows_.find_id_by_address(key)); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Task<Result<std::optional<MailRecipient>>> SqliteRecipientStore::find_by_upn(std::string upn) {
    const auto key = ascii::to_lower(upn);
    const auto work = [&] {
        return guarded([&] { return rows_.read(rows_.find_id_by_upn(key)); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Task<Result<std::vector<MailRecipient>>> SqliteRecipientStore::page(
    std::string after, std::size_t limit) {
    const auto work = [&] {
        return guarded([&] { return read_page(after, limit); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Result<std::vector<MailRecipient>> SqliteRecipientStore::read_page(
    const std::string& after, std::size_t limit) {
    std::vector<MailRecipient> recipients;
    for (const auto id : rows_.page(after, limit)) {
        auto recipient = rows_.read(id);
        if (!recipient) {
            return recipient.error();
        }
        if (*recipient) recipients.push_back(std::move(**recipient));
    }
    return recipients;
}

Task<Result<std::uint64_t>> SqliteRecipientStore::count_in_domain(DomainName domain) {
    const auto count = [&]() -> Result<std::uint64_t> {
        auto row = writer_.connection().query(
            "SELECT count(DISTINCT recipient) FROM address WHERE domain = ?");
        row.bind_text(domain.text());
        const bool counted = row.step();
        return counted ? row.unsigned_integer(0) : 0;
    };
    const auto work = [&count] {
        return guarded(count);
    };
    auto counted = co_await offload(keeper_, work);
    co_return counted;
}

Task<Result<std::vector<std::string>>> SqliteRecipientStore::domains(
    std::string after, std::size_t limit) {
    const auto work = [&] {
        return guarded([&] { return read_domains(after, limit); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

// One step in the index for each domain, however many addresses it has.
Result<std::vector<std::string>> SqliteRecipientStore::read_domains(
    std::string after, std::size_t limit) {
    std::vector<std::string> domains;
    auto row = writer_.connection().query("SELECT min(domain) FROM address WHERE domain > ?");
    while (domains.size() < limit) {
        row.again().bind_text(after);
        if (!row.step() || row.is_null(0)) {
            break;
        }
        after = row.text(0);
        domains.push_back(after);
    }
    return domains;
}

Task<Result<>> SqliteRecipientStore::create(MailRecipient recipient, ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return insert(recipient, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::insert(const MailRecipient& recipient, const ChangeAuthor& author) {
    SqliteTransaction transaction(writer_.connection());
    const auto version = writer_.add_version(author);
    if (auto inserted = insert_row(static_cast<std::int64_t>(version), recipient); !inserted) {
        return inserted;
    }
    transaction.commit();
    committed();
    return {};
}

Task<Result<>> SqliteRecipientStore::replace(
    std::string name, MailRecipient recipient, ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return update(name, recipient, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::update(
    const std::string& name, const MailRecipient& recipient, const ChangeAuthor& author) {
    SqliteTransaction transaction(writer_.connection());
    const auto id = rows_.find_id(name);
    if (!id) {
        return Error::not_found;
    }
    writer_.add_version(author);
    erase_row(*id);
    if (auto inserted = insert_row(*id, recipient); !inserted) {
        return inserted;
    }
    transaction.commit();
    committed();
    return {};
}

Task<Result<>> SqliteRecipientStore::remove(std::string name, ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return erase(name, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::erase(const std::string& name, const ChangeAuthor& author) {
    SqliteTransaction transaction(writer_.connection());
    const auto id = rows_.find_id(name);
    if (!id) {
        return Error::not_found;
    }
    writer_.add_version(author);
    erase_row(*id);
    writer_.connection().query("DELETE FROM send_as WHERE sender = ?").bind(*id).run();
    transaction.commit();
    committed();
    return {};
}

Result<> SqliteRecipientStore::insert_row(std::int64_t id, const MailRecipient& recipient) {
    // Nobody is without a login name: the primary address is one by itself.
    const auto upn = recipient.upn.empty() ? recipient.primary().text() : recipient.upn;
    const auto upn_key = ascii::to_lower(upn);
    auto row = writer_.connection().query(
        "INSERT INTO recipient(id, name, alias, first_name, last_name, display_name, upn, upn_key, "
        "iterations, salt, stored_key, server_key) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    row.bind(id)
        .bind_text(recipient.name)
        .bind_text(recipient.alias)
        .bind_text(recipient.first_name)
        .bind_text(recipient.last_name)
        .bind_text(recipient.display_name)
        .bind_text(upn)
        .bind_text(upn_key);
    if (const auto& verifier = recipient.verifier) {
        row.bind(verifier->iterations)
            .bind_blob(verifier->salt)
            .bind_blob(octets_of(verifier->stored_key))
            .bind_blob(octets_of(verifier->server_key));
    } else {
        row.bind(0).bind_null().bind_null().bind_null();
    }
    row.run();
    insert_addresses(id, recipient);
    return insert_send_as(id, recipient);
}

void SqliteRecipientStore::insert_addresses(std::int64_t id, const MailRecipient& recipient) {
    auto row = writer_.connection().query(
        "INSERT INTO address(key, recipient, position, domain, text) VALUES(?, ?, ?, ?, ?)");
    std::int64_t position = 0;
    for (const auto& address : recipient.addresses) {
        const auto key = address.lookup_key();
        const auto text = address.text();
        row.again().bind_text(key).bind(id).bind(position++);
        row.bind_text(address.domain_text()).bind_text(text).run();
    }
}

Result<> SqliteRecipientStore::insert_send_as(std::int64_t id, const MailRecipient& recipient) {
    auto by_name = writer_.connection().query("SELECT id FROM recipient WHERE name = ?");
    auto row = writer_.connection().query(
        "INSERT INTO send_as(recipient, position, sender) VALUES(?, ?, ?)");
    std::int64_t position = 0;
    for (const auto& name : recipient.send_as) {
        by_name.again().bind_text(name);
        if (!by_name.step()) {
            return Error::not_found;
        }
        row.again().bind(id).bind(position++).bind(by_name.integer(0)).run();
    }
    return {};
}

// What others may do in its name goes; what it may do in theirs stays, for it may come back under
// the same id.
void SqliteRecipientStore::erase_row(std::int64_t id) {
    auto& connection = writer_.connection();
    connection.query("DELETE FROM send_as WHERE recipient = ?").bind(id).run();
    connection.query("DELETE FROM address WHERE recipient = ?").bind(id).run();
    connection.query("DELETE FROM recipient WHERE id = ?").bind(id).run();
}

// In this order: whoever sees the new version reads the new rows.
void SqliteRecipientStore::committed() {
    directory_.fetch_add(1, std::memory_order_release);
    writer_.committed();
}

}  // namespace mailflow

#include "storage/recipient_store.hpp"

#include "storage/recipient_batch.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <set>

namespace mailflow {

class SqliteRecipientStore::Change {
  public:
    // Outlives this.
    explicit Change(SqliteRecipientStore& store) noexcept
        : store_(store) {}

    // False: the transaction that had begun is gone, as after a full disk.
    [[nodiscard]] bool begin(const ChangeAuthor& author) {
        if (store_.whole_) {
            return store_.writer_.connection().in_transaction();
        }
        own_.emplace(store_.writer_.connection());
        store_.writer_.add_version(author);
        return true;
    }

    void commit() {
        if (own_) {
            own_->commit();
            store_.committed();
        }
    }

  private:
    SqliteRecipientStore& store_;
    std::optional<SqliteTransaction> own_;
};

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
        return guarded([&] { return read_all(rows_.page(after, limit)); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Task<Result<std::vector<MailRecipient>>> SqliteRecipientStore::page_of(
    RecipientKind kind, std::string after, std::size_t limit) {
    const auto work = [&] {
        return guarded([&] { return read_all(rows_.page_of(kind, after, limit)); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Result<std::vector<MailRecipient>> SqliteRecipientStore::read_all(
    const std::vector<std::int64_t>& ids) {
    SqliteSnapshot snapshot(writer_.connection());
    std::vector<MailRecipient> recipients;
    recipients.reserve(ids.size());
    for (const auto id : ids) {
        auto recipient = rows_.read(id);
        if (!recipient) {
            return recipient.error();
        }
        if (*recipient) recipients.push_back(std::move(**recipient));
    }
    return recipients;
}

Task<Result<std::uint64_t>> SqliteRecipientStore::count(RecipientKind kind) {
    const auto work = [&] {
        return guarded([&]() -> Result<std::uint64_t> { return rows_.count(kind); });
    };
    auto counted = co_await offload(keeper_, work);
    co_return counted;
}

Task<Result<std::vector<std::string>>> SqliteRecipientStore::members(
    std::string group, std::string after, std::size_t limit) {
    const auto read = [&]() -> Result<std::vector<std::string>> {
        const auto id = rows_.find_group(group);
        if (!id) {
            return Error::not_found;
        }
        return rows_.member_names(*id, after, limit);
    };
    const auto work = [&read] {
        return guarded(read);
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Task<Result<std::vector<Referrer>>> SqliteRecipientStore::referrers(
    std::string name, std::size_t limit) {
    const auto read = [&]() -> Result<std::vector<Referrer>> {
        const auto id = rows_.find_id(name);
        if (!id) {
            return Error::not_found;
        }
        return rows_.referrers(*id, limit);
    };
    const auto work = [&read] {
        return guarded(read);
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

Task<Result<std::vector<std::string>>> SqliteRecipientStore::accepting_only(
    std::string name, std::size_t limit) {
    const auto read = [&]() -> Result<std::vector<std::string>> {
        const auto id = rows_.find_id(name);
        if (!id) {
            return Error::not_found;
        }
        return rows_.accepting_only(*id, limit);
    };
    const auto work = [&read] {
        return guarded(read);
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
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

Task<Result<std::vector<TakenName>>> SqliteRecipientStore::taken(
    std::vector<std::string> lookup_keys, std::string except) {
    const auto work = [&] {
        return guarded(
            [&]() -> Result<std::vector<TakenName>> { return read_taken(lookup_keys, except); });
    };
    auto found = co_await offload(keeper_, work);
    co_return found;
}

// Four steps in an index for each key. What is taken is so twice as a rule, by the same owner.
std::vector<TakenName> SqliteRecipientStore::read_taken(
    const std::vector<std::string>& lookup_keys, const std::string& except) {
    SqliteSnapshot snapshot(writer_.connection());
    std::vector<TakenName> found;
    auto rows = writer_.connection().query(
        "SELECT name FROM recipient WHERE name = ?1 AND name <> ?2 "
        "UNION ALL SELECT name FROM recipient WHERE alias = ?1 AND name <> ?2 "
        "UNION ALL SELECT name FROM recipient WHERE upn_key = ?1 AND upn_key <> '' AND name <> ?2 "
        "UNION ALL SELECT name FROM address CROSS JOIN recipient ON id = recipient "
        "WHERE key = ?1 AND name <> ?2");
    for (const auto& lookup_key : lookup_keys) {
        const auto key = ascii::to_lower(lookup_key);
        std::set<std::string> owners;
        rows.again().bind_text(key).bind_text(except);
        while (rows.step())
            owners.insert(rows.text(0));
        for (const auto& owner : owners)
            found.push_back({lookup_key, owner});
    }
    return found;
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
    writer_.add_version(author);
    const auto id = row_writer_.next_id();
    row_writer_.insert(id, recipient);
    if (auto written = row_writer_.write_references(id, recipient); !written) {
        return written;
    }
    transaction.commit();
    committed();
    return {};
}

Task<Result<>> SqliteRecipientStore::replace(
    std::string name, MailRecipient recipient, ChangeAuthor author, ObjectEdits objects) {
    const auto work = [&] {
        return guarded([&] { return update(name, recipient, author, objects); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::update(
    const std::string& name,
    const MailRecipient& recipient,
    const ChangeAuthor& author,
    const ObjectEdits& objects) {
    SqliteTransaction transaction(writer_.connection());
    const auto id = rows_.find_id(name);
    if (!id) {
        return Error::not_found;
    }
    if (const auto error = write_objects(objects, writer_.add_version(author))) {
        return error;
    }
    row_writer_.update(*id, recipient);
    if (auto written = row_writer_.write_references(*id, recipient); !written) {
        return written;
    }
    transaction.commit();
    committed();
    return {};
}

Task<Result<>> SqliteRecipientStore::remove(
    std::string name, ChangeAuthor author, ObjectEdits objects) {
    const auto work = [&] {
        return guarded([&] { return erase(name, author, objects); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::erase(
    const std::string& name, const ChangeAuthor& author, const ObjectEdits& objects) {
    SqliteTransaction transaction(writer_.connection());
    const auto id = rows_.find_id(name);
    if (!id) {
        return Error::not_found;
    }
    if (const auto error = write_objects(objects, writer_.add_version(author))) {
        return error;
    }
    row_writer_.erase(*id);
    transaction.commit();
    committed();
    return {};
}

// `version` is the one after what is stored.
ErrorCode SqliteRecipientStore::write_objects(const ObjectEdits& objects, std::uint64_t version) {
    if (objects.changes.empty()) {
        return {};
    }
    if (objects.expected + 1 != version) {
        return Error::conflict;
    }
    return object_rows_.write(version, objects.changes);
}

Task<Result<std::vector<Result<>>>> SqliteRecipientStore::write_batch(
    std::vector<MailRecipient> recipients, ChangeAuthor author) {
    if (recipients.size() > kRecipientBatch) {
        co_return Error::too_large;
    }
    const auto work = [&] {
        return guarded([&] { return write_all(recipients, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<std::vector<Result<>>> SqliteRecipientStore::write_all(
    const std::vector<MailRecipient>& recipients, const ChangeAuthor& author) {
    Change change(*this);
    if (!change.begin(author)) {
        return Error::store_failed;
    }
    RecipientBatch batch(writer_.connection(), rows_, row_writer_, recipients);
    auto results = batch.write();
    const auto is_written = [](const Result<>& result) {
        return result.has_value();
    };
    if (std::any_of(results.begin(), results.end(), is_written)) {
        change.commit();
    }
    return results;
}

Task<Result<>> SqliteRecipientStore::edit_members(
    std::string group,
    std::vector<std::string> add,
    std::vector<std::string> remove,
    ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return change_members(group, add, remove, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::change_members(
    const std::string& group,
    const std::vector<std::string>& add,
    const std::vector<std::string>& remove,
    const ChangeAuthor& author) {
    Change change(*this);
    if (!change.begin(author)) {
        return Error::store_failed;
    }
    const auto id = rows_.find_group(group);
    if (!id) {
        return Error::not_found;
    }
    if (auto added = row_writer_.add_members(*id, add); !added) {
        return added;
    }
    if (auto removed = row_writer_.remove_members(*id, remove); !removed) {
        return removed;
    }
    change.commit();
    return {};
}

// In this order: whoever sees the new version reads the new rows.
void SqliteRecipientStore::committed() {
    directory_.fetch_add(1, std::memory_order_release);
    writer_.committed();
}

}  // namespace mailflow

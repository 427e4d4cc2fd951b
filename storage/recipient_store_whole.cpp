// The part of SqliteRecipientStore that takes imports whole: rows that wait, and the one
// transaction they are written in.
#include "storage/recipient_store.hpp"
#include "transport/base/error.hpp"

namespace mailflow {

Task<Result<>> SqliteRecipientStore::stage(std::vector<StagedRow> rows) {
    const auto work = [&] {
        return guarded([&] { return insert_staged(rows); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

// No version: nothing is changed that anybody sees.
Result<> SqliteRecipientStore::insert_staged(const std::vector<StagedRow>& rows) {
    SqliteTransaction transaction(writer_.connection());
    auto row = writer_.connection().query("INSERT INTO staged_row(number, document) VALUES(?, ?)");
    for (const auto& staged : rows)
        row.again().bind(staged.number).bind_text(staged.document).run();
    transaction.commit();
    writer_.committed();
    return {};
}

Task<Result<std::vector<StagedRow>>> SqliteRecipientStore::staged(
    std::optional<std::uint64_t> after, std::size_t limit) {
    const auto work = [&] {
        return guarded([&] { return read_staged(after, limit); });
    };
    auto rows = co_await offload(keeper_, work);
    co_return rows;
}

Result<std::vector<StagedRow>> SqliteRecipientStore::read_staged(
    std::optional<std::uint64_t> after, std::size_t limit) {
    std::vector<StagedRow> staged;
    auto rows = writer_.connection().query(
        "SELECT number, document FROM staged_row WHERE number > ? ORDER BY number LIMIT ?");
    rows.bind(after ? static_cast<std::int64_t>(*after) : std::int64_t{-1});
    rows.bind(static_cast<std::uint64_t>(limit));
    while (rows.step())
        staged.push_back({rows.unsigned_integer(0), rows.text(1)});
    return staged;
}

Task<Result<>> SqliteRecipientStore::unstage() {
    const auto erase = [&]() -> Result<> {
        writer_.connection().query("DELETE FROM staged_row").run();
        writer_.committed();
        return {};
    };
    const auto work = [&erase] {
        return guarded(erase);
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Task<Result<>> SqliteRecipientStore::begin(ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return begin_whole(author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::begin_whole(const ChangeAuthor& author) {
    if (whole_) {
        return Error::conflict;
    }
    whole_.emplace(writer_.connection());
    try {
        writer_.add_version(author);
    } catch (const SQLite::Exception&) {
        whole_.reset();
        throw;
    }
    return {};
}

Task<Result<>> SqliteRecipientStore::end(bool keep) {
    const auto work = [&] {
        return guarded([&] { return end_whole(keep); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteRecipientStore::end_whole(bool keep) {
    if (!whole_) {
        return Error::conflict;
    }
    // After some failures SQLite has undone it by itself.
    const bool lost = keep && !writer_.connection().in_transaction();
    try {
        if (keep && !lost) whole_->commit();
    } catch (const SQLite::Exception&) {
        whole_.reset();
        throw;
    }
    whole_.reset();
    if (keep && !lost) committed();
    return lost ? make_error_code(Error::store_failed) : Result<>();
}

}  // namespace mailflow

#include "storage/object_store.hpp"

#include "transport/base/error.hpp"

namespace mailflow {

Task<Result<ObjectSet>> SqliteObjectStore::read_all() {
    const auto work = [this] {
        return guarded([this] { return read(); });
    };
    auto objects = co_await offload(keeper_, work);
    co_return objects;
}

Task<Result<std::uint64_t>> SqliteObjectStore::change(
    std::uint64_t expected, std::vector<ObjectChange> changes, ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return write(expected, changes, author); });
    };
    auto version = co_await offload(keeper_, work);
    co_return version;
}

Task<Result<std::vector<ObjectVersion>>> SqliteObjectStore::history(std::size_t limit) {
    const auto work = [this, limit] {
        return guarded([&] { return read_history(limit); });
    };
    auto versions = co_await offload(keeper_, work);
    co_return versions;
}

Result<ObjectSet> SqliteObjectStore::read() {
    auto& connection = writer_.connection();
    ObjectSet set;
    set.version = writer_.version();
    auto rows = connection.query("SELECT type, name, document FROM object ORDER BY type, name");
    while (rows.step()) {
        set.objects.push_back({rows.text(0), rows.text(1), rows.text(2)});
    }
    return set;
}

Result<std::uint64_t> SqliteObjectStore::write(
    std::uint64_t expected, const std::vector<ObjectChange>& changes, const ChangeAuthor& author) {
    SqliteTransaction transaction(writer_.connection());
    if (writer_.version() != expected) {
        return Error::conflict;
    }
    const auto version = writer_.add_version(author);
    if (const auto error = rows_.write(version, changes)) {
        return error;
    }
    transaction.commit();
    writer_.committed();
    return version;
}

Result<std::vector<ObjectVersion>> SqliteObjectStore::read_history(std::size_t limit) {
    std::vector<ObjectVersion> versions;
    auto rows = writer_.connection().query(
        "SELECT version, time, who, what FROM version ORDER BY version DESC LIMIT ?");
    rows.bind(static_cast<std::uint64_t>(limit));
    while (rows.step()) {
        versions.push_back({rows.unsigned_integer(0), rows.time(1), {rows.text(2), rows.text(3)}});
    }
    return versions;
}

}  // namespace mailflow

#include "storage/object_rows.hpp"

#include "transport/base/error.hpp"

namespace mailflow {

ErrorCode ObjectRows::write(std::uint64_t version, const std::vector<ObjectChange>& changes) {
    std::size_t number = 0;
    for (const auto& change : changes) {
        if (const auto error = apply(change)) {
            return error;
        }
        note(version, number++, change);
    }
    return {};
}

ErrorCode ObjectRows::apply(const ObjectChange& change) {
    auto& connection = writer_.connection();
    int changed = 1;
    if (!change.new_name.empty()) {
        changed = connection.query("UPDATE object SET name = ? WHERE type = ? AND name = ?")
                      .bind_text(change.new_name)
                      .bind_text(change.type)
                      .bind_text(change.name)
                      .run();
    } else if (!change.document) {
        changed = connection.query("DELETE FROM object WHERE type = ? AND name = ?")
                      .bind_text(change.type)
                      .bind_text(change.name)
                      .run();
    }
    if (changed == 0) {
        return Error::not_found;
    }
    if (change.document) {
        connection
            .query(
                "INSERT INTO object(type, name, document) VALUES(?, ?, ?) "
                "ON CONFLICT(type, name) DO UPDATE SET document = excluded.document")
            .bind_text(change.type)
            .bind_text(change.new_name.empty() ? change.name : change.new_name)
            .bind_text(*change.document)
            .run();
    }
    return {};
}

void ObjectRows::note(std::uint64_t version, std::size_t number, const ObjectChange& change) {
    auto row = writer_.connection().query(
        "INSERT INTO object_change(version, number, type, name, document, new_name) "
        "VALUES(?, ?, ?, ?, ?, ?)");
    row.bind(version).bind(static_cast<std::uint64_t>(number));
    row.bind_text(change.type).bind_text(change.name);
    if (change.document) {
        row.bind_text(*change.document);
    } else {
        row.bind_null();
    }
    row.bind_text(change.new_name).run();
}

}  // namespace mailflow

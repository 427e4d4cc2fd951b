// Versions of a database's tables. A database carries the number of the last step applied to it in
// PRAGMA user_version; opening it applies the steps it lacks, and refuses one that a newer program
// wrote. Used by the stores when they open, on the thread that opens.
#pragma once

#include "storage/sqlite.hpp"

#include <optional>
#include <span>

namespace mailflow {

// From version n-1 to n, as one transaction. The statements end with `PRAGMA user_version = n`.
struct SchemaStep {
    const char* sql;
};

// Nothing on success. Error::newer_schema names both versions and what to do.
[[nodiscard]] std::optional<StoreFailure> migrate(
    SqliteConnection& writer, const std::string& path, std::span<const SchemaStep> steps);

}  // namespace mailflow

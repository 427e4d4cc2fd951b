#include "storage/schema.hpp"

#include <stdexcept>

namespace mailflow {

namespace {

StoreFailure newer_schema(const std::string& path, std::size_t found, std::size_t known) {
    return {
        Error::newer_schema,
        path + " has schema version " + std::to_string(found) + ", this program knows up to " +
            std::to_string(known) +
            ": it was written by a newer mailflow; start that one, or restore the backup made "
            "before the upgrade"};
}

}  // namespace

std::optional<StoreFailure> migrate(
    SqliteConnection& writer, const std::string& path, std::span<const SchemaStep> steps) {
    try {
        const auto found = static_cast<std::size_t>(writer.number("PRAGMA user_version"));
        if (found > steps.size()) {
            return newer_schema(path, found, steps.size());
        }
        for (std::size_t version = found; version < steps.size(); ++version) {
            SqliteTransaction transaction(writer);
            writer.execute(steps[version].sql);
            const auto now = static_cast<std::size_t>(writer.number("PRAGMA user_version"));
            if (now != version + 1) {
                throw std::logic_error("a schema step does not set its version");
            }
            transaction.commit();
        }
    } catch (const SQLite::Exception& exception) {
        return failure_of("could not bring the tables up to date in", path, exception);
    }
    return std::nullopt;
}

}  // namespace mailflow

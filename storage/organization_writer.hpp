// The one writing connection of organization.db and what every change of it has in common: a
// version with author and time in the same transaction, checkpoints between transactions. On the
// keeper only.
#pragma once

#include "storage/sqlite.hpp"
#include "transport/base/clock.hpp"
#include "transport/ports/records/object_record.hpp"

#include <atomic>
#include <cstdint>

struct sqlite3;

namespace mailflow {

// Counts changes of recipients; caches of the directory hold as long as it stands still. Written on
// the keeper after the commit, read on any lane.
using DirectoryVersion = std::atomic<std::uint64_t>;

class OrganizationWriter {
  public:
    // Both outlive this.
    OrganizationWriter(SqliteConnection& connection, const Clock& clock) noexcept;
    OrganizationWriter(const OrganizationWriter&) = delete;
    OrganizationWriter& operator=(const OrganizationWriter&) = delete;
    ~OrganizationWriter() = default;

    [[nodiscard]] SqliteConnection& connection() noexcept { return connection_; }

    [[nodiscard]] std::uint64_t version();
    // Inside a transaction; returns the new version.
    std::uint64_t add_version(const ChangeAuthor& author);
    // After a commit: now and then, and when it is large, the log is moved into the file.
    void committed();
    // All of the log into the file, at the end.
    void settle();

  private:
    static int on_commit(void* self, sqlite3* database, const char* name, int pages) noexcept;

    SqliteConnection& connection_;
    const Clock& clock_;
    unsigned commits_ = 0;
    int log_pages_ = 0;
};

// Runs work on the database; what SQLite throws becomes an error.
template <class F>
auto guarded(F work) -> decltype(work()) {
    try {
        return work();
    } catch (const SQLite::Exception& exception) {
        return error_of(exception);
    }
}

}  // namespace mailflow

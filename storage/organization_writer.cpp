#include "storage/organization_writer.hpp"

#include <sqlite3.h>

namespace mailflow {

namespace {

// Most commits write a few pages: the log stays below a few megabytes. A batch of recipients writes
// thousands, the same ones again and again: 64 MiB of them go into the file at once.
constexpr unsigned kCommitsPerCheckpoint = 256;
constexpr int kPagesPerCheckpoint = 16'384;

}  // namespace

OrganizationWriter::OrganizationWriter(SqliteConnection& connection, const Clock& clock) noexcept
    : connection_(connection)
    , clock_(clock) {
    ::sqlite3_wal_hook(connection_.database().getHandle(), &OrganizationWriter::on_commit, this);
}

int OrganizationWriter::on_commit(
    void* self, sqlite3* /*database*/, const char* /*name*/, int pages) noexcept {
    static_cast<OrganizationWriter*>(self)->log_pages_ = pages;
    return SQLITE_OK;
}

std::uint64_t OrganizationWriter::version() {
    return static_cast<std::uint64_t>(
        connection_.number("SELECT coalesce(max(version), 0) FROM version"));
}

std::uint64_t OrganizationWriter::add_version(const ChangeAuthor& author) {
    const auto next = version() + 1;
    connection_.query("INSERT INTO version(version, time, who, what) VALUES(?, ?, ?, ?)")
        .bind(next)
        .bind(clock_.now())
        .bind_text(author.who)
        .bind_text(author.what)
        .run();
    return next;
}

void OrganizationWriter::committed() {
    if (++commits_ < kCommitsPerCheckpoint && log_pages_ < kPagesPerCheckpoint) {
        return;
    }
    commits_ = 0;
    connection_.query("PRAGMA wal_checkpoint(PASSIVE)").step();
}

void OrganizationWriter::settle() {
    connection_.query("PRAGMA wal_checkpoint(TRUNCATE)").step();
}

}  // namespace mailflow

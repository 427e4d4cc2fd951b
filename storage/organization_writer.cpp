#include "storage/organization_writer.hpp"

namespace mailflow {

namespace {

// Each commit writes a few pages: the log stays below a few megabytes.
constexpr unsigned kCommitsPerCheckpoint = 256;

}  // namespace

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
    if (++commits_ < kCommitsPerCheckpoint) {
        return;
    }
    commits_ = 0;
    connection_.query("PRAGMA wal_checkpoint(PASSIVE)").step();
}

void OrganizationWriter::settle() {
    connection_.query("PRAGMA wal_checkpoint(TRUNCATE)").step();
}

}  // namespace mailflow

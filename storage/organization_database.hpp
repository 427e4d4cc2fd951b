// organization.db as one object: the writing connection on the keeper, the reading one on a reader,
// and the ports they serve. The daemon opens it at start, before anything listens; a simulation
// opens it over a simulated disk with everything folded onto one thread.
#pragma once

#include "storage/certificate_sqlite.hpp"
#include "storage/directory_sqlite.hpp"
#include "storage/object_store.hpp"
#include "storage/recipient_store.hpp"
#include "storage/sqlite.hpp"
#include "storage/vfs_latch.hpp"

#include <memory>
#include <string>

namespace mailflow {

struct OrganizationDatabaseSettings {
    std::string path;             // of organization.db; its folder exists
    std::string vfs;              // SQLite VFS below the latching one; empty: the system's
    FaultPlan* faults = nullptr;  // tests only; outlives the database
};

class OrganizationDatabase {
  public:
    // All outlive the database. The runners may be one and the same.
    struct Parts {
        TaskRunner& keeper;
        TaskRunner& reader;
        const Clock& clock;
    };

    // Blocks: brings the tables up to date and moves what the log holds into the file.
    [[nodiscard]] static OpenResult<std::unique_ptr<OrganizationDatabase>> open(
        OrganizationDatabaseSettings settings, Parts parts);

    // Either `close` has returned, or the runners do not run any more.
    ~OrganizationDatabase();
    OrganizationDatabase(const OrganizationDatabase&) = delete;
    OrganizationDatabase& operator=(const OrganizationDatabase&) = delete;

    [[nodiscard]] ObjectStore& objects() noexcept;
    [[nodiscard]] RecipientStore& recipients() noexcept;
    [[nodiscard]] CertificateStore& certificates() noexcept;
    // One for each lane; the database outlives it.
    [[nodiscard]] std::unique_ptr<SqliteDirectory> make_directory(
        Executor lane, std::size_t capacity = kDirectoryCacheCapacity);
    // What the salts told to logins nobody has are made from (login_secret of the schema). Any
    // thread.
    [[nodiscard]] const std::string& login_secret() const noexcept;
    // Why it takes no change any more; empty: it does. Any thread.
    [[nodiscard]] std::string failure() const;

    // Once, when nobody calls the ports any more: moves the log into the file.
    Task<> close();

  private:
    struct Members;
    explicit OrganizationDatabase(std::unique_ptr<Members> members) noexcept;

    std::unique_ptr<Members> members_;
};

}  // namespace mailflow

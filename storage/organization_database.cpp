#include "storage/organization_database.hpp"

#include "storage/organization_schema.hpp"

#include <optional>
#include <stdexcept>
#include <utility>

namespace mailflow {

// In the order in which they need each other; the connections close before the VFS goes.
struct OrganizationDatabase::Members {
    Members(const OrganizationDatabaseSettings& settings, const Parts& given)
        : parts(given)
        , vfs(settings.vfs, settings.faults)
        , file{settings.path, vfs.name(), SqlitePageSize::kib4, SqliteCache::mib32}
        , connection(file, SqliteRole::writer)
        , writer(connection, parts.clock) {}

    // The second half, when the tables are up to date.
    void start() {
        login_secret = connection.text("SELECT octets FROM login_secret");
        connection.execute("DELETE FROM staged_row");
        // The writer's cache is for the leaves that a batch in no order changes; a look-up gains
        // nothing by more (measured with a million recipients).
        auto read = file;
        read.cache = SqliteCache::mib1;
        reader.emplace(read, SqliteRole::reader);
        rows.emplace(*reader);
        objects.emplace(writer, parts.keeper);
        recipients.emplace(writer, parts.keeper, directory);
        certificates.emplace(writer, parts.keeper);
    }

    Parts parts;
    LatchingVfs vfs;
    SqliteSettings file;
    SqliteConnection connection;
    OrganizationWriter writer;
    DirectoryVersion directory{0};
    std::string login_secret;
    std::optional<SqliteConnection> reader;
    std::optional<RecipientRows> rows;
    std::optional<SqliteObjectStore> objects;
    std::optional<SqliteRecipientStore> recipients;
    std::optional<SqliteCertificateStore> certificates;
};

OrganizationDatabase::OrganizationDatabase(std::unique_ptr<Members> members) noexcept
    : members_(std::move(members)) {}

OrganizationDatabase::~OrganizationDatabase() = default;

OpenResult<std::unique_ptr<OrganizationDatabase>> OrganizationDatabase::open(
    OrganizationDatabaseSettings settings, Parts parts) {
    try {
        auto members = std::make_unique<Members>(settings, parts);
        if (auto failure = migrate(members->connection, settings.path, kOrganizationSchema)) {
            return *std::move(failure);
        }
        members->writer.settle();
        members->start();
        return std::unique_ptr<OrganizationDatabase>(new OrganizationDatabase(std::move(members)));
    } catch (const SQLite::Exception& exception) {
        return failure_of("could not open", settings.path, exception);
    } catch (const std::runtime_error& error) {
        return StoreFailure{
            Error::store_failed, "could not open " + settings.path + ": " + error.what()};
    }
}

ObjectStore& OrganizationDatabase::objects() noexcept {
    return *members_->objects;
}

RecipientStore& OrganizationDatabase::recipients() noexcept {
    return *members_->recipients;
}

CertificateStore& OrganizationDatabase::certificates() noexcept {
    return *members_->certificates;
}

std::unique_ptr<SqliteDirectory> OrganizationDatabase::make_directory(
    Executor lane, std::size_t capacity) {
    return std::make_unique<SqliteDirectory>(SqliteDirectory::Parts{
        std::move(lane), members_->parts.reader, members_->rows, members_->directory, capacity});
}

const std::string& OrganizationDatabase::login_secret() const noexcept {
    return members_->login_secret;
}

std::string OrganizationDatabase::failure() const {
    return members_->vfs.failure();
}

Task<> OrganizationDatabase::close() {
    auto* members = members_.get();
    const auto let_go = [members] {
        members->rows.reset();
        members->reader.reset();
        return true;
    };
    co_await offload(members->parts.reader, let_go);
    const auto settle = [members] {
        try {
            members->writer.settle();
            return true;
        } catch (const SQLite::Exception&) {
            // What cannot be moved now stays in the log, which is as durable.
            return false;
        }
    };
    co_await offload(members->parts.keeper, settle);
}

}  // namespace mailflow

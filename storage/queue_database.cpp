#include "storage/queue_database.hpp"

#include "storage/queue_schema.hpp"
#include "storage/spool.hpp"

#include <stdexcept>
#include <utility>

namespace mailflow {

namespace {

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
}

// What the last run left in the log, perhaps without a sync, is on stable storage after this:
// before the first message is taken.
std::optional<StoreFailure> settle_log(SqliteConnection& writer, const std::string& path) {
    auto row = writer.query("PRAGMA wal_checkpoint(TRUNCATE)");
    const bool told = row.step();
    if (!told || row.boolean(0)) {
        return StoreFailure{
            Error::locked,
            "could not move the log of " + path + " into it: another process uses it"};
    }
    return std::nullopt;
}

}  // namespace

// In the order in which they need each other; the connections close before the VFS goes.
struct QueueDatabase::Members {
    Members(QueueDatabaseSettings set, const Parts& given, OnFailed call)
        : settings(std::move(set))
        , parts(given)
        , on_failed(std::move(call))
        , vfs(settings.vfs, settings.faults)
        , spool(parts.files, settings.spool, parts.log)
        , writer(
              {settings.path, vfs.name(), settings.page_size, SqliteCache::mib2},
              SqliteRole::writer) {}

    // The second half, when the tables are up to date.
    void start() {
        reader.emplace(
            SqliteSettings{settings.path, vfs.name(), settings.page_size, SqliteCache::mib1},
            SqliteRole::reader);
        rows.emplace(*reader, parts.log);
        commits.emplace(CommitWriter::Parts{
            writer,
            vfs,
            parts.writer,
            parts.lane,
            [this](std::vector<std::uint64_t> files) { release(std::move(files)); },
            [this](const std::string& reason) { tell_failure(reason); },
            settings.mutants});
        queue.emplace(SqliteQueueStore::Parts{*commits, *rows, parts.reader, spool, parts.worker});
        bodies.emplace(SpoolingBodyStore::Parts{
            spool,
            *reader,
            parts.reader,
            parts.worker,
            [this](const std::string& reason) { tell_failure(reason); },
            settings.row_body_limit,
            settings.uncommitted_body_limit});
    }

    void release(std::vector<std::uint64_t> files) {
        parts.worker.post([this, files = std::move(files)] {
            for (const auto file : files) {
                spool.remove(file);
            }
        });
    }

    void tell_failure(const std::string& reason) {
        parts.log.error("the queue takes nothing more", {{"reason", reason}});
        parts.lane.post([this, reason] {
            failure = reason;
            if (on_failed) {
                on_failed(reason);
            }
        });
    }

    QueueDatabaseSettings settings;
    Parts parts;
    OnFailed on_failed;
    LatchingVfs vfs;
    Spool spool;
    SqliteConnection writer;
    std::optional<SqliteConnection> reader;
    std::optional<QueueReader> rows;
    std::optional<CommitWriter> commits;
    std::optional<SqliteQueueStore> queue;
    std::optional<SpoolingBodyStore> bodies;
    std::string failure;  // the lane's
};

QueueDatabase::QueueDatabase(std::unique_ptr<Members> members) noexcept
    : members_(std::move(members)) {}

QueueDatabase::~QueueDatabase() = default;

OpenResult<std::unique_ptr<QueueDatabase>> QueueDatabase::open(
    QueueDatabaseSettings settings, Parts parts, OnFailed on_failed) {
    const std::string path = settings.path;
    try {
        auto members = std::make_unique<Members>(std::move(settings), parts, std::move(on_failed));
        if (auto failure = migrate(members->writer, path, kQueueSchema)) {
            return *std::move(failure);
        }
        QueueWriter(members->writer).drop_idle_hops();
        if (auto failure = settle_log(members->writer, path)) {
            return *std::move(failure);
        }
        const auto folder = folder_of(path);
        if (const auto synced = parts.files.sync_directory(folder); !synced) {
            return StoreFailure{
                synced.error(),
                "could not sync the folder " + folder + ": " + synced.error().message()};
        }
        if (auto failure = members->spool.prepare(members->writer)) {
            return *std::move(failure);
        }
        members->start();
        return std::unique_ptr<QueueDatabase>(new QueueDatabase(std::move(members)));
    } catch (const SQLite::Exception& exception) {
        return failure_of("could not open", path, exception);
    } catch (const std::runtime_error& error) {
        return StoreFailure{Error::store_failed, "could not open " + path + ": " + error.what()};
    }
}

QueueStore& QueueDatabase::queue() noexcept {
    return *members_->queue;
}

BodyStore& QueueDatabase::bodies() noexcept {
    return *members_->bodies;
}

QueueDatabaseStats QueueDatabase::stats() const {
    const auto commits = members_->commits->stats();
    return {
        commits.groups,
        commits.items,
        commits.checkpoints,
        commits.wal_bytes,
        members_->bodies->uncommitted(),
        members_->failure};
}

Task<> QueueDatabase::close() {
    // A failure is known already: the call-back told it.
    co_await members_->queue->flush();
    auto finish = [this] {
        members_->commits->finish();
        return true;
    };
    co_await offload(members_->parts.writer, finish);
    co_await members_->commits->timer().drain();
}

}  // namespace mailflow

#include "storage/sqlite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <ostream>
#include <stdexcept>
#include <utility>

namespace mailflow {

namespace {

constexpr int kBusyTimeoutMs = 100;

int open_flags(SqliteRole role) noexcept {
    return role == SqliteRole::writer
               ? SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLITE_OPEN_NOMUTEX
               : SQLite::OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
}

void set_writer_pragmas(SqliteConnection& connection, const SqliteSettings& settings) {
    // Both only take before the first table, in this order; a file that has one keeps its own.
    connection.execute(
        settings.page_size == SqlitePageSize::kib16 ? "PRAGMA page_size=16384"
                                                    : "PRAGMA page_size=4096");
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL");
    if (connection.text("PRAGMA journal_mode=WAL") != "wal") {
        throw SQLite::Exception("the database does not take a write-ahead log", SQLITE_CANTOPEN);
    }
    connection.execute("PRAGMA synchronous=FULL");
    // Checkpoints are made by the writer between its transactions, never inside a commit.
    connection.execute("PRAGMA wal_autocheckpoint=0");
    connection.execute("PRAGMA journal_size_limit=67108864");
    // Debian's library overwrites what is deleted, which turns every delete into writes.
    connection.execute("PRAGMA secure_delete=OFF");
}

const char* cache_pragma(SqliteCache cache) noexcept {
    switch (cache) {
        case SqliteCache::kib512: return "PRAGMA cache_size=-512";
        case SqliteCache::mib1: return "PRAGMA cache_size=-1024";
        case SqliteCache::mib2: return "PRAGMA cache_size=-2048";
        case SqliteCache::mib32: break;
    }
    return "PRAGMA cache_size=-32768";
}

void set_common_pragmas(SqliteConnection& connection, const SqliteSettings& settings) {
    connection.execute(cache_pragma(settings.cache));
    connection.execute("PRAGMA mmap_size=0");
    connection.execute("PRAGMA temp_store=MEMORY");
    connection.execute("PRAGMA trusted_schema=OFF");
    connection.execute("PRAGMA locking_mode=NORMAL");
}

}  // namespace

struct SqliteQuery::Cached {
    Cached(const SQLite::Database& database, std::string_view sql)
        : statement(database, std::string(sql)) {}

    SQLite::Statement statement;
    bool in_use = false;
};

SqliteQuery::SqliteQuery(Cached& cached) noexcept
    : cached_(&cached) {}

SqliteQuery::SqliteQuery(SqliteQuery&& other) noexcept
    : cached_(std::exchange(other.cached_, nullptr))
    , bound_(other.bound_) {}

SqliteQuery::~SqliteQuery() {
    if (cached_ != nullptr) {
        cached_->statement.tryReset();
        cached_->in_use = false;
    }
}

SqliteQuery& SqliteQuery::bind(std::int64_t value) {
    cached_->statement.bind(++bound_, value);
    return *this;
}

SqliteQuery& SqliteQuery::bind_text(const std::string& value) {
    cached_->statement.bindNoCopy(++bound_, value);
    return *this;
}

SqliteQuery& SqliteQuery::bind_blob(std::string_view value) {
    // A null pointer would bind NULL.
    const void* data = value.empty() ? "" : value.data();
    cached_->statement.bindNoCopy(++bound_, data, static_cast<int>(value.size()));
    return *this;
}

SqliteQuery& SqliteQuery::bind_null() {
    cached_->statement.bind(++bound_);
    return *this;
}

bool SqliteQuery::step() {
    return cached_->statement.executeStep();
}

int SqliteQuery::run() {
    return cached_->statement.exec();
}

SqliteQuery& SqliteQuery::again() {
    cached_->statement.reset();
    bound_ = 0;
    return *this;
}

bool SqliteQuery::is_null(int column) const {
    return cached_->statement.isColumnNull(column);
}

std::int64_t SqliteQuery::integer(int column) const {
    return cached_->statement.getColumn(column).getInt64();
}

std::uint64_t SqliteQuery::unsigned_integer(int column) const {
    return static_cast<std::uint64_t>(integer(column));
}

std::chrono::sys_time<std::chrono::milliseconds> SqliteQuery::time(int column) const {
    return std::chrono::sys_time<std::chrono::milliseconds>(
        std::chrono::milliseconds(integer(column)));
}

std::string_view SqliteQuery::bytes(int column) const {
    const auto value = cached_->statement.getColumn(column);
    const auto* data = static_cast<const char*>(value.getBlob());
    const int size = value.getBytes();
    return data == nullptr ? std::string_view()
                           : std::string_view(data, static_cast<std::size_t>(size));
}

SqliteConnection::SqliteConnection(const SqliteSettings& settings, SqliteRole role)
    : database_(settings.path, open_flags(role), kBusyTimeoutMs, settings.vfs) {
    ::sqlite3_extended_result_codes(database_.getHandle(), 1);
    // The checkpoint of the last close is ours to make, where its failure can be told.
    ::sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    ::sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    if (role == SqliteRole::writer) {
        set_writer_pragmas(*this, settings);
    } else {
        execute("PRAGMA query_only=1");
        execute("PRAGMA wal_autocheckpoint=0");
    }
    set_common_pragmas(*this, settings);
}

SqliteConnection::~SqliteConnection() = default;

SqliteQuery SqliteConnection::query(std::string_view sql) {
    auto& cached = statements_[sql];
    if (!cached) {
        cached = std::make_unique<SqliteQuery::Cached>(database_, sql);
    }
    if (cached->in_use) {
        throw std::logic_error("a prepared statement is used twice at the same time");
    }
    cached->in_use = true;
    return SqliteQuery(*cached);
}

void SqliteConnection::execute(const char* sql) {
    database_.exec(sql);
}

std::int64_t SqliteConnection::number(std::string_view sql) {
    auto row = query(sql);
    const bool found = row.step();
    return found ? row.integer(0) : 0;
}

std::string SqliteConnection::text(std::string_view sql) {
    auto row = query(sql);
    const bool found = row.step();
    return found ? row.text(0) : std::string();
}

bool SqliteConnection::in_transaction() const noexcept {
    return ::sqlite3_get_autocommit(database_.getHandle()) == 0;
}

Result<std::string> SqliteConnection::read_blob(
    const char* table,
    const char* column,
    std::int64_t row,
    std::uint64_t offset,
    std::size_t size) {
    sqlite3_blob* blob = nullptr;
    const int opened =
        ::sqlite3_blob_open(database_.getHandle(), "main", table, column, row, 0, &blob);
    if (opened != SQLITE_OK) {
        // The table and the column are ours: only the row can be missing.
        const ErrorCode failure = error_of(SQLite::Exception(database_.getHandle(), opened));
        return (opened & 0xff) == SQLITE_ERROR ? make_error_code(Error::not_found) : failure;
    }
    const auto length = static_cast<std::uint64_t>(::sqlite3_blob_bytes(blob));
    std::string bytes(
        offset >= length ? 0
                         : static_cast<std::size_t>(std::min<std::uint64_t>(size, length - offset)),
        '\0');
    const int read = ::sqlite3_blob_read(
        blob, bytes.data(), static_cast<int>(bytes.size()), static_cast<int>(offset));
    ::sqlite3_blob_close(blob);
    if (read != SQLITE_OK && !bytes.empty()) {
        return error_of(SQLite::Exception(database_.getHandle(), read));
    }
    return bytes;
}

SqliteTransaction::SqliteTransaction(SqliteConnection& connection)
    : connection_(connection) {
    connection_.query("BEGIN IMMEDIATE").run();
}

SqliteTransaction::~SqliteTransaction() {
    if (open_ && connection_.in_transaction()) {
        ::sqlite3_exec(connection_.database().getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

void SqliteTransaction::commit() {
    connection_.query("COMMIT").run();
    open_ = false;
}

SqliteSnapshot::SqliteSnapshot(SqliteConnection& connection)
    : connection_(connection)
    , own_(!connection.in_transaction()) {
    if (own_) connection_.query("BEGIN").run();
}

SqliteSnapshot::~SqliteSnapshot() {
    if (!own_ || !connection_.in_transaction()) {
        return;
    }
    try {
        connection_.query("COMMIT").run();  // prepared once: every look-up ends so
    } catch (const SQLite::Exception&) {
        ::sqlite3_exec(connection_.database().getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

SqliteSavepoint::SqliteSavepoint(SqliteConnection& connection)
    : connection_(connection) {
    connection_.query("SAVEPOINT item").run();
}

SqliteSavepoint::~SqliteSavepoint() {
    // After some failures (disk full, I/O) SQLite has rolled back the whole transaction by itself.
    if (open_ && connection_.in_transaction()) {
        ::sqlite3_exec(
            connection_.database().getHandle(),
            "ROLLBACK TO item; RELEASE item",
            nullptr,
            nullptr,
            nullptr);
    }
}

void SqliteSavepoint::release() {
    connection_.query("RELEASE item").run();
    open_ = false;
}

ErrorCode error_of(const SQLite::Exception& exception) noexcept {
    switch (exception.getErrorCode() & 0xff) {
        case SQLITE_FULL: return Error::disk_full;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return Error::corrupt;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return Error::locked;
        case SQLITE_CONSTRAINT: break;
        default: return Error::store_failed;
    }
    const int extended = exception.getExtendedErrorCode();
    const bool key_taken = extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
                           extended == SQLITE_CONSTRAINT_UNIQUE ||
                           extended == SQLITE_CONSTRAINT_ROWID;
    return key_taken ? Error::already_exists : Error::conflict;
}

StoreFailure failure_of(
    std::string_view what, const std::string& path, const SQLite::Exception& exception) {
    std::string text(what);
    text += ' ';
    text += path;
    text += ": ";
    text += exception.what();
    return {error_of(exception), std::move(text)};
}

std::ostream& operator<<(std::ostream& out, const StoreFailure& failure) {
    return out << failure.text;
}

void throw_exception_from_error(
    const StoreFailure& failure, const boost::source_location& /*where*/) {
    throw std::runtime_error(failure.text);
}

}  // namespace mailflow

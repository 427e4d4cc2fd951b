// The thin layer over SQLiteCpp that every database file of mailflow goes through: pragmas, cached
// prepared statements with bound parameters, transactions, failures in words. Inside `storage`
// only. A connection belongs to one thread (or runner) at a time; one connection writes and
// checkpoints a file, any number of others read it. Members throw SQLite::Exception; ports turn it
// into an ErrorCode by `error_of`.
#pragma once

#include "transport/base/error.hpp"
#include "transport/base/result.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mailflow {

// Why a store could not be opened: the code, and words for the person who starts the daemon.
struct StoreFailure {
    ErrorCode code;
    std::string text;
};

std::ostream& operator<<(std::ostream& out, const StoreFailure& failure);

[[noreturn]] void throw_exception_from_error(
    const StoreFailure& failure, const boost::source_location& where);

template <class T>
using OpenResult = boost::system::result<T, StoreFailure>;

enum class SqlitePageSize { kib4, kib16 };
// What a connection keeps of its file in memory at most; the system's own cache is behind it.
enum class SqliteCache { kib512, mib1, mib2, mib32 };

struct SqliteSettings {
    std::string path;
    std::string vfs;  // name of a registered SQLite VFS; empty: SQLite's default
    // Of a file that is made now; a file keeps the one it was made with.
    SqlitePageSize page_size = SqlitePageSize::kib4;
    SqliteCache cache = SqliteCache::mib1;
};

enum class SqliteRole {
    writer,  // makes the file when it is missing; the only one that checkpoints
    reader,  // query_only; opened after the writer, closed before it
};

class SqliteConnection;

// The use of one cached statement: parameters are bound in order, rows are stepped through, and the
// statement is reset when the query goes. Bound text and blobs outlive the query.
class SqliteQuery {
  public:
    SqliteQuery(SqliteQuery&& other) noexcept;
    SqliteQuery(const SqliteQuery&) = delete;
    SqliteQuery& operator=(const SqliteQuery&) = delete;
    SqliteQuery& operator=(SqliteQuery&&) = delete;
    ~SqliteQuery();

    SqliteQuery& bind(std::int64_t value);

    // SQLite's integers are signed: bit pattern kept, so ids below 2^63 keep their order.
    SqliteQuery& bind(std::uint64_t value) { return bind(static_cast<std::int64_t>(value)); }

    SqliteQuery& bind(int value) { return bind(static_cast<std::int64_t>(value)); }

    SqliteQuery& bind(unsigned value) { return bind(static_cast<std::int64_t>(value)); }

    SqliteQuery& bind(bool value) { return bind(static_cast<std::int64_t>(value)); }

    SqliteQuery& bind(std::chrono::sys_time<std::chrono::milliseconds> value) {
        return bind(static_cast<std::int64_t>(value.time_since_epoch().count()));
    }

    SqliteQuery& bind_text(const std::string& value);
    SqliteQuery& bind_text(std::string&&) = delete;
    SqliteQuery& bind_blob(std::string_view value);
    SqliteQuery& bind_null();

    // True while there is a row.
    bool step();
    // For statements without rows; returns how many rows changed.
    int run();
    // Ready to be bound and stepped again.
    SqliteQuery& again();

    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::uint64_t unsigned_integer(int column) const;

    [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }

    [[nodiscard]] std::chrono::sys_time<std::chrono::milliseconds> time(int column) const;
    // Valid until the next step.
    [[nodiscard]] std::string_view bytes(int column) const;

    [[nodiscard]] std::string text(int column) const { return std::string(bytes(column)); }

  private:
    friend class SqliteConnection;
    struct Cached;
    explicit SqliteQuery(Cached& cached) noexcept;

    Cached* cached_;
    int bound_ = 0;
};

class SqliteConnection {
  public:
    // Opens (writer: and makes) the file and sets every pragma; throws when one does not take.
    SqliteConnection(const SqliteSettings& settings, SqliteRole role);
    ~SqliteConnection();
    SqliteConnection(const SqliteConnection&) = delete;
    SqliteConnection& operator=(const SqliteConnection&) = delete;

    // A statement from the cache, prepared at first use. `sql` is a literal: it is kept by
    // reference. One statement is used by one query at a time.
    [[nodiscard]] SqliteQuery query(std::string_view sql);
    // One or more statements without parameters and rows; `sql` is a literal.
    void execute(const char* sql);
    // First column of the first row, e.g. of a pragma; 0 without a row.
    [[nodiscard]] std::int64_t number(std::string_view sql);
    [[nodiscard]] std::string text(std::string_view sql);

    [[nodiscard]] bool in_transaction() const noexcept;
    // At most `size` octets at `offset` of a blob, without loading the rest.
    // Error::not_found when there is no such row.
    [[nodiscard]] Result<std::string> read_blob(
        const char* table,
        const char* column,
        std::int64_t row,
        std::uint64_t offset,
        std::size_t size);

    [[nodiscard]] SQLite::Database& database() noexcept { return database_; }

  private:
    SQLite::Database database_;
    std::unordered_map<std::string_view, std::unique_ptr<SqliteQuery::Cached>> statements_;
};

// BEGIN IMMEDIATE … COMMIT; rolls back when it goes without `commit`.
class SqliteTransaction {
  public:
    explicit SqliteTransaction(SqliteConnection& connection);
    ~SqliteTransaction();
    SqliteTransaction(const SqliteTransaction&) = delete;
    SqliteTransaction& operator=(const SqliteTransaction&) = delete;
    void commit();

  private:
    SqliteConnection& connection_;
    bool open_ = true;
};

// A transaction of reads: every query inside sees the same state. Ends when it goes. Inside another
// transaction it is a part of that.
class SqliteSnapshot {
  public:
    explicit SqliteSnapshot(SqliteConnection& connection);
    ~SqliteSnapshot();
    SqliteSnapshot(const SqliteSnapshot&) = delete;
    SqliteSnapshot& operator=(const SqliteSnapshot&) = delete;

  private:
    SqliteConnection& connection_;
    bool own_;
};

// One item inside a transaction: undone when it goes without `release`.
class SqliteSavepoint {
  public:
    explicit SqliteSavepoint(SqliteConnection& connection);
    ~SqliteSavepoint();
    SqliteSavepoint(const SqliteSavepoint&) = delete;
    SqliteSavepoint& operator=(const SqliteSavepoint&) = delete;
    void release();

  private:
    SqliteConnection& connection_;
    bool open_ = true;
};

// disk_full, already_exists (a key is taken), conflict (another constraint), corrupt, locked, or
// store_failed for everything else.
[[nodiscard]] ErrorCode error_of(const SQLite::Exception& exception) noexcept;
// `could not open /var/lib/mailflow/queue.db: unable to open database file`.
[[nodiscard]] StoreFailure failure_of(
    std::string_view what, const std::string& path, const SQLite::Exception& exception);

}  // namespace mailflow

#include "storage/peer_database.hpp"

#include "storage/schema.hpp"
#include "transport/base/ascii.hpp"

#include <array>
#include <exception>
#include <stdexcept>

namespace mailflow {

namespace {

constexpr Duration kWriteDelay = std::chrono::seconds(1);
constexpr std::size_t kCheckpointRows = 5000;

constexpr std::array kPeerSchema{SchemaStep{R"(
CREATE TABLE policy(
    domain TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    mode INTEGER NOT NULL,
    mx TEXT NOT NULL,
    fetched INTEGER NOT NULL,
    expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE peer(
    host TEXT PRIMARY KEY,
    why TEXT NOT NULL,
    failed INTEGER NOT NULL,
    until INTEGER NOT NULL,
    failures INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE result(
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    policy INTEGER NOT NULL,
    host TEXT NOT NULL,
    type INTEGER NOT NULL,
    detail TEXT NOT NULL,
    sessions INTEGER NOT NULL,
    PRIMARY KEY(day, domain, policy, host, type)) WITHOUT ROWID;
PRAGMA user_version = 1;
)"}};

// Patterns hold no line feed: the separator.
std::string joined(const std::vector<std::string>& patterns) {
    std::string text;
    for (const auto& pattern : patterns) {
        text += (text.empty() ? "" : "\n") + pattern;
    }
    return text;
}

template <class Enum>
Enum checked(std::int64_t value, Enum last) {
    if (value < 0 || value > static_cast<std::int64_t>(last)) {
        throw std::runtime_error("a row of it makes no sense");
    }
    return static_cast<Enum>(value);
}

std::vector<StsPolicy> read_policies(SqliteConnection& connection) {
    std::vector<StsPolicy> all;
    auto row = connection.query("SELECT domain, id, mode, mx, fetched, expires FROM policy");
    while (row.step()) {
        StsPolicy policy;
        policy.domain = row.text(0);
        policy.id = row.text(1);
        policy.mode = checked(row.integer(2), StsMode::enforce);
        const auto patterns = row.text(3);
        if (!patterns.empty()) {
            for (const auto pattern : ascii::split(patterns, '\n')) {
                policy.mx.emplace_back(pattern);
            }
        }
        policy.fetched = row.time(4);
        policy.expires = row.time(5);
        all.push_back(std::move(policy));
    }
    return all;
}

std::vector<TlsPeer> read_peers(SqliteConnection& connection) {
    std::vector<TlsPeer> all;
    auto row = connection.query("SELECT host, why, failed, until, failures FROM peer");
    while (row.step()) {
        TlsPeer peer;
        peer.host = row.text(0);
        peer.why = row.text(1);
        peer.failed = row.time(2);
        peer.until = row.time(3);
        peer.failures = static_cast<std::uint32_t>(row.integer(4));
        all.push_back(std::move(peer));
    }
    return all;
}

std::vector<TlsResultSum> read_results(SqliteConnection& connection) {
    std::vector<TlsResultSum> all;
    auto row = connection.query(
        "SELECT domain, day, policy, host, type, detail, sessions FROM result ORDER BY day");
    while (row.step()) {
        TlsResultSum sum;
        sum.day = row.time(1);
        sum.result.policy_domain = row.text(0);
        sum.result.policy = checked(row.integer(2), TlsPolicyType::no_policy_found);
        sum.result.host = row.text(3);
        sum.result.type = checked(row.integer(4), TlsResultType::sts_webpki_invalid);
        sum.result.detail = row.text(5);
        sum.sessions = row.unsigned_integer(6);
        all.push_back(std::move(sum));
    }
    return all;
}

void write_policy(
    SqliteConnection& connection, const std::string& domain, const std::optional<StsPolicy>& row) {
    if (!row) {
        connection.query("DELETE FROM policy WHERE domain = ?").bind_text(domain).run();
        return;
    }
    const auto patterns = joined(row->mx);
    connection.query("INSERT OR REPLACE INTO policy VALUES(?, ?, ?, ?, ?, ?)")
        .bind_text(domain)
        .bind_text(row->id)
        .bind(static_cast<int>(row->mode))
        .bind_text(patterns)
        .bind(row->fetched)
        .bind(row->expires)
        .run();
}

void write_peer(
    SqliteConnection& connection, const std::string& host, const std::optional<TlsPeer>& row) {
    if (!row) {
        connection.query("DELETE FROM peer WHERE host = ?").bind_text(host).run();
        return;
    }
    connection.query("INSERT OR REPLACE INTO peer VALUES(?, ?, ?, ?, ?)")
        .bind_text(host)
        .bind_text(row->why)
        .bind(row->failed)
        .bind(row->until)
        .bind(row->failures)
        .run();
}

void write_result(
    SqliteConnection& connection, const TlsResultKey& key, const std::optional<TlsResultSum>& row) {
    if (!row) {
        connection
            .query(
                "DELETE FROM result WHERE day = ? AND domain = ? AND policy = ? AND host = ? "
                "AND type = ?")
            .bind(key.day)
            .bind_text(key.policy_domain)
            .bind(static_cast<int>(key.policy))
            .bind_text(key.host)
            .bind(static_cast<int>(key.type))
            .run();
        return;
    }
    connection.query("INSERT OR REPLACE INTO result VALUES(?, ?, ?, ?, ?, ?, ?)")
        .bind(key.day)
        .bind_text(key.policy_domain)
        .bind(static_cast<int>(key.policy))
        .bind_text(key.host)
        .bind(static_cast<int>(key.type))
        .bind_text(row->result.detail)
        .bind(row->sessions)
        .run();
}

// Losing the last transactions of this file costs a look-up: no sync for each.
std::unique_ptr<SqliteConnection> open_connection(const PeerDatabaseSettings& settings) {
    auto connection = std::make_unique<SqliteConnection>(
        SqliteSettings{settings.path, settings.vfs, SqlitePageSize::kib4, SqliteCache::kib512},
        SqliteRole::writer);
    connection->execute("PRAGMA synchronous=NORMAL");
    return connection;
}

}  // namespace

// ---- the start

PeerDatabase::PeerDatabase(PeerDatabaseSettings settings, Parts parts)
    : settings_(std::move(settings))
    , parts_(parts) {
    if (!open_and_load(false)) {
        set_aside();
        (void)open_and_load(true);
    }
}

PeerDatabase::~PeerDatabase() = default;

bool PeerDatabase::open_and_load(bool is_last_try) {
    std::string why;
    try {
        connection_ = open_connection(settings_);
        const auto failure = migrate(*connection_, settings_.path, kPeerSchema);
        if (!failure) {
            load();
            (void)connection_->number("PRAGMA wal_checkpoint(TRUNCATE)");
            return true;
        }
        why = failure->text;
    } catch (const std::exception& error) {
        why = error.what();
    }
    connection_.reset();
    parts_.log.warning(
        is_last_try ? "what is remembered about peers is not stored"
                    : "what was remembered about peers cannot be read; its file is set aside",
        {{"file", settings_.path}, {"reason", why}});
    return false;
}

void PeerDatabase::load() {
    tables_.load(read_policies(*connection_), read_peers(*connection_), read_results(*connection_));
}

void PeerDatabase::set_aside() {
    (void)parts_.files.rename(settings_.path, settings_.path + ".broken");
    for (const auto* suffix : {"-wal", "-shm"}) {
        (void)parts_.files.remove(settings_.path + suffix);
    }
}

// ---- in memory

std::optional<StsPolicy> PeerDatabase::find_policy(std::string_view domain) const {
    return tables_.find_policy(domain);
}

std::optional<TlsPeer> PeerDatabase::find_peer(std::string_view host, UtcTime now) const {
    return tables_.find_peer(host, now);
}

std::vector<TlsPeer> PeerDatabase::peers() const {
    return tables_.peers();
}

std::vector<StsPolicy> PeerDatabase::policies() const {
    return tables_.policies();
}

std::vector<TlsResultSum> PeerDatabase::results() const {
    return tables_.results();
}

void PeerDatabase::keep_policy(StsPolicy policy) {
    changed(tables_.keep_policy(std::move(policy)));
}

void PeerDatabase::forget_policy(std::string_view domain) {
    changed(tables_.forget_policy(domain));
}

void PeerDatabase::keep_peer(TlsPeer peer) {
    changed(tables_.keep_peer(std::move(peer)));
}

void PeerDatabase::count(const TlsResult& result, UtcTime now) {
    changed(tables_.count(result, now));
}

bool PeerDatabase::forget(std::string_view name) {
    bool first = false;
    const bool any = tables_.forget(name, first);
    changed(first);
    return any;
}

// ---- behind

void PeerDatabase::changed(bool first) {
    if (first) {
        parts_.lane.post(
            [&lane = parts_.lane, alive = Alive(alive_), this] { start_timer(lane, alive, this); });
    }
}

void PeerDatabase::start_timer(Lane& lane, const Alive& alive, PeerDatabase* self) {
    if (!alive.expired()) {
        lane.spawn("peers", write_soon(lane, alive, self));
    }
}

Task<void> PeerDatabase::write_soon(Lane& lane, Alive alive, PeerDatabase* self) {
    const auto when = lane.clock().monotonic() + kWriteDelay;
    co_await lane.sleep_until(when);
    if (!alive.expired()) {
        self->parts_.keeper.post([self] { self->write_changes(); });
    }
}

Task<> PeerDatabase::flush() {
    const auto work = [this] {
        write_changes();
        return true;
    };
    co_await offload(parts_.keeper, work);
}

Task<> PeerDatabase::close() {
    alive_.reset();
    const auto work = [this] {
        write_changes();
        close_file();
        return true;
    };
    co_await offload(parts_.keeper, work);
}

void PeerDatabase::write_changes() noexcept {
    try {
        const auto changes = tables_.take_changes();
        if (!changes.empty() && connection_) {
            write(changes);
        }
    } catch (const std::exception& error) {
        // They stay in memory, and what changes next may be written.
        parts_.log.warning(
            "what is remembered about peers cannot be written",
            {{"file", settings_.path}, {"reason", error.what()}});
    }
}

void PeerDatabase::write(const PeerTables::Changes& changes) {
    SqliteTransaction transaction(*connection_);
    for (const auto& [domain, row] : changes.policies) {
        write_policy(*connection_, domain, row);
    }
    for (const auto& [host, row] : changes.peers) {
        write_peer(*connection_, host, row);
    }
    for (const auto& [key, row] : changes.results) {
        write_result(*connection_, key, row);
    }
    transaction.commit();
    unsettled_ += changes.policies.size() + changes.peers.size() + changes.results.size();
    if (unsettled_ >= kCheckpointRows) {
        unsettled_ = 0;
        (void)connection_->number("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

void PeerDatabase::close_file() noexcept {
    try {
        if (connection_) {
            (void)connection_->number("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    } catch (const std::exception& error) {
        // What is in the log beside the file is found at the next start.
        parts_.log.warning("the file about peers is not settled", {{"reason", error.what()}});
    }
    connection_.reset();
}

}  // namespace mailflow

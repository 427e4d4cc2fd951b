// What is remembered about other hosts, in peers.db: a file that may be lost. All of it is in
// memory; what changes is written a second later on the keeper, by transactions that are not
// synced one by one. A file that cannot be read is set aside and mail goes on without it.
#pragma once

#include "storage/peer_tables.hpp"
#include "storage/sqlite.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/net/lane.hpp"
#include "transport/ports/files.hpp"
#include "transport/ports/peer_memory.hpp"

#include <memory>
#include <optional>
#include <string>

namespace mailflow {

struct PeerDatabaseSettings {
    std::string path;  // state_dir/peers.db
    std::string vfs;   // SQLite VFS; empty: the system's
};

class PeerDatabase final : public PeerMemory {
  public:
    // All outlive it.
    struct Parts {
        Lane& lane;  // whose timer drives the writing
        TaskRunner& keeper;
        Files& files;
        Log log;
    };

    // Blocks: reads the file, making it when it is missing; at start. What is wrong with it is
    // told in the log.
    PeerDatabase(PeerDatabaseSettings settings, Parts parts);
    // Either `close` has returned, or lane and keeper do not run any more.
    ~PeerDatabase() override;
    PeerDatabase(const PeerDatabase&) = delete;
    PeerDatabase& operator=(const PeerDatabase&) = delete;

    // Any thread.
    [[nodiscard]] std::optional<StsPolicy> find_policy(std::string_view domain) const override;
    void keep_policy(StsPolicy policy) override;
    void forget_policy(std::string_view domain) override;
    [[nodiscard]] std::optional<TlsPeer> find_peer(
        std::string_view host, UtcTime now) const override;
    void keep_peer(TlsPeer peer) override;
    void count(const TlsResult& result, UtcTime now) override;
    [[nodiscard]] std::vector<TlsPeer> peers() const override;
    [[nodiscard]] std::vector<StsPolicy> policies() const override;
    [[nodiscard]] std::vector<TlsResultSum> results() const override;
    bool forget(std::string_view name) override;

    // Writes what has changed. Any lane.
    Task<> flush();
    // On the lane, once, when nobody changes anything any more: writes and closes the file.
    Task<> close();

  private:
    // What a sleeping timer looks at before it touches this, which may be gone by then.
    using Alive = std::weak_ptr<const bool>;
    static Task<void> write_soon(Lane& lane, Alive alive, PeerDatabase* self);
    static void start_timer(Lane& lane, const Alive& alive, PeerDatabase* self);
    void changed(bool first);
    // At start.
    [[nodiscard]] bool open_and_load(bool is_last_try);
    void load();
    void set_aside();
    // On the keeper.
    void write_changes() noexcept;
    void write(const PeerTables::Changes& changes);
    void close_file() noexcept;

    PeerDatabaseSettings settings_;
    Parts parts_;
    PeerTables tables_;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // the lane's
    std::unique_ptr<SqliteConnection> connection_;  // the keeper's after the start
    std::size_t unsettled_ = 0;                     // rows written since the last checkpoint
};

}  // namespace mailflow

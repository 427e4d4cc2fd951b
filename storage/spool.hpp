// Where the files of large bodies lie: `<spool>/<xx>/<QueueId>`, xx of 256 folders by the time of
// the id. Names are made from a BodyRef's file number alone. Used by body writers and readers and
// by the sweep at start; any thread.
#pragma once

#include "storage/sqlite.hpp"
#include "transport/base/log.hpp"
#include "transport/ports/files.hpp"

#include <optional>
#include <string>

namespace mailflow {

class Spool {
  public:
    // Files and the log outlive this.
    Spool(Files& files, std::string root, Log log)
        : files_(files)
        , root_(std::move(root))
        , log_(log) {}

    [[nodiscard]] Files& files() const noexcept { return files_; }

    // The file number of a body: its message's id, never 0.
    [[nodiscard]] std::string folder_of(std::uint64_t file) const;
    [[nodiscard]] std::string path_of(std::uint64_t file) const;

    // Blocks. Not being able to is logged; the next start sweeps.
    void remove(std::uint64_t file) const noexcept;

    // At start, before anything is written: makes the folders, removes the files that no message
    // refers to.
    [[nodiscard]] std::optional<StoreFailure> prepare(SqliteConnection& queue) const;

  private:
    [[nodiscard]] std::optional<StoreFailure> make_folders() const;
    void sweep(const std::string& folder, SqliteConnection& queue) const;

    Files& files_;
    std::string root_;
    Log log_;
};

}  // namespace mailflow

// The spool files of a submission's copies: each is a hard link to the first one's, or a copy where
// links cannot be made, on stable storage before the rows that refer to it. A crash in between
// leaves files nobody refers to, which the next start sweeps. Used on lanes; owned by
// SqliteQueueStore.
#pragma once

#include "storage/spool.hpp"
#include "transport/base/task.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <vector>

namespace mailflow {

class BodyCopies {
  public:
    // Both outlive it. `worker` is where files are touched.
    BodyCopies(const Spool& spool, TaskRunner& worker) noexcept
        : spool_(spool)
        , worker_(worker) {}

    // The copies' files, synced with their folders. After an error there are none.
    [[nodiscard]] Task<ErrorCode> make(const Submission& submission);
    // The commit failed: they go again.
    void remove(const Submission& submission) noexcept;

  private:
    [[nodiscard]] ErrorCode make_all(std::uint64_t from, const std::vector<std::uint64_t>& files);
    [[nodiscard]] ErrorCode make_one(std::uint64_t from, std::uint64_t file);

    const Spool& spool_;
    TaskRunner& worker_;
};

}  // namespace mailflow

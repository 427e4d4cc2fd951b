// Reads stored octets in pieces on a runner and verifies their checksum: the last piece is handed
// out only when all of them were right. Made by the body store; belongs to one lane.
#pragma once

#include "storage/body_checksum.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/body_store.hpp"

#include <functional>
#include <string>

namespace mailflow {

// Blocks; at most `size` octets at `offset`, fewer only at the end.
using FetchBody = std::function<Result<std::string>(std::uint64_t offset, std::size_t size)>;

class CheckedBodyReader final : public BodyReader {
  public:
    // The runner outlives this. `piece`: octets at a time.
    CheckedBodyReader(TaskRunner& runner, FetchBody fetch, BodyRef ref, std::size_t piece);
    Task<Result<std::string_view>> next() override;

  private:
    // On the runner.
    [[nodiscard]] ErrorCode fetch_piece();

    TaskRunner& runner_;
    FetchBody fetch_;
    BodyRef ref_;
    std::size_t piece_size_;
    BodyChecksum checksum_;
    std::string piece_;
    std::uint64_t done_ = 0;
    ErrorCode failure_;
};

}  // namespace mailflow

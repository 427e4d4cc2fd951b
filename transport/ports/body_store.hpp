// The octets of messages: small ones in the queue's row, large ones in an immutable file; the
// caller cannot tell. Used on lanes. A writer that is destroyed before `finish` leaves nothing
// behind (a crash leaves an orphan file that the next start sweeps).
#pragma once

#include "transport/base/id.hpp"
#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/mail/content.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

// A whole body: its reference and, when it is small, its octets.
struct StoredBody {
    BodyRef ref;
    std::shared_ptr<const std::string> bytes;
};

class BodyWriter {
  public:
    virtual ~BodyWriter() = default;
    // Appends. A failure is kept and returned by `finish` as well; further octets are dropped.
    virtual Result<> write(std::string_view bytes) noexcept = 0;
    [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
    // Large bodies are on stable storage when this returns. At most once; nothing is written
    // afterwards.
    virtual Task<Result<StoredBody>> finish() = 0;
};

class BodyReader {
  public:
    virtual ~BodyReader() = default;
    // The next octets, at most 64 KiB, valid until the next call; empty at the end. The checksum is
    // verified on the way: Error::corrupt instead of the last piece when it does not match.
    virtual Task<Result<std::string_view>> next() = 0;
};

class BodyStore {
  public:
    virtual ~BodyStore() = default;
    // Waits while the octets of uncommitted bodies in memory exceed their limit.
    virtual Task<Result<std::unique_ptr<BodyWriter>>> create(QueueId id) = 0;
    virtual Task<Result<std::unique_ptr<BodyReader>>> open(QueueId id, BodyRef ref) = 0;
    // A body that never reached the queue (refused after `finish`, failed commit).
    virtual void discard(QueueId id, const BodyRef& ref) noexcept = 0;
};

// Reads octets that are still in memory.
[[nodiscard]] std::unique_ptr<BodyReader> make_memory_reader(
    std::shared_ptr<const std::string> bytes);

}  // namespace mailflow

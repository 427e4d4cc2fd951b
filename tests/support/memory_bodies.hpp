// A BodyStore in memory: the double for everything that reads and writes bodies. Checksums are not
// made. Can be told to fail. One thread.
#pragma once

#include "transport/ports/body_store.hpp"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace mailflow {

class MemoryBodies final : public BodyStore {
  public:
    // Bodies from this size on get a file number and no bytes in StoredBody, as spool files do.
    explicit MemoryBodies(std::size_t file_threshold = 64 * 1024) noexcept
        : threshold_(file_threshold) {}

    Task<Result<std::unique_ptr<BodyWriter>>> create(QueueId id) override;
    Task<Result<std::unique_ptr<BodyReader>>> open(QueueId id, BodyRef ref) override;
    void discard(QueueId id, const BodyRef& ref) noexcept override;

    // Bodies finished and neither discarded nor released.
    [[nodiscard]] std::size_t count() const noexcept { return bodies_.size(); }

    // Null when there is none.
    [[nodiscard]] std::shared_ptr<const std::string> find(QueueId id) const;

    void release(QueueId id) noexcept { bodies_.erase(id); }

    // `to` has the octets of `from` too.
    void share(QueueId from, QueueId to) { bodies_[to] = find(from); }

    // Writers alive and not finished.
    [[nodiscard]] std::size_t open_writers() const noexcept { return writers_; }

    // No error: works again.
    void fail_create_with(ErrorCode error) noexcept { create_error_ = error; }

    // A write that reaches past this size fails.
    void fail_writes_with(ErrorCode error, std::size_t after_size = 0) noexcept {
        write_error_ = error;
        write_limit_ = after_size;
    }

    void fail_finish_with(ErrorCode error) noexcept { finish_error_ = error; }

    void fail_open_with(ErrorCode error) noexcept { open_error_ = error; }

  private:
    class Writer;

    std::size_t threshold_;
    std::map<QueueId, std::shared_ptr<const std::string>> bodies_;
    std::size_t writers_ = 0;
    std::uint64_t last_file_ = 0;
    ErrorCode create_error_;
    ErrorCode write_error_;
    std::size_t write_limit_ = 0;
    ErrorCode finish_error_;
    ErrorCode open_error_;
};

}  // namespace mailflow

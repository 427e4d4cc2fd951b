#include "tests/support/memory_bodies.hpp"

#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

class Reader final : public BodyReader {
  public:
    explicit Reader(std::shared_ptr<const std::string> bytes) noexcept
        : bytes_(std::move(bytes)) {}

    Task<Result<std::string_view>> next() override {
        const auto piece = std::string_view(*bytes_).substr(position_, kPiece);
        position_ += piece.size();
        co_return piece;
    }

  private:
    std::shared_ptr<const std::string> bytes_;
    std::size_t position_ = 0;
};

}  // namespace

class MemoryBodies::Writer final : public BodyWriter {
  public:
    Writer(MemoryBodies& store, QueueId id) noexcept
        : store_(store)
        , id_(id) {
        ++store_.writers_;
    }

    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    ~Writer() override { --store_.writers_; }

    Result<> write(std::string_view bytes) noexcept override {
        if (!failed_ && store_.write_error_ && bytes_.size() + bytes.size() > store_.write_limit_) {
            failed_ = store_.write_error_;
        }
        if (failed_) {
            return failed_;
        }
        bytes_.append(bytes);
        return {};
    }

    [[nodiscard]] std::uint64_t size() const noexcept override { return bytes_.size(); }

    Task<Result<StoredBody>> finish() override {
        const auto error = failed_ ? failed_ : store_.finish_error_;
        if (error) {
            co_return error;
        }
        StoredBody body;
        body.ref.length = bytes_.size();
        const bool in_file = bytes_.size() >= store_.threshold_;
        auto bytes = std::make_shared<const std::string>(std::move(bytes_));
        store_.bodies_[id_] = bytes;
        if (in_file) {
            body.ref.file = ++store_.last_file_;
        } else {
            body.bytes = std::move(bytes);
        }
        co_return body;
    }

  private:
    MemoryBodies& store_;
    QueueId id_;
    std::string bytes_;
    ErrorCode failed_;
};

Task<Result<std::unique_ptr<BodyWriter>>> MemoryBodies::create(QueueId id) {
    if (create_error_) {
        co_return create_error_;
    }
    co_return std::unique_ptr<BodyWriter>(std::make_unique<Writer>(*this, id));
}

Task<Result<std::unique_ptr<BodyReader>>> MemoryBodies::open(QueueId id, BodyRef) {
    if (open_error_) {
        co_return open_error_;
    }
    auto bytes = find(id);
    if (bytes == nullptr) {
        co_return Error::not_found;
    }
    co_return std::unique_ptr<BodyReader>(std::make_unique<Reader>(std::move(bytes)));
}

void MemoryBodies::discard(QueueId id, const BodyRef&) noexcept {
    bodies_.erase(id);
}

std::shared_ptr<const std::string> MemoryBodies::find(QueueId id) const {
    const auto found = bodies_.find(id);
    return found == bodies_.end() ? nullptr : found->second;
}

}  // namespace mailflow

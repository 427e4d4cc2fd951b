#include "transport/ports/body_store.hpp"

#include <utility>

namespace mailflow {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

class MemoryReader final : public BodyReader {
  public:
    explicit MemoryReader(std::shared_ptr<const std::string> bytes) noexcept
        : bytes_(std::move(bytes)) {}

    // Nothing to verify: these octets have not left memory since they were counted.
    Task<Result<std::string_view>> next() override {
        const auto piece = std::string_view(*bytes_).substr(done_, kPiece);
        done_ += piece.size();
        co_return piece;
    }

  private:
    std::shared_ptr<const std::string> bytes_;
    std::size_t done_ = 0;
};

}  // namespace

std::unique_ptr<BodyReader> make_memory_reader(std::shared_ptr<const std::string> bytes) {
    return std::make_unique<MemoryReader>(std::move(bytes));
}

}  // namespace mailflow

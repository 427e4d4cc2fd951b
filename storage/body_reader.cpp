#include "storage/body_reader.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

CheckedBodyReader::CheckedBodyReader(
    TaskRunner& runner, FetchBody fetch, BodyRef ref, std::size_t piece)
    : runner_(runner)
    , fetch_(std::move(fetch))
    , ref_(ref)
    , piece_size_(piece) {}

ErrorCode CheckedBodyReader::fetch_piece() {
    const std::uint64_t left = ref_.length - done_;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_size_));
    auto bytes = fetch_(ref_.offset + done_, wanted);
    if (!bytes) {
        return bytes.error();
    }
    if (bytes->size() != wanted) {
        return Error::corrupt;
    }
    piece_ = std::move(*bytes);
    done_ += wanted;
    checksum_.update(piece_);
    const bool is_last = done_ == ref_.length;
    if (is_last && checksum_.finish() != ref_.checksum) {
        return Error::corrupt;
    }
    return {};
}

Task<Result<std::string_view>> CheckedBodyReader::next() {
    if (failure_) {
        co_return failure_;
    }
    if (done_ == ref_.length) {
        co_return std::string_view();
    }
    auto fetch = [this] {
        return fetch_piece();
    };
    failure_ = co_await offload(runner_, fetch);
    if (failure_) {
        co_return failure_;
    }
    co_return std::string_view(piece_);
}

}  // namespace mailflow

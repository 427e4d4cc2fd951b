// A body that comes in pieces of `piece` octets, each in a buffer that the next call overwrites;
// then `failure`, if there is one. For tests of what reads through another reader.
#pragma once

#include "transport/ports/body_store.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

class PieceReader final : public BodyReader {
  public:
    PieceReader(std::string text, std::size_t piece, ErrorCode failure = {})
        : text_(std::move(text))
        , size_(piece)
        , failure_(failure) {}

    Task<Result<std::string_view>> next() override {
        std::fill(piece_.begin(), piece_.end(), '!');
        piece_ = text_.substr(done_, size_);
        done_ += piece_.size();
        if (piece_.empty() && failure_) {
            co_return failure_;
        }
        co_return std::string_view(piece_);
    }

  private:
    std::string text_;
    std::size_t size_;
    ErrorCode failure_;
    std::string piece_;
    std::size_t done_ = 0;
};

}  // namespace mailflow

#include "transport/ports/content_reader.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

namespace {

bool is_ordered(const std::vector<HeaderEdit>& edits) noexcept {
    std::uint64_t end = 0;
    return std::all_of(edits.begin(), edits.end(), [&end](const HeaderEdit& edit) {
        const bool fits = edit.offset >= end && edit.length <= ~edit.offset;
        end = edit.offset + edit.length;
        return fits;
    });
}

// Hands out views: of the prefix, of the texts of edits, of what is between them in the stored
// pieces. Octets are never copied.
class ContentReader final : public BodyReader {
  public:
    ContentReader(
        std::string prefix, std::vector<HeaderEdit> edits, std::unique_ptr<BodyReader> body)
        : prefix_(std::move(prefix))
        , edits_(std::move(edits))
        , body_(std::move(body)) {
        if (!is_ordered(edits_)) {
            failure_ = Error::corrupt;
        }
    }

    Task<Result<std::string_view>> next() override {
        if (failure_) {
            co_return failure_;
        }
        if (!std::exchange(began_, true) && !prefix_.empty()) {
            co_return std::string_view(prefix_);
        }
        std::string_view octets;
        bool ended = false;
        while (octets.empty() && !ended) {
            if (is_at_edit()) {
                octets = take_edit();
            } else if (!piece_.empty()) {
                octets = take_stored();
            } else {
                auto reading = body_->next();
                const auto piece = co_await std::move(reading);
                if (!piece) {
                    failure_ = piece.error();
                    co_return failure_;
                }
                piece_ = *piece;
                ended = piece_.empty();
            }
        }
        if (ended && (left_out_ > 0 || next_edit_ < edits_.size())) {
            // An edit beyond the body: not the body this content was made for.
            failure_ = Error::corrupt;
            co_return failure_;
        }
        co_return octets;
    }

  private:
    [[nodiscard]] bool is_at_edit() const noexcept {
        return left_out_ == 0 && next_edit_ < edits_.size() &&
               edits_[next_edit_].offset == position_;
    }

    std::string_view take_edit() noexcept {
        const auto& edit = edits_[next_edit_++];
        left_out_ = edit.length;
        return edit.text;
    }

    // Up to the next edit; nothing when the octets at hand are left out.
    std::string_view take_stored() noexcept {
        const bool leaves_out = left_out_ > 0;
        std::uint64_t size = piece_.size();
        if (leaves_out) {
            size = std::min(size, left_out_);
            left_out_ -= size;
        } else if (next_edit_ < edits_.size()) {
            size = std::min(size, edits_[next_edit_].offset - position_);
        }
        const auto octets = piece_.substr(0, static_cast<std::size_t>(size));
        piece_.remove_prefix(octets.size());
        position_ += size;
        return leaves_out ? std::string_view() : octets;
    }

    std::string prefix_;
    std::vector<HeaderEdit> edits_;
    std::unique_ptr<BodyReader> body_;
    std::string_view piece_;      // the rest of the stored piece at hand
    std::uint64_t position_ = 0;  // of piece_ in the stored body
    std::uint64_t left_out_ = 0;  // octets of the last edit's range still to come
    std::size_t next_edit_ = 0;
    bool began_ = false;
    ErrorCode failure_;
};

}  // namespace

std::unique_ptr<BodyReader> make_content_reader(
    const Content& content, std::unique_ptr<BodyReader> body) {
    return std::make_unique<ContentReader>(content.prefix, content.edits, std::move(body));
}

std::unique_ptr<BodyReader> make_content_reader(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    std::unique_ptr<BodyReader> body) {
    return std::make_unique<ContentReader>(
        message.prefix_of(recipient), message.edits_of(recipient), std::move(body));
}

}  // namespace mailflow

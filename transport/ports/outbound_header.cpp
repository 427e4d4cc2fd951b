#include "transport/ports/outbound_header.hpp"

#include "transport/mail/header_scanner.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

namespace {

// Longer than any name that is looked for; a field's name that is longer is none of them.
constexpr std::size_t kLongestName = 64;

bool may_leave(std::string_view name, HeaderRights rights) noexcept {
    switch (field_kind(name)) {
        case FieldKind::received:
        case FieldKind::resent:
        case FieldKind::resent_bcc:
        case FieldKind::resent_from:
        case FieldKind::resent_sender: return rights.routing;
        case FieldKind::organization: return rights.organization;
        default: return true;
    }
}

// Of one piece a reader gives.
constexpr std::size_t kPiece = 64 * std::size_t{1024};
// What is behind this much of header passes unread: no header that was accepted is as long.
constexpr std::size_t kMaxHeader = 4 * 1024 * std::size_t{1024};

class OutboundReader final : public BodyReader {
  public:
    OutboundReader(std::unique_ptr<BodyReader> content, HeaderRights rights)
        : content_(std::move(content))
        , rights_(rights) {}

    // Copies the header, field by field; nothing is handed out before.
    Task<ErrorCode> read_header() {
        while (in_header_) {
            auto reading = content_->next();
            const auto piece = co_await std::move(reading);
            if (!piece) {
                co_return piece.error();
            }
            if (piece->empty()) {
                take_name();
                in_header_ = false;
            } else {
                filter(*piece);
            }
            in_header_ = in_header_ && kept_.size() < kMaxHeader;
        }
        left_ = kept_;
        co_return ErrorCode();
    }

    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

    Task<Result<std::string_view>> next() override {
        if (!left_.empty()) {
            const auto piece = left_.substr(0, kPiece);
            left_.remove_prefix(piece.size());
            co_return piece;
        }
        if (!rest_.empty()) {
            co_return std::exchange(rest_, {});
        }
        auto reading = content_->next();
        const auto piece = co_await std::move(reading);
        co_return piece;
    }

  private:
    void filter(std::string_view piece) {
        std::size_t at = 0;
        while (at < piece.size() && in_header_) {
            at = at_line_start_ ? begin_line(piece, at) : go_on(piece, at);
        }
        rest_ = piece.substr(at);
    }

    // A field's name, as far as it has come.
    std::size_t begin_line(std::string_view piece, std::size_t at) {
        const char c = piece[at];
        const bool is_first = name_.empty();
        if (is_first && (c == ' ' || c == '\t')) {
            at_line_start_ = false;  // RFC 5322 §2.2.3: goes on with the field above
            return at;
        }
        if (is_first && (c == '\r' || c == '\n')) {
            in_header_ = false;  // the empty line
            return at;
        }
        const bool is_whole = c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (is_whole || name_.size() == kLongestName) {
            take_name();
            return at;
        }
        name_ += c;
        return at + 1;
    }

    void take_name() {
        leaves_out_ = !may_leave(name_, rights_);
        keep(name_);
        name_.clear();
        at_line_start_ = false;
    }

    void keep(std::string_view octets) {
        if (leaves_out_) {
            left_out_ += octets.size();
        } else {
            kept_ += octets;
        }
    }

    std::size_t go_on(std::string_view piece, std::size_t at) {
        const auto end = piece.find('\n', at);
        const auto next = end == std::string_view::npos ? piece.size() : end + 1;
        keep(piece.substr(at, next - at));
        at_line_start_ = end != std::string_view::npos;
        return next;
    }

    std::unique_ptr<BodyReader> content_;
    HeaderRights rights_;
    bool in_header_ = true;
    bool at_line_start_ = true;
    bool leaves_out_ = false;
    std::string name_;       // of a field, as far as it has come
    std::string kept_;       // the header that leaves
    std::string_view left_;  // of that, still to be handed out
    std::string_view rest_;  // of the piece in which the header ends, what is behind it
    std::uint64_t left_out_ = 0;
};

}  // namespace

Task<Result<OutboundContent>> open_outbound(
    std::unique_ptr<BodyReader> content, HeaderRights rights) {
    auto reader = std::make_unique<OutboundReader>(std::move(content), rights);
    const auto error = co_await reader->read_header();
    if (error) {
        co_return error;
    }
    OutboundContent opened;
    opened.left_out = reader->left_out();
    opened.reader = std::move(reader);
    co_return opened;
}

}  // namespace mailflow

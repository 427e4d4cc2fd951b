#include "transport/mail/header_scanner.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/utf8.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace mailflow {

namespace {

// What is kept of a line and of a field whose text nobody wished for: enough for a Message-ID on a
// line of 998 octets, and for any field's name.
constexpr std::size_t kKeptText = 1'200;
constexpr std::size_t kMaxSubject = 256;
constexpr std::size_t kMaxMessageId = 998;

void append_kept(std::string& kept, std::string_view piece, std::size_t limit) {
    kept += piece.substr(0, limit - std::min(limit, kept.size()));
}

bool is_blank_line(std::string_view line) {
    return line == "\r\n" || line == "\n";
}

// The words of a Received field, one after the other: comments and white space, folds included,
// are passed over.
class ReceivedWords {
  public:
    explicit ReceivedWords(std::string_view text) noexcept
        : rest_(text) {}

    // Empty: the end.
    std::string_view next() noexcept {
        constexpr std::string_view kEndsWord = " \t\r\n(;";
        for (; !rest_.empty(); rest_.remove_prefix(1)) {
            rest_ = after_cfws(rest_).value_or("");
            if (!rest_.starts_with(';')) {
                break;
            }
        }
        const auto word = rest_.substr(0, rest_.find_first_of(kEndsWord));
        rest_.remove_prefix(word.size());
        return word;
    }

  private:
    std::string_view rest_;
};

// RFC 5321 §4.4: From-domain = "FROM" FWS Extended-Domain, By-domain = "BY" FWS Extended-Domain.
std::string_view by_domain(std::string_view received) noexcept {
    ReceivedWords words(received);
    for (auto word = words.next(); !word.empty(); word = words.next()) {
        if (ascii::equal_ignoring_case(word, "from")) {
            words.next();  // a client may be called `by`
        } else if (ascii::equal_ignoring_case(word, "by")) {
            return words.next();
        }
    }
    return {};
}

}  // namespace

FieldKind field_kind(std::string_view name) noexcept {
    struct Named {
        std::string_view name;
        FieldKind kind;
    };

    static constexpr std::array kNamed{
        Named{"authentication-results", FieldKind::authentication_results},
        Named{"auto-submitted", FieldKind::auto_submitted},
        Named{"bcc", FieldKind::bcc},
        Named{"resent-bcc", FieldKind::resent_bcc},
        Named{"resent-from", FieldKind::resent_from},
        Named{"resent-sender", FieldKind::resent_sender},
        Named{"cc", FieldKind::cc},
        Named{"content-type", FieldKind::content_type},
        Named{"date", FieldKind::date},
        Named{"disposition-notification-to", FieldKind::disposition_notification_to},
        Named{"from", FieldKind::from},
        Named{"message-id", FieldKind::message_id},
        Named{"received", FieldKind::received},
        Named{"reply-to", FieldKind::reply_to},
        Named{"return-path", FieldKind::return_path},
        Named{"return-receipt-to", FieldKind::return_receipt_to},
        Named{"sender", FieldKind::sender},
        Named{"subject", FieldKind::subject},
        Named{"tls-required", FieldKind::tls_required},
        Named{"to", FieldKind::to}};
    const auto* const found =
        std::find_if(kNamed.begin(), kNamed.end(), [name](const Named& named) {
            return ascii::equal_ignoring_case(name, named.name);
        });
    if (found != kNamed.end()) {
        return found->kind;
    }
    if (ascii::starts_with_ignoring_case(name, "x-mailflow-")) {
        return FieldKind::organization;
    }
    return ascii::starts_with_ignoring_case(name, "resent-") ? FieldKind::resent : FieldKind::other;
}

bool OwnNames::holds(std::string_view name) const noexcept {
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    return !name.empty() &&
           (ascii::equal_ignoring_case(name, node) || ascii::equal_ignoring_case(name, fqdn));
}

bool ScannedHeader::has(FieldKind kind) const noexcept {
    return std::any_of(
        fields.begin(), fields.end(), [kind](const auto& field) { return field.kind == kind; });
}

void HeaderScanner::feed(std::string_view bytes) {
    while (!in_body_ && !bytes.empty()) {
        feed_header(bytes);
    }
    // All that is left to learn from a body is whether it is 7-bit.
    if (!facts_.eight_bit && !bytes.empty()) {
        facts_.eight_bit = !utf8::is_ascii(bytes);
    }
}

// Takes the rest of one line, or what there is of it.
void HeaderScanner::feed_header(std::string_view& bytes) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    keep_line(piece);
    line_size_ += piece.size();
    line_high_ = line_high_ || !utf8::is_ascii(piece);
    bytes.remove_prefix(piece.size());
    if (end != std::string_view::npos) {
        end_line();
    }
}

// A long line is kept whole only when it belongs to a field whose text is wished for.
void HeaderScanner::keep_line(std::string_view piece) {
    const auto first = std::min(piece.size(), kKeptText - std::min(kKeptText, line_.size()));
    line_ += piece.substr(0, first);
    if (first == piece.size()) {
        return;
    }
    if (line_limit_ == 0) {
        line_limit_ =
            is_continuation() ? field_limit_ : limit_of(field_kind(field_name(line_).value_or("")));
    }
    append_kept(line_, piece.substr(first), line_limit_);
}

// Octets kept of a field.
std::size_t HeaderScanner::limit_of(FieldKind kind) const noexcept {
    const bool whole = (wishes_.texts & bit(kind)) != 0 && !header_too_large_;
    return whole ? std::max<std::size_t>(limits_.max_field_size, kKeptText) : kKeptText;
}

bool HeaderScanner::is_continuation() const noexcept {
    return line_.starts_with(' ') || line_.starts_with('\t');
}

void HeaderScanner::end_line() {
    facts_.eight_bit = facts_.eight_bit || line_high_;
    if (is_blank_line(line_)) {
        end_header(offset_ + line_size_);
        return;
    }
    const bool continues = is_continuation();
    const auto name = continues ? std::nullopt : field_name(line_);
    if (continues ? field_.empty() : !name) {
        // What follows was meant as body: Postfix and others read it so, and a header must not mean
        // two things.
        header_.starts_with_blank = continues;
        lacks_empty_line_ = true;
        end_header(offset_);
        return;
    }
    if (!continues) {
        end_field();
        begin_field(field_kind(*name));
    }
    append_kept(field_, line_, field_limit_);
    field_size_ += line_size_;
    offset_ += line_size_;
    facts_.smtputf8_header = facts_.smtputf8_header || line_high_;
    header_too_large_ = header_too_large_ || field_size_ > limits_.max_field_size ||
                        offset_ > limits_.max_header_size;
    too_many_fields_ = too_many_fields_ || fields_ > limits_.max_fields;
    line_.clear();
    line_size_ = 0;
    line_limit_ = 0;
    line_high_ = false;
}

void HeaderScanner::begin_field(FieldKind kind) {
    kind_ = kind;
    field_limit_ = limit_of(kind);
    ++fields_;
}

void HeaderScanner::end_field() {
    if (field_size_ == 0) {
        return;
    }
    switch (kind_) {
        case FieldKind::received: learn_received(); break;
        case FieldKind::date: facts_.has_date = true; break;
        case FieldKind::from: facts_.has_from = true; break;
        case FieldKind::message_id: learn_message_id(); break;
        case FieldKind::subject: learn_subject(); break;
        case FieldKind::tls_required: learn_tls_required(); break;
        default: break;
    }
    note_field();
    field_.clear();
    field_size_ = 0;
}

// Once a limit is passed the message is refused: no more is collected of it.
void HeaderScanner::note_field() {
    if ((wishes_.places & bit(kind_)) == 0 || header_too_large_ || too_many_fields_) {
        return;
    }
    const bool with_text = (wishes_.texts & bit(kind_)) != 0;
    header_.fields.push_back(
        {kind_,
         offset_ - field_size_,
         field_size_,
         with_text ? std::exchange(field_, {}) : std::string()});
}

void HeaderScanner::end_header(std::uint64_t size) {
    end_field();
    facts_.header_size = size;
    header_.smtputf8 = facts_.smtputf8_header;
    in_body_ = true;
    line_ = std::string();
    field_ = std::string();
}

void HeaderScanner::learn_received() {
    ++facts_.received_count;
    const auto stamp = std::string_view(field_).substr(field_.find(':') + 1);
    if (wishes_.names.holds(by_domain(stamp))) {
        ++facts_.local_received_count;
    }
}

// RFC 8689 §5: `No` is the only value there is; anything else asks for nothing.
void HeaderScanner::learn_tls_required() {
    const auto value = unfold(std::string_view(field_).substr(field_.find(':') + 1));
    facts_.tls_not_required =
        facts_.tls_not_required || ascii::equal_ignoring_case(ascii::trimmed(value), "no");
}

// The first one counts. It goes into replies and logs, so it holds no blank and no control, and `?`
// for an octet over 127.
void HeaderScanner::learn_message_id() {
    if (!facts_.message_id.empty()) {
        return;
    }
    const auto text = unfold(std::string_view(field_).substr(field_.find(':') + 1));
    std::string_view id = ascii::trimmed(text);
    const auto opening = id.find('<');
    if (opening != std::string_view::npos) {
        id.remove_prefix(opening + 1);
    }
    id = id.substr(0, id.find('>'));
    std::string clean;
    std::copy_if(id.begin(), id.end(), std::back_inserter(clean), [](char c) {
        return c != ' ' && !ascii::is_control(c);
    });
    std::replace_if(
        clean.begin(),
        clean.end(),
        [](char c) { return static_cast<unsigned char>(c) > 0x7f; },
        '?');
    if (!clean.empty()) {
        facts_.message_id = '<' + clean.substr(0, kMaxMessageId) + '>';
    }
}

void HeaderScanner::learn_subject() {
    if (facts_.subject.empty()) {
        const auto text = unfold(std::string_view(field_).substr(field_.find(':') + 1));
        facts_.subject = utf8::cut(ascii::trimmed(text), kMaxSubject);
    }
}

ContentFacts HeaderScanner::finish() {
    if (!in_body_) {
        if (line_size_ > 0) {
            end_line();  // a last line without its end
        }
        if (!in_body_) {
            lacks_empty_line_ = true;
            end_header(offset_);
        }
    }
    return std::move(facts_);
}

}  // namespace mailflow

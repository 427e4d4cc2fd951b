#include "transport/mail/header_scanner.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/utf8.hpp"

#include <algorithm>
#include <iterator>

namespace mailflow {

namespace {

// What is kept of a line and of a field: enough for a Message-ID on a line of 998 octets.
constexpr std::size_t kKeptText = 1'200;
constexpr std::size_t kMaxSubject = 256;
constexpr std::size_t kMaxMessageId = 998;

void append_kept(std::string& kept, std::string_view piece) {
    kept += piece.substr(0, kKeptText - std::min(kKeptText, kept.size()));
}

}  // namespace

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
    append_kept(line_, piece);
    line_size_ += piece.size();
    line_high_ = line_high_ || !utf8::is_ascii(piece);
    bytes.remove_prefix(piece.size());
    if (end != std::string_view::npos) {
        end_line();
    }
}

void HeaderScanner::end_line() {
    constexpr std::size_t kLongestEmptyLine = 2;
    facts_.eight_bit = facts_.eight_bit || line_high_;
    if (line_size_ <= kLongestEmptyLine && (line_ == "\r\n" || line_ == "\n")) {
        end_header(offset_ + line_size_);
        return;
    }
    const bool continues = line_.front() == ' ' || line_.front() == '\t';
    if (continues ? field_.empty() : !field_name(line_)) {
        // What follows was meant as body: Postfix and others read it so, and a header must not mean
        // two things.
        starts_with_blank_ = continues;
        lacks_empty_line_ = true;
        end_header(offset_);
        return;
    }
    if (!continues) {
        end_field();
        ++fields_;
    }
    append_kept(field_, line_);
    field_size_ += line_size_;
    offset_ += line_size_;
    facts_.smtputf8_header = facts_.smtputf8_header || line_high_;
    header_too_large_ = header_too_large_ || field_size_ > limits_.max_field_size ||
                        offset_ > limits_.max_header_size;
    too_many_fields_ = too_many_fields_ || fields_ > limits_.max_fields;
    line_.clear();
    line_size_ = 0;
    line_high_ = false;
}

void HeaderScanner::end_field() {
    const auto name = field_name(field_).value_or(std::string_view());
    if (ascii::equal_ignoring_case(name, "received")) {
        ++facts_.received_count;
    } else if (ascii::equal_ignoring_case(name, "date")) {
        facts_.has_date = true;
    } else if (ascii::equal_ignoring_case(name, "from")) {
        facts_.has_from = true;
    } else if (ascii::equal_ignoring_case(name, "message-id")) {
        learn_message_id();
    } else if (ascii::equal_ignoring_case(name, "subject")) {
        learn_subject();
    }
    field_.clear();
    field_size_ = 0;
}

void HeaderScanner::end_header(std::uint64_t size) {
    end_field();
    facts_.header_size = size;
    in_body_ = true;
    line_ = std::string();
    field_ = std::string();
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

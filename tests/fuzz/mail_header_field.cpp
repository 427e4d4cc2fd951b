// Fuzz target: header fields, the scanner, dates and reports. The scanner and the block agree where
// a header ends, in whatever pieces it comes; folding loses nothing.
#include "transport/mail/date_time.hpp"
#include "transport/mail/dsn_report.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/header_scanner.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

mailflow::ContentFacts scan(std::string_view text, std::size_t piece) {
    mailflow::HeaderScanner scanner;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        scanner.feed(text.substr(at, piece));
    }
    return scanner.finish();
}

void check_scanner(std::string_view text) {
    const auto whole = scan(text, std::max<std::size_t>(1, text.size()));
    const auto pieces = scan(text, 1);
    require(whole.header_size == pieces.header_size && whole.eight_bit == pieces.eight_bit);
    require(whole.received_count == pieces.received_count && whole.subject == pieces.subject);
    require(whole.message_id == pieces.message_id && whole.subject.size() <= 256);
    const auto fields = mailflow::HeaderBlock(text).size();
    require(whole.header_size >= fields && whole.header_size <= fields + 2);
}

void check_fields(std::string_view text) {
    std::size_t at = 0;
    for (const auto& field : mailflow::HeaderBlock(text)) {
        require(field.raw.data() == text.data() + at);
        at += field.raw.size();
        require(mailflow::HeaderField::parse(field.raw).has_value());
        const auto value = field.value();
        require(value.find('\n') == std::string::npos);
        const auto folded = mailflow::fold("X", value);
        require(mailflow::HeaderField::parse(folded).value().value() == value);
    }
}

void check_date(std::string_view text) {
    if (const auto time = mailflow::parse_rfc5322(text)) {
        require(mailflow::parse_rfc5322(mailflow::to_rfc5322(*time)).value() == *time);
    }
    if (const auto time = mailflow::parse_iso8601(text)) {
        require(mailflow::parse_iso8601(mailflow::to_iso8601(*time)).value() == *time);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_scanner(text);
    check_fields(text);
    check_date(text);
    (void)mailflow::parse_delivery_status(text);
    return 0;
}

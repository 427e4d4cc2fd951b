// Reads a message while it streams in and collects what the flow must know of it (ContentFacts),
// and the fields somebody asked for (HeaderWishes) with their places. Sees every octet of header
// and body once, in one pass without recursion; keeps the line and the field at hand, both cut to a
// named limit, and the text of wished-for fields, all of them within max_header_size. Belongs to
// one transaction.
//
// Attack case 20: the body's MIME structure is not read on receive, only whether an octet is over
// 127, so that depth, boundaries and part counts of a message cost nothing here.
// Attack case 21: the header ends at the empty line, or before the first line that is no field
// (a message that begins with a blank has no header); Postfix and others read it so. Both are told
// to the caller; the header policy keeps the fields we add apart from a leading blank.
#pragma once

#include "transport/mail/content.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailflow {

// What a header may be before it is refused with 552 5.3.4.
struct HeaderLimits {
    std::uint64_t max_header_size = 256ULL * 1024;  // octets of all fields
    std::uint64_t max_field_size = 102'400;  // octets of one field with its continuation lines
    std::uint32_t max_fields = 10'240;
};

// The fields that policies look at; all others are `other`.
enum class FieldKind : std::uint8_t {
    other,
    authentication_results,
    auto_submitted,
    bcc,
    cc,
    content_type,
    date,
    disposition_notification_to,
    from,
    message_id,
    organization,  // X-Mailflow-…: what we tell ourselves
    received,
    reply_to,
    resent,  // Resent-…, but those that follow
    resent_bcc,
    resent_from,
    resent_sender,
    return_path,
    return_receipt_to,
    sender,
    subject,
    tls_required,
    to,
};

// One bit for each kind.
using FieldKinds = std::uint32_t;

[[nodiscard]] constexpr FieldKinds bit(FieldKind kind) noexcept {
    return FieldKinds{1} << static_cast<unsigned>(kind);
}

[[nodiscard]] FieldKind field_kind(std::string_view name) noexcept;

// The names this node goes by: in Received and in Authentication-Results. Either may be empty.
struct OwnNames {
    std::string_view node;  // FQDN of the node
    std::string_view fqdn;  // of the connector, when it has its own

    [[nodiscard]] bool holds(std::string_view name) const noexcept;
};

// The views outlive the scanner.
struct HeaderWishes {
    FieldKinds places = 0;  // kinds whose places are noted
    FieldKinds texts = 0;   // of those, the ones whose whole text is kept
    OwnNames names;
};

struct ScannedField {
    FieldKind kind = FieldKind::other;
    std::uint64_t offset = 0;  // in the stored body
    std::uint64_t length = 0;  // with continuation lines and the last line end
    std::string text;          // those octets; empty when not wished for
};

// In the order of the message. Only as good as the header: not to be used when it is refused for
// its size.
struct ScannedHeader {
    std::vector<ScannedField> fields;
    // There is none: the first line is a continuation line, which would continue whatever is put
    // in front of it.
    bool starts_with_blank = false;
    // An octet over 127 stands in it (RFC 6532).
    bool smtputf8 = false;

    [[nodiscard]] bool has(FieldKind kind) const noexcept;
};

class HeaderScanner {
  public:
    explicit HeaderScanner(HeaderLimits limits = {}, HeaderWishes wishes = {}) noexcept
        : limits_(limits)
        , wishes_(wishes) {}

    // Octets as stored: dot-unstuffed, lines ended by CRLF (a lone LF counts as an end too). Any
    // pieces.
    void feed(std::string_view bytes);
    // Call once, after the last octet.
    [[nodiscard]] ContentFacts finish();

    // After `finish`, once.
    [[nodiscard]] ScannedHeader take_header() noexcept { return std::move(header_); }

    // True from the end of the line that passed the limit.
    [[nodiscard]] bool header_too_large() const noexcept { return header_too_large_; }

    [[nodiscard]] bool too_many_fields() const noexcept { return too_many_fields_; }

    // The first line was a continuation line: there is no header.
    [[nodiscard]] bool starts_with_blank() const noexcept { return header_.starts_with_blank; }

    // The body began without an empty line before it, at the first line that is no field.
    [[nodiscard]] bool lacks_empty_line() const noexcept { return lacks_empty_line_; }

    // The empty line, or a line that is no field, has been seen.
    [[nodiscard]] bool in_body() const noexcept { return in_body_; }

  private:
    void feed_header(std::string_view& bytes);
    void end_line();
    void end_field();
    void end_header(std::uint64_t size);
    void keep_line(std::string_view piece);
    [[nodiscard]] std::size_t limit_of(FieldKind kind) const noexcept;
    [[nodiscard]] bool is_continuation() const noexcept;
    void begin_field(FieldKind kind);
    void note_field();
    void learn_received();
    void learn_message_id();
    void learn_subject();
    void learn_tls_required();

    HeaderLimits limits_;
    HeaderWishes wishes_;
    ScannedHeader header_;
    ContentFacts facts_;
    std::string line_;   // the line at hand, cut
    std::string field_;  // the field at hand, folded, cut
    std::uint64_t line_size_ = 0;
    std::uint64_t field_size_ = 0;
    std::uint64_t offset_ = 0;  // octets of complete header lines
    std::uint32_t fields_ = 0;
    std::size_t line_limit_ = 0;   // octets kept of the line at hand; 0: not yet decided
    std::size_t field_limit_ = 0;  // octets kept of the field at hand
    FieldKind kind_ = FieldKind::other;
    bool line_high_ = false;  // an octet over 127 in the line at hand
    bool in_body_ = false;
    bool header_too_large_ = false;
    bool too_many_fields_ = false;
    bool lacks_empty_line_ = false;
};

}  // namespace mailflow

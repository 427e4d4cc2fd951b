// The octets behind BDAT (RFC 3030): counts each chunk to its end and holds the message to the
// rules of its body type across chunks. Text obeys the line rules that DATA obeys, without dots; of
// a binary body only the header does. One per transaction, fed by the receive session; pure.
#pragma once

#include "transport/mail/envelope.hpp"
#include "transport/smtp/line_rules.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow::smtp {

class ChunkDecoder {
  public:
    // `rule` is for text; the header of a binary body is never normalized.
    ChunkDecoder(BodyType body, BareNewlines rule) noexcept
        : binary_(body == BodyType::binary_mime)
        , rules_(binary_ ? BareNewlines::reject : rule) {}

    // A chunk comes; the one before is complete and was not the last.
    void begin(std::uint64_t size, bool last) noexcept;

    // Takes octets up to the end of the chunk, appends what is kept of them to `out` and says how
    // many it took.
    std::size_t feed(std::string_view bytes, std::string& out);

    // After the last chunk, once: appends the CRLF that a last line of text lacks.
    void finish(std::string& out);

    // Before the first chunk too.
    [[nodiscard]] bool is_chunk_complete() const noexcept { return left_ == 0; }

    // The last chunk is complete: call finish().
    [[nodiscard]] bool is_complete() const noexcept { return last_ && left_ == 0; }

    // Octets of this chunk still to come.
    [[nodiscard]] std::uint64_t left() const noexcept { return left_; }

    // As DataDecoder's, false with BareNewlines::normalize. A CR that ends the message is one too:
    // ask after finish().
    [[nodiscard]] bool has_bare_newline() const noexcept { return rules_.has_bare_newline(); }

    [[nodiscard]] bool has_long_line() const noexcept { return rules_.has_long_line(); }

    // Decoded octets so far, of all chunks.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  private:
    [[nodiscard]] std::size_t take_header(std::string_view bytes) noexcept;

    bool binary_;
    bool last_ = false;
    bool in_header_ = true;   // of a binary body
    bool empty_line_ = true;  // its current line holds nothing so far
    std::uint64_t left_ = 0;
    std::uint64_t size_ = 0;
    LineRules rules_;
};

}  // namespace mailflow::smtp

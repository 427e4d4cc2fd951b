// One field of an RFC 5322 header, and a header block as a sequence of them. Views into the
// caller's text, which must outlive them; nothing is copied. Pure; used by trace fields, DSNs and
// everything that reads a stored header.
#pragma once

#include "transport/base/result.hpp"

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

struct HeaderField {
    std::string_view name;    // without the colon
    std::string_view raw;     // all lines of the field with their line ends
    std::string_view folded;  // what stands behind the colon, without the last line end

    // Unfolded (RFC 5322 §2.2.3), without blanks at both ends.
    [[nodiscard]] std::string value() const;
    [[nodiscard]] bool is(std::string_view field_name) const noexcept;

    // `raw` is one field: its first line and continuation lines, the last line end optional.
    [[nodiscard]] static Result<HeaderField> parse(std::string_view raw);
};

// The name when `line` begins a field (RFC 5322 §2.2: printable US-ASCII but the colon; §4.5:
// blanks before it).
[[nodiscard]] std::optional<std::string_view> field_name(std::string_view line) noexcept;

// `folded` with each line end before a blank taken out; stray line ends become blanks.
[[nodiscard]] std::string unfold(std::string_view folded);

// `text` from its first octet on that is neither white space nor in a comment (RFC 5322 §3.2.2
// CFWS; comments nest). Nothing: a comment without its end.
[[nodiscard]] std::optional<std::string_view> after_cfws(std::string_view text) noexcept;

// A complete field with its CRLF, broken at blanks so that lines keep to 78 characters where blanks
// allow it. CR and LF in the value become blanks, so no value can start a field of its own.
[[nodiscard]] std::string fold(std::string_view name, std::string_view value);

// The fields at the front of `text`, in order. Ends at the empty line, at the end of the text, or
// at the first line that is no field. Line ends are CRLF; a lone LF is taken as one.
class HeaderBlock {
  public:
    explicit HeaderBlock(std::string_view text) noexcept
        : text_(text) {}

    class Iterator {
      public:
        explicit Iterator(std::string_view rest)
            : rest_(rest) {
            advance();
        }

        [[nodiscard]] const HeaderField& operator*() const noexcept { return field_; }

        [[nodiscard]] const HeaderField* operator->() const noexcept { return &field_; }

        Iterator& operator++() {
            advance();
            return *this;
        }

        friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
            return at.field_.raw.empty();
        }

      private:
        void advance();

        std::string_view rest_;
        HeaderField field_;  // raw is empty at the end
    };

    [[nodiscard]] Iterator begin() const { return Iterator(text_); }

    [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }

    // Octets of all fields, without the empty line.
    [[nodiscard]] std::size_t size() const noexcept;
    // The first field of that name, in any case of letters.
    [[nodiscard]] std::optional<HeaderField> find(std::string_view name) const;

  private:
    std::string_view text_;
};

}  // namespace mailflow

// The words of a filter expression. Pure; used by its parser only.
#pragma once

#include "transport/addressing/filter_expression.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow {

struct FilterToken {
    enum class Kind : std::uint8_t {
        end,
        opening,
        closing,
        operation,  // `-eq`, `=`; text: the same in lower case
        word,       // a name, a number, or a bare operand; text: as written
        quoted,     // text: what stands between the quotes, doubled ones made one
        constant,   // $true, $false, $null; text: without the dollar, in lower case
        broken,     // text: what is wrong
    };

    Kind kind = Kind::end;
    std::string text;
    std::size_t offset = 0;  // of its first octet
};

class FilterLexer {
  public:
    FilterLexer(std::string_view text, FilterSyntax syntax) noexcept
        : text_(text)
        , syntax_(syntax) {}

    // After `end` or `broken` nothing follows.
    [[nodiscard]] FilterToken next();

    // For people: the character at an octet, from 1.
    [[nodiscard]] std::size_t position(std::size_t offset) const noexcept;

  private:
    [[nodiscard]] FilterToken take(FilterToken::Kind kind, std::size_t length);
    [[nodiscard]] FilterToken quoted(char quote);
    [[nodiscard]] FilterToken dashed();
    [[nodiscard]] FilterToken constant();
    [[nodiscard]] FilterToken broken(std::string why) const;
    // Octets of the bare word at hand.
    [[nodiscard]] std::size_t word_length() const noexcept;

    std::string_view text_;
    FilterSyntax syntax_;
    std::size_t at_ = 0;
};

}  // namespace mailflow

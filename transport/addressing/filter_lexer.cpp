#include "transport/addressing/filter_lexer.hpp"

#include "transport/base/ascii.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mailflow {

namespace {

constexpr std::array<std::string_view, 9> kDashed{
    "-eq", "-ne", "-lt", "-gt", "-like", "-notlike", "-and", "-or", "-not"};
constexpr std::string_view kBlanks = " \t\r\n";

bool is_digits(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), ascii::is_digit);
}

}  // namespace

FilterToken FilterLexer::next() {
    at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size());
    if (at_ == text_.size()) {
        return take(FilterToken::Kind::end, 0);
    }
    const char c = text_[at_];
    const bool is_list = syntax_ == FilterSyntax::list;
    switch (c) {
        case '(': return take(FilterToken::Kind::opening, 1);
        case ')': return take(FilterToken::Kind::closing, 1);
        case '\'': return quoted(c);
        case '$': return constant();
        case '-': return dashed();
        default: break;
    }
    if (c == '"') {
        return is_list ? quoted(c) : broken("text stands in single quotes");
    }
    if (is_list && (c == '=' || c == '~' || c == '<' || c == '>')) {
        return take(FilterToken::Kind::operation, 1);
    }
    if (is_list && text_.substr(at_).starts_with("!=")) {
        return take(FilterToken::Kind::operation, 2);
    }
    const auto length = word_length();
    if (length == 0) {
        return broken(fmt::format("unexpected '{}'", ascii::escaped(text_.substr(at_, 1))));
    }
    return take(FilterToken::Kind::word, length);
}

std::size_t FilterLexer::position(std::size_t offset) const noexcept {
    const auto before = text_.substr(0, offset);
    return 1 + static_cast<std::size_t>(std::count_if(before.begin(), before.end(), [](char c) {
               return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
           }));
}

FilterToken FilterLexer::take(FilterToken::Kind kind, std::size_t length) {
    FilterToken token{kind, std::string(text_.substr(at_, length)), at_};
    at_ += length;
    return token;
}

// text = "'" *( any but "'" / "''" ) "'"
FilterToken FilterLexer::quoted(char quote) {
    FilterToken token{FilterToken::Kind::quoted, {}, at_};
    for (auto i = at_ + 1; i < text_.size(); ++i) {
        if (text_[i] == quote) {
            if (i + 1 == text_.size() || text_[i + 1] != quote) {
                at_ = i + 1;
                return token;
            }
            ++i;
        }
        token.text += text_[i];
    }
    return broken("the quote is not closed");
}

// An operator, or a negative number; in lists any word.
FilterToken FilterLexer::dashed() {
    const auto length = word_length();
    const auto word = text_.substr(at_, length);
    const bool is_operator =
        std::any_of(kDashed.begin(), kDashed.end(), [word](std::string_view name) {
            return ascii::equal_ignoring_case(word, name);
        });
    if (is_operator) {
        auto token = take(FilterToken::Kind::operation, length);
        token.text = ascii::to_lower(token.text);
        return token;
    }
    if (syntax_ == FilterSyntax::list || is_digits(word.substr(1))) {
        return take(FilterToken::Kind::word, length);
    }
    return broken(fmt::format(
        "unknown operator {}; operators are -eq -ne -lt -gt -like -notlike -and -or -not",
        ascii::escaped(word)));
}

FilterToken FilterLexer::constant() {
    auto end = at_ + 1;
    while (end < text_.size() && ascii::is_alpha(text_[end])) {
        ++end;
    }
    const auto name = ascii::to_lower(text_.substr(at_ + 1, end - at_ - 1));
    if (name != "true" && name != "false" && name != "null") {
        return broken("what begins with $ is $true, $false or $null");
    }
    auto token = take(FilterToken::Kind::constant, end - at_);
    token.text = name;
    return token;
}

FilterToken FilterLexer::broken(std::string why) const {
    return {FilterToken::Kind::broken, std::move(why), at_};
}

std::size_t FilterLexer::word_length() const noexcept {
    const auto rest = text_.substr(at_);
    if (syntax_ == FilterSyntax::list) {
        return std::min(rest.find_first_of(" \t\r\n()'\"=~<>!"), rest.size());
    }
    const auto* const end =
        std::find_if_not(rest.begin() + (rest.starts_with('-') ? 1 : 0), rest.end(), [](char c) {
            return ascii::is_alpha(c) || ascii::is_digit(c) || c == '_';
        });
    return static_cast<std::size_t>(end - rest.begin());
}

}  // namespace mailflow

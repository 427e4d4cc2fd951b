#include "transport/addressing/filter_expression.hpp"

#include "transport/addressing/filter_lexer.hpp"
#include "transport/addressing/recipient_property.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace mailflow {

namespace {

enum class Operator : std::uint8_t { equal, less, greater, like, contains };

std::optional<std::int64_t> number_of(std::string_view text) noexcept {
    std::int64_t number = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
}

bool contains(std::string_view text, std::string_view part) {
    const auto equal = [](char a, char b) {
        return ascii::to_lower(a) == ascii::to_lower(b);
    };
    return std::search(text.begin(), text.end(), part.begin(), part.end(), equal) != text.end() ||
           part.empty();
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() &&
           ascii::equal_ignoring_case(text.substr(text.size() - end.size()), end);
}

}  // namespace

struct FilterNode {
    enum class Kind : std::uint8_t { all, any, none, comparison };

    Kind kind = Kind::comparison;
    std::vector<FilterNode> parts;

    // A comparison.
    std::optional<RecipientProperty> property;
    Operator op = Operator::equal;
    bool negated = false;  // -ne, -notlike, !=
    // One of these; neither and no text: $null.
    std::optional<RecipientProperty> other;
    std::optional<std::int64_t> number;
    std::string text;
    // Of -like: `*` in front, behind; `text` is without them.
    bool any_front = false;
    bool any_back = false;
};

namespace {

bool is_like(const FilterNode& node, std::string_view value) {
    if (node.any_front && node.any_back) {
        return contains(value, node.text);
    }
    if (node.any_front) {
        return ends_with(value, node.text);
    }
    return node.any_back ? ascii::starts_with_ignoring_case(value, node.text)
                         : ascii::equal_ignoring_case(value, node.text);
}

bool compare_text(Operator op, std::string_view value, std::string_view operand) {
    switch (op) {
        case Operator::less: return ascii::less_ignoring_case(value, operand);
        case Operator::greater: return ascii::less_ignoring_case(operand, value);
        case Operator::contains: return contains(value, operand);
        case Operator::equal:
        case Operator::like: break;
    }
    return ascii::equal_ignoring_case(value, operand);
}

bool compare(const FilterNode& node, std::string_view value) {
    if (node.op == Operator::like) {
        return is_like(node, value);
    }
    const auto number = node.number ? number_of(value) : std::nullopt;
    if (!number) {
        return compare_text(node.op, value, node.text);
    }
    switch (node.op) {
        case Operator::less: return *number < *node.number;
        case Operator::greater: return *number > *node.number;
        case Operator::contains: return contains(value, node.text);
        case Operator::equal:
        case Operator::like: break;
    }
    return *number == *node.number;
}

bool has_value(const RecipientProperty& property, const MailRecipient& recipient) {
    return property.any_value(recipient, [](std::string_view) { return true; });
}

bool fulfils(const FilterNode& node, const MailRecipient& recipient) {
    const auto& property = *node.property;
    if (node.other) {
        return property.any_value(recipient, [&node, &recipient](std::string_view value) {
            return node.other->any_value(recipient, [&node, value](std::string_view operand) {
                return compare_text(node.op, value, operand);
            });
        });
    }
    if (node.op == Operator::equal && node.text.empty()) {
        return !has_value(property, recipient);
    }
    return property.any_value(
        recipient, [&node](std::string_view value) { return compare(node, value); });
}

struct NamedOperator {
    std::string_view name;
    Operator op;
    bool negated;
};

constexpr std::array kOperators{
    NamedOperator{"-eq", Operator::equal, false},
    NamedOperator{"-ne", Operator::equal, true},
    NamedOperator{"-lt", Operator::less, false},
    NamedOperator{"-gt", Operator::greater, false},
    NamedOperator{"-like", Operator::like, false},
    NamedOperator{"-notlike", Operator::like, true},
    NamedOperator{"=", Operator::equal, false},
    NamedOperator{"!=", Operator::equal, true},
    NamedOperator{"<", Operator::less, false},
    NamedOperator{">", Operator::greater, false},
    NamedOperator{"~", Operator::contains, false}};

class FilterParser {
  public:
    FilterParser(std::string_view text, FilterSyntax syntax)
        : lexer_(text, syntax)
        , is_list_(syntax == FilterSyntax::list) {
        advance();
    }

    std::optional<FilterNode> parse() {
        auto node = read_condition(0);
        if (node && token_.kind != Kind::end) {
            return fail("-and, -or or the end is expected");
        }
        return node;
    }

    [[nodiscard]] Error error() const noexcept { return error_; }

    [[nodiscard]] std::string take_why() noexcept { return std::move(why_); }

  private:
    using Kind = FilterToken::Kind;

    std::optional<FilterNode> read_condition(std::size_t depth) {
        auto first = read_conjunction(depth);
        return read_more(std::move(first), FilterNode::Kind::any, "-or", depth);
    }

    std::optional<FilterNode> read_conjunction(std::size_t depth) {
        auto first = read_term(depth);
        return read_more(std::move(first), FilterNode::Kind::all, "-and", depth);
    }

    std::optional<FilterNode> read_more(
        std::optional<FilterNode> first,
        FilterNode::Kind kind,
        std::string_view word,
        std::size_t depth) {
        if (!first || !is_word(word)) {
            return first;
        }
        FilterNode all;
        all.kind = kind;
        all.parts.push_back(std::move(*first));
        while (is_word(word)) {
            advance();
            auto next = kind == FilterNode::Kind::any ? read_conjunction(depth) : read_term(depth);
            if (!next) {
                return std::nullopt;
            }
            all.parts.push_back(std::move(*next));
        }
        return all;
    }

    std::optional<FilterNode> read_term(std::size_t depth) {
        if (depth > kMaxFilterDepth) {
            error_ = Error::too_large;
            return fail(fmt::format("conditions nest deeper than {}", kMaxFilterDepth));
        }
        if (is_word("-not")) {
            advance();
            auto node = read_term(depth + 1);
            if (!node) {
                return std::nullopt;
            }
            FilterNode negation;
            negation.kind = FilterNode::Kind::none;
            negation.parts.push_back(std::move(*node));
            return negation;
        }
        if (token_.kind != Kind::opening) {
            return read_comparison();
        }
        advance();
        auto node = read_condition(depth + 1);
        if (node && token_.kind != Kind::closing) {
            return fail("')' is expected");
        }
        advance();
        return node;
    }

    std::optional<FilterNode> read_comparison() {
        FilterNode node;
        if (token_.kind != Kind::word) {
            return fail("a property is expected");
        }
        node.property = RecipientProperty::find(token_.text);
        if (!node.property) {
            return fail(fmt::format(
                "unknown property {}; properties are {}",
                ascii::escaped(token_.text),
                RecipientProperty::names()));
        }
        advance();
        const auto* const op =
            std::find_if(kOperators.begin(), kOperators.end(), [this](const auto& named) {
                return token_.kind == Kind::operation && token_.text == named.name;
            });
        if (op == kOperators.end()) {
            return fail(
                is_list_ ? "= != ~ < or > is expected"
                         : "-eq, -ne, -lt, -gt, -like or -notlike is expected");
        }
        node.op = op->op;
        node.negated = op->negated;
        advance();
        if (!read_operand(node)) {
            return std::nullopt;
        }
        advance();
        return node;
    }

    bool read_operand(FilterNode& node) {
        switch (token_.kind) {
            case Kind::quoted: break;
            case Kind::constant: {
                const bool is_null = token_.text == "null";
                if (is_null && node.op != Operator::equal) {
                    return refuse("$null goes with -eq and -ne only");
                }
                token_.text = is_null ? "" : token_.text;
                break;
            }
            case Kind::word:
                node.number = number_of(token_.text);
                if (!node.number && !is_list_) {
                    return refuse("text stands in single quotes");
                }
                if (is_list_) {
                    node.other = RecipientProperty::find(token_.text);
                }
                break;
            default:
                return refuse(
                    is_list_
                        ? "a word, or text in quotes, is expected"
                        : "text in single quotes, a number, $true, $false or $null is expected");
        }
        node.text = node.property->comparable(token_.text);
        if (node.op != Operator::like) {
            return true;
        }
        node.other.reset();
        return read_pattern(node);
    }

    // Reference 4.7: `*` as first or last character only.
    bool read_pattern(FilterNode& node) {
        std::string_view pattern = node.text;
        node.any_front = pattern.starts_with('*');
        pattern.remove_prefix(node.any_front ? 1 : 0);
        node.any_back = pattern.ends_with('*') || (node.any_front && pattern.empty());
        pattern.remove_suffix(pattern.ends_with('*') ? 1 : 0);
        if (pattern.find('*') != std::string_view::npos) {
            return refuse("* is the first or the last character of a pattern only");
        }
        node.text = std::string(pattern);
        return true;
    }

    // `-and`; in lists `and` too.
    [[nodiscard]] bool is_word(std::string_view dashed) const {
        const bool is_bare = is_list_ && token_.kind == Kind::word &&
                             ascii::equal_ignoring_case(token_.text, dashed.substr(1));
        return is_bare || (token_.kind == Kind::operation && token_.text == dashed);
    }

    void advance() { token_ = lexer_.next(); }

    // The first failure is the one that is told.
    std::nullopt_t fail(std::string why) {
        if (why_.empty()) {
            const bool is_broken = token_.kind == Kind::broken && error_ == Error::syntax;
            why_ = fmt::format(
                "{} at character {}",
                is_broken ? token_.text : std::move(why),
                lexer_.position(token_.offset));
        }
        return std::nullopt;
    }

    bool refuse(std::string why) {
        fail(std::move(why));
        return false;
    }

    FilterLexer lexer_;
    bool is_list_;
    FilterToken token_;
    Error error_ = Error::syntax;
    std::string why_;
};

}  // namespace

Result<FilterTree> parse_filter(std::string_view text, FilterSyntax syntax, std::string* why) {
    std::string unheard;
    auto& reason = why == nullptr ? unheard : *why;
    if (text.size() > kMaxFilter) {
        reason = fmt::format("a filter has at most {} octets", kMaxFilter);
        return Error::too_large;
    }
    if (!utf8::is_valid(text)) {
        reason = "the filter is not UTF-8";
        return Error::syntax;
    }
    FilterParser parser(text, syntax);
    auto root = parser.parse();
    if (!root) {
        reason = parser.take_why();
        return parser.error();
    }
    return FilterTree(std::make_shared<const FilterNode>(std::move(*root)));
}

bool matches(const FilterNode& node, const MailRecipient& recipient) {
    const auto part_matches = [&recipient](const FilterNode& part) {
        return matches(part, recipient);
    };
    switch (node.kind) {
        case FilterNode::Kind::all:
            return std::all_of(node.parts.begin(), node.parts.end(), part_matches);
        case FilterNode::Kind::any:
            return std::any_of(node.parts.begin(), node.parts.end(), part_matches);
        case FilterNode::Kind::none:
            return std::none_of(node.parts.begin(), node.parts.end(), part_matches);
        case FilterNode::Kind::comparison: break;
    }
    return fulfils(node, recipient) != node.negated;
}

}  // namespace mailflow

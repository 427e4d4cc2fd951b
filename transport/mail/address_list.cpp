#include "transport/mail/address_list.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/header_field.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace mailflow {

namespace {

enum class TokenKind : std::uint8_t {
    word,     // dot-atom or a piece of one, quoted string
    literal,  // [192.0.2.1]
    special,  // one of <>,;:@
    broken,   // a control, or a quoted string, comment or literal without its end
    end,
};

struct Token {
    TokenKind kind = TokenKind::end;
    std::size_t begin = 0;
    std::size_t end = 0;
};

// RFC 5322 §3.2.3 atext and the dots between; RFC 6532 §3.2: UTF8-non-ascii too.
bool is_atom_text(char c) noexcept {
    constexpr std::string_view kSpecials = "!#$%&'*+-/=?^_`{|}~.";
    return ascii::is_alpha(c) || ascii::is_digit(c) || static_cast<unsigned char>(c) > 0x7f ||
           kSpecials.find(c) != std::string_view::npos;
}

class Tokens {
  public:
    explicit Tokens(std::string_view text) noexcept
        : text_(text) {}

    Token next() noexcept {
        const auto rest = after_cfws(text_.substr(at_));
        if (!rest) {
            return take(TokenKind::broken, text_.size());
        }
        at_ = text_.size() - rest->size();
        if (rest->empty()) {
            return {TokenKind::end, at_, at_};
        }
        constexpr std::string_view kSpecials = "<>,;:@";
        const char c = rest->front();
        if (kSpecials.find(c) != std::string_view::npos) {
            return take(TokenKind::special, at_ + 1);
        }
        if (c == '"') {
            return enclosed(TokenKind::word, '"');
        }
        if (c == '[') {
            return enclosed(TokenKind::literal, ']');
        }
        if (!is_atom_text(c)) {
            return take(TokenKind::broken, at_ + 1);
        }
        const auto* const end = std::find_if_not(rest->begin(), rest->end(), is_atom_text);
        return take(TokenKind::word, at_ + static_cast<std::size_t>(end - rest->begin()));
    }

  private:
    Token take(TokenKind kind, std::size_t end) noexcept {
        return {kind, std::exchange(at_, end), end};
    }

    // RFC 5322 §3.2.4 quoted-string, §3.4.1 domain-literal.
    Token enclosed(TokenKind kind, char closing) noexcept {
        for (auto i = at_ + 1; i < text_.size(); ++i) {
            if (text_[i] == closing) {
                return take(kind, i + 1);
            }
            i += text_[i] == '\\' ? 1 : 0;
        }
        return take(TokenKind::broken, text_.size());
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

class Scanner {
  public:
    Scanner(std::string_view text, std::size_t limit, DisplayNames names) noexcept
        : text_(text)
        , tokens_(text)
        , limit_(limit)
        , names_(names) {}

    // address-list = (address *("," address)) / obs-addr-list
    // group        = display-name ":" [group-list] ";" [CFWS]
    AddressList scan() && {
        bool in_angle = false;
        Token token;
        do {
            token = tokens_.next();
            const char c = token.kind == TokenKind::special ? text_[token.begin] : '\0';
            in_angle = (in_angle || c == '<') && c != '>';
            // RFC 5322 §4.4 obs-route: commas and a colon between the angle brackets.
            const bool separates = !in_angle && (c == ',' || c == ';' || c == ':');
            if (!separates && token.kind != TokenKind::end) {
                element_.push_back(token);
                continue;
            }
            if (c == ':') {
                begin_group();
            } else {
                end_element(c == ';');
            }
        } while (token.kind != TokenKind::end && list_.mailboxes.size() < limit_);
        list_.is_whole = list_.is_whole && token.kind == TokenKind::end && !in_group_;
        return std::move(list_);
    }

  private:
    // display-name = phrase
    void begin_group() {
        const bool is_phrase = !element_.empty() && all_words(element_);
        list_.is_whole = list_.is_whole && is_phrase && !in_group_;
        in_group_ = true;
        element_.clear();
    }

    void end_element(bool ends_group) {
        if (ends_group) {
            list_.is_whole = list_.is_whole && in_group_;
            in_group_ = false;
        }
        // RFC 5322 §4.4 obs-addr-list: empty elements.
        if (element_.empty()) {
            return;
        }
        auto mailbox = read_mailbox();
        const bool is_good = mailbox && has_phrase();
        list_.is_whole = list_.is_whole && is_good;
        if (mailbox && (is_good || names_ == DisplayNames::any)) {
            list_.mailboxes.push_back(std::move(*mailbox));
        }
        element_.clear();
    }

    // mailbox    = name-addr / addr-spec
    // name-addr  = [display-name] angle-addr
    // angle-addr = [CFWS] "<" [obs-route] addr-spec ">" [CFWS]
    [[nodiscard]] std::optional<ScannedMailbox> read_mailbox() const {
        std::span<const Token> tokens(element_);
        const auto name = name_length();
        if (name == tokens.size()) {
            return read_addr_spec(tokens);
        }
        if (!is(tokens.back(), '>')) {
            return std::nullopt;
        }
        return read_addr_spec(without_route(tokens.subspan(name + 1, tokens.size() - name - 2)));
    }

    // Tokens before the angle bracket; all of them when there is none.
    [[nodiscard]] std::size_t name_length() const {
        const auto opening =
            std::find_if(element_.begin(), element_.end(), [this](const Token& token) {
                return is(token, '<');
            });
        return static_cast<std::size_t>(opening - element_.begin());
    }

    // What stands before the angle bracket is a display name.
    [[nodiscard]] bool has_phrase() const {
        const auto name = name_length();
        return name == element_.size() || all_words(std::span(element_).first(name));
    }

    // obs-route = "@" domain *("," [CFWS] ["@" domain]) ":"
    [[nodiscard]] std::span<const Token> without_route(std::span<const Token> tokens) const {
        if (tokens.empty() || !is(tokens.front(), '@')) {
            return tokens;
        }
        const auto colon = std::find_if(
            tokens.begin(), tokens.end(), [this](const Token& token) { return is(token, ':'); });
        return colon == tokens.end()
                   ? std::span<const Token>()
                   : tokens.subspan(static_cast<std::size_t>(colon - tokens.begin()) + 1);
    }

    // addr-spec = local-part "@" domain. Deviation: white space and comments between the atoms of
    // one part (obs-local-part, obs-domain) are not understood.
    [[nodiscard]] std::optional<ScannedMailbox> read_addr_spec(
        std::span<const Token> tokens) const {
        const bool bare = tokens.size() == 1;
        const bool full =
            tokens.size() == 3 && is(tokens[1], '@') &&
            (tokens[2].kind == TokenKind::word || tokens[2].kind == TokenKind::literal);
        if ((!bare && !full) || tokens[0].kind != TokenKind::word || has_stray_dot(tokens[0])) {
            return std::nullopt;
        }
        ScannedMailbox mailbox{
            std::string(text_of(tokens[0])), bare, tokens[0].end, tokens[0].begin};
        if (full) {
            mailbox.domain_begin = tokens[2].begin;
            mailbox.domain_end = tokens[2].end;
            mailbox.address += '@';
            mailbox.address += text_of(tokens[2]);
        }
        return mailbox;
    }

    // dot-atom = 1*atext *("." 1*atext)
    [[nodiscard]] bool has_stray_dot(const Token& token) const {
        const auto text = text_of(token);
        return !text.starts_with('"') && (text.starts_with('.') || text.ends_with('.') ||
                                          text.find("..") != std::string_view::npos);
    }

    [[nodiscard]] static bool all_words(std::span<const Token> tokens) {
        return std::all_of(tokens.begin(), tokens.end(), [](const Token& token) {
            return token.kind == TokenKind::word;
        });
    }

    [[nodiscard]] bool is(const Token& token, char special) const {
        return token.kind == TokenKind::special && text_[token.begin] == special;
    }

    [[nodiscard]] std::string_view text_of(const Token& token) const {
        return text_.substr(token.begin, token.end - token.begin);
    }

    std::string_view text_;
    Tokens tokens_;
    std::size_t limit_;
    DisplayNames names_;
    std::vector<Token> element_;
    AddressList list_;
    bool in_group_ = false;
};

}  // namespace

AddressList scan_addresses(std::string_view text, std::size_t limit, DisplayNames names) {
    return Scanner(text, limit, names).scan();
}

}  // namespace mailflow

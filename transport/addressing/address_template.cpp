#include "transport/addressing/address_template.hpp"

#include "transport/addressing/transliteration.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace mailflow {

namespace {

constexpr std::size_t kMaxLocalPart = 64;  // RFC 5321 §4.5.3.1.1
constexpr std::uint32_t kMaxCount = 999;
constexpr std::string_view kTokens = "mgsid";
constexpr const char* kNameless = "recipient";

// RFC 5322 §3.2.3 atext.
bool is_atext(char c) noexcept {
    constexpr std::string_view kSpecials = "!#$%&'*+-/=?^_`{|}~";
    return ascii::is_alpha(c) || ascii::is_digit(c) || kSpecials.find(c) != std::string_view::npos;
}

// The character at the front, or the octet when it is none.
std::string_view first_character(std::string_view text) noexcept {
    return text.substr(0, std::max<std::size_t>(1, utf8::sequence_length(text)));
}

// What is kept of one character of a property.
std::string_view kept(std::string_view character, bool keeps_periods) noexcept {
    if (character.size() > 1) {
        return ascii_spelling(utf8::code_point(character));
    }
    const char c = character.front();
    return is_atext(c) || (keeps_periods && c == '.') ? character : std::string_view();
}

// `character`, or what the first pair that names it makes of it.
std::string_view replaced(std::string_view character, std::string_view pairs) noexcept {
    while (!pairs.empty()) {
        const auto from = first_character(pairs);
        pairs.remove_prefix(from.size());
        const auto to = first_character(pairs);
        pairs.remove_prefix(to.size());
        if (from == character) {
            return from == to ? std::string_view() : to;
        }
    }
    return character;
}

// Dot-string = Atom *("." Atom): periods that have nothing before or behind them are left out.
std::string dot_string(std::string_view text) {
    std::string clean;
    for (const char c : text) {
        if (c != '.' || (!clean.empty() && clean.back() != '.')) {
            clean += c;
        }
    }
    clean.resize(std::min(clean.size(), kMaxLocalPart));
    while (clean.ends_with('.')) {
        clean.pop_back();
    }
    return clean;
}

std::string cleaned(std::string_view text, bool keeps_periods) {
    std::string clean;
    while (!text.empty()) {
        const auto character = first_character(text);
        clean += kept(character, keeps_periods);
        text.remove_prefix(character.size());
    }
    return dot_string(clean);
}

std::string_view property(char token, const MailRecipient& recipient) noexcept {
    switch (token) {
        case 'm': return recipient.alias;
        case 'g': return recipient.first_name;
        case 's': return recipient.last_name;
        case 'i': return recipient.initials;
        default: return recipient.display_name;
    }
}

}  // namespace

// template    = [local] "@" Domain
// local       = 1*( literal / "%%" / token )
// token       = *replacement "%" [count] ("m" / "g" / "s" / "i" / "d")
// replacement = "%r" x y
class TemplateParser {
  public:
    explicit TemplateParser(std::string_view text) noexcept
        : text_(text)
        , local_(text.substr(0, text.rfind('@'))) {}

    Result<AddressTemplate> parse() {
        if (text_.size() > kMaxTemplate) {
            why_ = fmt::format("a template has at most {} octets", kMaxTemplate);
            return Error::too_large;
        }
        const bool is_good = read_local() && check_periods();
        const auto domain = is_good ? read_domain() : std::nullopt;
        if (!domain) {
            return Error::syntax;
        }
        return AddressTemplate(std::move(parts_), *domain);
    }

    [[nodiscard]] std::string take_why() noexcept { return std::move(why_); }

  private:
    bool read_local() {
        if (!utf8::is_valid(text_)) {
            return fail("the template is not UTF-8");
        }
        if (local_.size() == text_.size()) {
            return fail("a template ends with @ and a domain, as in %g.%s@contoso.com");
        }
        if (local_.empty()) {
            parts_.push_back({'m', 0, {}, {}});
        }
        while (at_ < local_.size()) {
            if (local_[at_] == '%' ? !read_percent() : !read_literal()) {
                return false;
            }
        }
        if (!replacements_.empty()) {
            return fail(fmt::format("the %r before character {} stands before no token", here()));
        }
        return true;
    }

    bool read_literal() {
        const auto character = first_character(local_.substr(at_));
        if (character.size() > 1) {
            return fail(fmt::format(
                "'{}' at character {} is not ASCII; only properties of recipients are spelled in "
                "ASCII",
                character,
                here()));
        }
        if (character != "." && !is_atext(character.front())) {
            return fail(fmt::format(
                "'{}' at character {} cannot stand in an address",
                ascii::escaped(character),
                here()));
        }
        return add_literal(character);
    }

    bool read_percent() {
        const auto rest = local_.substr(at_ + 1);
        if (rest.starts_with('r')) {
            return read_replacement(rest.substr(1));
        }
        if (rest.starts_with('%')) {
            ++at_;
            return add_literal("%");
        }
        const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const auto count = ascii::parse_number(rest.substr(0, digits));
        const auto token = first_character(rest.substr(digits));
        if (token.empty()) {
            return fail(fmt::format("a lone % at character {}; %% is a percent sign", here()));
        }
        if (kTokens.find(token) == std::string_view::npos) {
            return fail(fmt::format(
                "unknown token %{} at character {}; tokens are %m %g %s %i %d and %r",
                token,
                here()));
        }
        if (digits > 0 && (!count || *count == 0 || *count > kMaxCount)) {
            return fail(fmt::format(
                "%{} at character {}: a count is from 1 to {}",
                rest.substr(0, digits + 1),
                here(),
                kMaxCount));
        }
        parts_.push_back(
            {token.front(),
             static_cast<std::uint32_t>(count.value_or(0)),
             std::exchange(replacements_, {}),
             {}});
        at_ += 2 + digits;
        return true;
    }

    bool read_replacement(std::string_view pair) {
        const auto from = first_character(pair);
        const auto to = first_character(pair.substr(from.size()));
        if (from.empty() || to.empty()) {
            return fail(fmt::format("%r at character {} needs two characters behind it", here()));
        }
        replacements_ += from;
        replacements_ += to;
        at_ += 2 + from.size() + to.size();
        return true;
    }

    bool add_literal(std::string_view character) {
        if (!replacements_.empty()) {
            return fail(fmt::format("the %r before character {} stands before no token", here()));
        }
        if (parts_.empty() || parts_.back().token != 0) {
            parts_.emplace_back();
        }
        parts_.back().literal += character;
        at_ += character.size();
        return true;
    }

    // Reference 4.2: a period has a legal character on both sides. What a token leaves is seen to
    // when it is expanded.
    bool check_periods() {
        std::size_t literals = 0;
        for (const auto& part : parts_) {
            literals += part.literal.size();
            if (part.literal.find("..") != std::string::npos) {
                return fail("two periods stand next to each other");
            }
        }
        if (parts_.front().literal.starts_with('.') || parts_.back().literal.ends_with('.')) {
            return fail("a period has a character or a token on both sides");
        }
        if (literals > kMaxLocalPart) {
            return fail(fmt::format("a local part has at most {} octets", kMaxLocalPart));
        }
        return true;
    }

    std::optional<DomainName> read_domain() {
        const auto text = text_.substr(local_.size() + 1);
        const auto domain = DomainName::parse(text);
        if (!domain) {
            fail(
                text.empty() ? "no domain stands behind the @"
                             : fmt::format("'{}' is no domain", ascii::escaped(text)));
            return std::nullopt;
        }
        return *domain;
    }

    bool fail(std::string why) {
        why_ = std::move(why);
        return false;
    }

    // For people: characters from 1.
    [[nodiscard]] std::size_t here() const noexcept {
        return 1 + static_cast<std::size_t>(std::count_if(
                       local_.begin(),
                       local_.begin() + static_cast<std::ptrdiff_t>(at_),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
    }

    std::string_view text_;
    std::string_view local_;
    std::size_t at_ = 0;
    std::string replacements_;  // those read, until their token comes
    std::vector<AddressTemplate::Part> parts_;
    std::string why_;
};

Result<AddressTemplate> AddressTemplate::parse(std::string_view text, std::string* why) {
    TemplateParser parser(text);
    auto parsed = parser.parse();
    if (!parsed && why != nullptr) {
        *why = parser.take_why();
    }
    return parsed;
}

std::string AddressTemplate::text() const {
    std::string text;
    for (const auto& part : parts_) {
        for (std::string_view pairs = part.replacements; !pairs.empty();) {
            const auto from = first_character(pairs);
            const auto to = first_character(pairs.substr(from.size()));
            text += "%r";
            text += pairs.substr(0, from.size() + to.size());
            pairs.remove_prefix(from.size() + to.size());
        }
        if (part.token != 0) {
            text += '%';
            text += part.count > 0 ? std::to_string(part.count) : std::string();
            text += part.token;
        }
        for (const char c : part.literal) {
            text += c == '%' ? "%%" : std::string(1, c);
        }
    }
    return text + '@' + domain_.text();
}

std::string AddressTemplate::value_of(const Part& part, const MailRecipient& recipient) {
    std::string value;
    std::uint32_t count = 0;
    auto rest = property(part.token, recipient);
    while (!rest.empty() && (part.count == 0 || count < part.count)) {
        const auto character = first_character(rest);
        rest.remove_prefix(character.size());
        const auto wanted = replaced(character, part.replacements);
        if (wanted.empty()) {
            continue;
        }
        const bool is_replaced = wanted != character;
        auto spelled = kept(wanted, is_replaced || part.token == 'm');
        if (spelled.empty() && is_replaced) {
            spelled = kept(character, part.token == 'm');  // reference 4.2: it is ignored
        }
        value += spelled;
        count += spelled.empty() ? 0 : 1;
    }
    return value;
}

EmailAddress AddressTemplate::expand(const MailRecipient& recipient) const {
    std::string local;
    for (const auto& part : parts_) {
        local += part.token == 0 ? part.literal : value_of(part, recipient);
    }
    local = dot_string(local);
    if (local.empty()) {
        local = cleaned(recipient.alias, true);
    }
    if (local.empty()) {
        local = cleaned(recipient.name, true);
    }
    return EmailAddress::of(local.empty() ? kNameless : local, domain_);
}

EmailAddress numbered(const EmailAddress& address, std::uint32_t number) {
    if (number <= 1 || !address.domain()) {
        return address;
    }
    const auto digits = std::to_string(number);
    auto local =
        address.local().substr(0, std::min(address.local().size(), kMaxLocalPart - digits.size()));
    return EmailAddress::of(local + digits, *address.domain());
}

}  // namespace mailflow

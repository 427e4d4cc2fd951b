#include "transport/smtp/command_parser.hpp"

#include "transport/base/ascii.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mailflow::smtp {

namespace {

using ascii::equal_ignoring_case;
using Parsed = std::variant<Command, Reply>;

constexpr std::array kUnsupported = {
    "EXPN",
    "STARTTLS",
    "AUTH",
    "BDAT",
    "ETRN",
    "TURN",
    "ATRN",
    "SEND",
    "SOML",
    "SAML",
    "XCLIENT",
    "XFORWARD",
    "BURL"};
constexpr std::array kForeign = {
    "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE"};

template <class Verbs>
bool contains(const Verbs& verbs, std::string_view verb) noexcept {
    return std::any_of(
        verbs.begin(), verbs.end(), [verb](const char* v) { return equal_ignoring_case(v, verb); });
}

bool has_utf8(std::string_view text) noexcept {
    return std::any_of(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; });
}

// RFC 5321 §2.3.8, §4.1.2: no control octet belongs in a command; a tab counts as a blank, as
// clients use it.
bool has_control(std::string_view line) noexcept {
    return std::any_of(
        line.begin(), line.end(), [](char c) { return ascii::is_control(c) && c != '\t'; });
}

std::string_view without_leading_blanks(std::string_view text) noexcept {
    const std::size_t start = text.find_first_not_of(" \t");
    return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

// The next blank-separated word, taken off the front of `rest`.
std::string_view take_word(std::string_view& rest) noexcept {
    rest = without_leading_blanks(rest);
    const std::size_t end = std::min(rest.size(), rest.find_first_of(" \t"));
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

Reply invalid_arguments() {
    return make_reply(501, "5.5.4", "Invalid arguments");
}

// ---- HELO, EHLO

// RFC 5321 §4.1.1.1: ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
// Deviation: underscores and a trailing dot are taken; hosts with such names send much wanted mail.
bool is_helo_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > kMaxDomain) return false;
    if (name.front() == '[') {
        const auto inside = [](char c) {
            return ascii::is_alpha(c) || ascii::is_digit(c) || c == '.' || c == ':' || c == '-';
        };
        return name.size() > 2 && name.back() == ']' &&
               std::all_of(name.begin() + 1, name.end() - 1, inside);
    }
    if (name.front() == '.' || name.find("..") != std::string_view::npos) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return ascii::is_alpha(c) || ascii::is_digit(c) || c == '-' || c == '.' || c == '_';
    });
}

template <class Hello>
Parsed parse_hello(std::string_view argument) {
    if (!is_helo_name(argument)) return make_reply(501, "5.5.4", "Invalid domain name");
    return Hello{std::string(argument)};
}

// ---- MAIL and RCPT

// The end of `<…>` at the front of `text`, behind its bracket; 0 when there is none. A `>` inside a
// quoted local part does not end the path.
std::size_t path_length(std::string_view text) noexcept {
    if (text.empty() || text.front() != '<') return 0;
    bool quoted = false;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (quoted && text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (text[i] == '>' && !quoted) {
            return i + 1;
        }
    }
    return 0;
}

struct PathAndParameters {
    std::string_view path;
    std::string_view parameters;
};

// `FROM:<path> parameters`. Blanks behind the colon are taken (RFC 5321 §3.3 forbids sending them;
// many do). Without FROM: nothing; a malformed path comes back empty.
std::optional<PathAndParameters> split_path(
    std::string_view argument, std::string_view keyword) noexcept {
    if (!ascii::starts_with_ignoring_case(argument, keyword)) return std::nullopt;
    std::string_view rest = without_leading_blanks(argument.substr(keyword.size()));
    if (!rest.starts_with(':')) return std::nullopt;
    rest = without_leading_blanks(rest.substr(1));
    const std::size_t length = path_length(rest);
    const std::string_view parameters = rest.substr(length);
    const bool separated =
        parameters.empty() || parameters.front() == ' ' || parameters.front() == '\t';
    // RFC 5321 §4.5.3.1.3: 256 octets with punctuation.
    if (length > kMaxPath || !separated) return PathAndParameters{};
    return PathAndParameters{rest.substr(0, length), parameters};
}

struct Parameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
};

// RFC 5321 §4.1.2: esmtp-param = esmtp-keyword ["=" esmtp-value]
//                  esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//                  esmtp-value = 1*(%d33-60 / %d62-126), with RFC 6531 also UTF-8
std::optional<Parameter> parse_parameter(std::string_view word) noexcept {
    const std::size_t equals = word.find('=');
    const std::string_view keyword = word.substr(0, equals);
    const bool well_formed = !keyword.empty() && keyword.front() != '-' &&
                             std::all_of(keyword.begin(), keyword.end(), [](char c) {
                                 return ascii::is_alpha(c) || ascii::is_digit(c) || c == '-';
                             });
    if (!well_formed) return std::nullopt;
    if (equals == std::string_view::npos) return Parameter{keyword, std::nullopt};
    const std::string_view value = word.substr(equals + 1);
    if (value.empty() || value.find('=') != std::string_view::npos) return std::nullopt;
    return Parameter{keyword, value};
}

// RFC 5321 §4.1.1.11: what was not announced is 555.
Reply unknown_parameter() {
    return make_reply(555, "5.5.4", "Unsupported option");
}

class MailParameters {
  public:
    explicit MailParameters(Mail& mail) noexcept
        : mail_(mail) {}

    [[nodiscard]] std::optional<Reply> apply(const Parameter& parameter) {
        if (equal_ignoring_case(parameter.keyword, "SIZE")) return size(parameter.value);
        if (equal_ignoring_case(parameter.keyword, "BODY")) return body(parameter.value);
        if (equal_ignoring_case(parameter.keyword, "SMTPUTF8")) return smtputf8(parameter.value);
        return unknown_parameter();
    }

  private:
    // RFC 1870 §3: size-value = 1*20DIGIT. A number beyond 64 bits is legal grammar and too large
    // for anybody.
    std::optional<Reply> size(std::optional<std::string_view> value) {
        constexpr std::size_t kMaxDigits = 20;
        const bool digits = value && !value->empty() && value->size() <= kMaxDigits &&
                            std::all_of(value->begin(), value->end(), ascii::is_digit);
        if (!digits || mail_.size) return invalid_arguments();
        mail_.size = ascii::parse_number(*value).value_or(UINT64_MAX);
        return std::nullopt;
    }

    // RFC 6152 §2: BODY=7BIT or 8BITMIME.
    std::optional<Reply> body(std::optional<std::string_view> value) {
        if (!value || std::exchange(has_body_, true)) return invalid_arguments();
        if (equal_ignoring_case(*value, "8BITMIME")) {
            mail_.body = BodyType::eight_bit_mime;
        } else if (!equal_ignoring_case(*value, "7BIT")) {
            return invalid_arguments();
        }
        return std::nullopt;
    }

    // RFC 6531 §3.4: no value.
    std::optional<Reply> smtputf8(std::optional<std::string_view> value) {
        if (value || std::exchange(mail_.smtputf8, true)) return invalid_arguments();
        return std::nullopt;
    }

    Mail& mail_;
    bool has_body_ = false;
};

// RFC 5321 §4.1.1.2: mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
Parsed parse_mail(std::string_view argument) {
    const auto parts = split_path(argument, "FROM");
    if (!parts) return invalid_arguments();
    const auto path = ReversePath::parse(parts->path);
    if (path.has_error()) return make_reply(501, "5.1.7", "Invalid address");
    Mail mail;
    mail.path = *path;
    MailParameters parameters(mail);
    std::string_view rest = parts->parameters;
    for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
        const auto parameter = parse_parameter(word);
        if (!parameter) return invalid_arguments();
        if (auto refusal = parameters.apply(*parameter)) return *std::move(refusal);
    }
    // RFC 6531 §3.5: an internationalized address outside an SMTPUTF8 transaction.
    if (has_utf8(parts->path) && !mail.smtputf8) {
        return make_reply(553, "5.6.7", "Internationalized address requires SMTPUTF8");
    }
    return Command(std::move(mail));
}

// RFC 5321 §4.1.1.3: rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path
// )
//                           [SP Rcpt-parameters] CRLF
Parsed parse_rcpt(std::string_view argument) {
    const auto parts = split_path(argument, "TO");
    if (!parts) return invalid_arguments();
    auto path = ForwardPath::parse(parts->path);
    if (path.has_error()) return make_reply(501, "5.1.3", "Invalid address");
    std::string_view rest = parts->parameters;
    if (const std::string_view word = take_word(rest); !word.empty()) {
        return parse_parameter(word) ? unknown_parameter() : invalid_arguments();
    }
    return Rcpt{*std::move(path), has_utf8(parts->path)};
}

// RFC 5321 §4.1.1.4, .5, .10: DATA, RSET and QUIT take no argument.
template <class Verb>
Parsed parse_bare(std::string_view argument) {
    if (!argument.empty()) return invalid_arguments();
    return Verb{};
}

// RFC 5321 §4.1.1.6: vrfy = "VRFY" SP String CRLF
Parsed parse_vrfy(std::string_view argument) {
    if (argument.empty()) return invalid_arguments();
    return Vrfy{std::string(argument)};
}

struct Row {
    std::string_view verb;
    Parsed (*parse)(std::string_view argument);
};

constexpr std::array kRows = {
    Row{"MAIL", parse_mail},
    Row{"RCPT", parse_rcpt},
    Row{"DATA", parse_bare<Data>},
    Row{"EHLO", parse_hello<Ehlo>},
    Row{"HELO", parse_hello<Helo>},
    Row{"RSET", parse_bare<Rset>},
    Row{"QUIT", parse_bare<Quit>},
    Row{"VRFY", parse_vrfy},
    // RFC 5321 §4.1.1.8, .9: their arguments mean nothing here.
    Row{"NOOP",
        [](std::string_view) {
            return Parsed(Noop{});
        }},
    Row{"HELP",
        [](std::string_view) {
            return Parsed(Help{});
        }},
};

}  // namespace

bool ends_group(const Command& command) noexcept {
    // RFC 2920 §3.1: EHLO, DATA, VRFY, EXPN, TURN, QUIT and NOOP; HELO as EHLO, AUTH and STARTTLS
    // by their own RFCs.
    return std::visit(
        []<class C>(const C&) {
            return std::is_same_v<C, Ehlo> || std::is_same_v<C, Helo> || std::is_same_v<C, Data> ||
                   std::is_same_v<C, Vrfy> || std::is_same_v<C, Noop> || std::is_same_v<C, Quit>;
        },
        command);
}

std::variant<Command, Reply> parse_command(std::string_view line) {
    if (has_control(line)) return make_reply(500, "5.5.2", "Invalid character in command");
    std::string_view rest = line;
    const std::string_view verb = take_word(rest);
    const std::string_view argument = ascii::trimmed(rest);
    for (const Row& row : kRows) {
        if (equal_ignoring_case(row.verb, verb)) return row.parse(argument);
    }
    if (contains(kUnsupported, verb)) return Unsupported{ascii::to_lower(verb)};
    if (contains(kForeign, verb)) return ForeignProtocol{};
    return Unknown{};
}

}  // namespace mailflow::smtp

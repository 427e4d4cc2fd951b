#include "transport/smtp/command_parser.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"
#include "transport/mail/xtext.hpp"
#include "transport/smtp/limits.hpp"
#include "transport/smtp/mail_parameters.hpp"
#include "transport/smtp/words.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mailflow::smtp {

namespace {

using ascii::equal_ignoring_case;
using Parsed = std::variant<Command, Reply>;

constexpr std::array kUnsupported = {
    "ETRN", "TURN", "ATRN", "SEND", "SOML", "SAML", "XFORWARD", "BURL"};
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

// RFC 5321 §4.1.1.2: mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
Parsed parse_mail(std::string_view argument) {
    const auto parts = split_path(argument, "FROM");
    if (!parts) return invalid_arguments();
    const auto path = ReversePath::parse(parts->path);
    if (path.has_error()) return make_reply(501, "5.1.7", "Invalid address");
    Mail mail;
    mail.path = *path;
    if (auto refusal = parse_parameters(parts->parameters, mail)) return *std::move(refusal);
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
    Rcpt rcpt{*std::move(path), has_utf8(parts->path)};
    if (auto refusal = parse_parameters(parts->parameters, rcpt)) return *std::move(refusal);
    return Command(std::move(rcpt));
}

// RFC 5321 §4.1.1.4, .5, .10: DATA, RSET and QUIT take no argument.
template <class Verb>
Parsed parse_bare(std::string_view argument) {
    if (!argument.empty()) return invalid_arguments();
    return Verb{};
}

// RFC 5321 §4.1.1.6, .7: vrfy = "VRFY" SP String CRLF
// RFC 6531 §3.7.4.2: with SMTPUTF8 behind it.
template <class Verb>
Parsed parse_name(std::string_view argument) {
    constexpr std::string_view kKeyword = "SMTPUTF8";
    const std::size_t blank = argument.find_last_of(" \t");
    const bool smtputf8 = blank != std::string_view::npos &&
                          equal_ignoring_case(argument.substr(blank + 1), kKeyword);
    const auto name = smtputf8 ? ascii::trimmed(argument.substr(0, blank)) : argument;
    if (name.empty()) return invalid_arguments();
    if (has_utf8(name) && !smtputf8) {
        return make_reply(553, "5.6.7", "Internationalized address requires SMTPUTF8");
    }
    return Verb{std::string(name), smtputf8};
}

// ---- BDAT, AUTH, XCLIENT

// RFC 3030 §2: bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CRLF, chunk-size = 1*DIGIT
Parsed parse_bdat(std::string_view argument) {
    const auto digits = take_word(argument);
    const auto end_marker = take_word(argument);
    const bool last = equal_ignoring_case(end_marker, "LAST");
    const bool is_number =
        !digits.empty() && std::all_of(digits.begin(), digits.end(), ascii::is_digit);
    if (!is_number || (!end_marker.empty() && !last) || !argument.empty())
        return invalid_arguments();
    // A number beyond 64 bits is too large for anybody.
    return Bdat{ascii::parse_number(digits).value_or(UINT64_MAX), last};
}

// RFC 4422 §3.1: sasl-mech = 1*20mech-char, mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
bool is_mechanism(std::string_view name) noexcept {
    constexpr std::size_t kMaxMechanism = 20;
    return !name.empty() && name.size() <= kMaxMechanism &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return ascii::is_alpha(c) || ascii::is_digit(c) || c == '-' || c == '_';
           });
}

// RFC 4954 §4: auth-command = "AUTH" SP sasl-mech [SP initial-response] CRLF
//              initial-response = base64 / "="
Parsed parse_auth(std::string_view argument) {
    Auth auth;
    const auto mechanism = take_word(argument);
    const auto initial = take_word(argument);
    if (!is_mechanism(mechanism) || !argument.empty()) return invalid_arguments();
    for (const char c : mechanism) {
        auth.mechanism += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    if (initial == "=") {
        auth.initial.emplace();
    } else if (!initial.empty()) {
        auto octets = base64_decode(initial);
        if (!octets) return make_reply(501, "5.5.2", "Cannot decode base64");
        auth.initial = *std::move(octets);
    }
    return Command(std::move(auth));
}

bool read_text(std::string value, std::optional<std::string>& text) {
    if (text || value.size() > kMaxDomain) return false;
    text = std::move(value);
    return true;
}

bool read_address(std::string_view value, std::optional<IpAddress>& address) {
    constexpr std::string_view kIpv6 = "IPV6:";
    if (ascii::starts_with_ignoring_case(value, kIpv6)) value.remove_prefix(kIpv6.size());
    const auto parsed = IpAddress::parse(value);
    if (address || !parsed) return false;
    address = *parsed;
    return true;
}

bool read_port(std::string_view value, std::optional<std::uint16_t>& port) {
    const auto number = ascii::parse_number(value);
    if (port || !number || *number > UINT16_MAX) return false;
    port = static_cast<std::uint16_t>(*number);
    return true;
}

bool read_protocol(std::string_view value, std::optional<bool>& extended) {
    const bool esmtp = equal_ignoring_case(value, "ESMTP");
    if (extended || (!esmtp && !equal_ignoring_case(value, "SMTP"))) return false;
    extended = esmtp;
    return true;
}

// One attribute of XCLIENT, its value decoded. What the front end does not know is empty text, or
// no address or port.
bool read_attribute(std::string_view name, std::string value, Xclient& client) {
    const bool unknown =
        equal_ignoring_case(value, "[UNAVAILABLE]") || equal_ignoring_case(value, "[TEMPUNAVAIL]");
    if (unknown) value.clear();
    if (equal_ignoring_case(name, "NAME")) return read_text(std::move(value), client.name);
    if (equal_ignoring_case(name, "HELO")) return read_text(std::move(value), client.helo);
    if (equal_ignoring_case(name, "LOGIN")) return read_text(std::move(value), client.login);
    if (equal_ignoring_case(name, "ADDR")) return unknown || read_address(value, client.address);
    if (equal_ignoring_case(name, "PORT")) return unknown || read_port(value, client.port);
    if (equal_ignoring_case(name, "PROTO")) return read_protocol(value, client.extended);
    return false;
}

// xclient-command = "XCLIENT" 1*( SP attribute-name "=" xtext )
Parsed parse_xclient(std::string_view argument) {
    Xclient client;
    if (argument.empty()) return invalid_arguments();
    for (auto word = take_word(argument); !word.empty(); word = take_word(argument)) {
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos) return invalid_arguments();
        auto value = decode_xtext(word.substr(equals + 1));
        if (!value || !read_attribute(word.substr(0, equals), *std::move(value), client))
            return invalid_arguments();
    }
    return Command(std::move(client));
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
    Row{"BDAT", parse_bdat},
    Row{"AUTH", parse_auth},
    // RFC 3207 §4: no parameters.
    Row{"STARTTLS", parse_bare<StartTls>},
    Row{"VRFY", parse_name<Vrfy>},
    Row{"EXPN", parse_name<Expn>},
    Row{"XCLIENT", parse_xclient},
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
    // RFC 2920 §3.1: EHLO, DATA, VRFY, EXPN, TURN, QUIT and NOOP; HELO as EHLO; AUTH and STARTTLS
    // by RFC 4954 §4 and RFC 3207 §4.
    return std::visit(
        []<class C>(const C&) {
            return std::is_same_v<C, Ehlo> || std::is_same_v<C, Helo> || std::is_same_v<C, Data> ||
                   std::is_same_v<C, Vrfy> || std::is_same_v<C, Expn> || std::is_same_v<C, Noop> ||
                   std::is_same_v<C, Quit> || std::is_same_v<C, Auth> ||
                   std::is_same_v<C, StartTls>;
        },
        command);
}

std::string_view verb_of(std::string_view line) noexcept {
    return take_word(line);
}

std::variant<Command, Reply> parse_command(std::string_view line) {
    // Attack case 12.
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

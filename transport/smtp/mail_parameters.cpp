#include "transport/smtp/mail_parameters.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/mail/email_address.hpp"
#include "transport/mail/utf8.hpp"
#include "transport/mail/xtext.hpp"
#include "transport/smtp/limits.hpp"
#include "transport/smtp/words.hpp"

#include <algorithm>
#include <array>
#include <bitset>

namespace mailflow::smtp {

namespace {

using ascii::equal_ignoring_case;
using Value = std::optional<std::string_view>;

bool is_digits(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), ascii::is_digit);
}

// ---- MAIL

// RFC 1870 §3: size-value = 1*20DIGIT. A number beyond 64 bits is legal grammar and too large for
// anybody.
bool read_size(Value value, Mail& mail) {
    constexpr std::size_t kMaxDigits = 20;
    if (!value || !is_digits(*value) || value->size() > kMaxDigits) return false;
    mail.size = ascii::parse_number(*value).value_or(UINT64_MAX);
    return true;
}

// RFC 6152 §2, RFC 3030 §3: body-value = "7BIT" / "8BITMIME" / "BINARYMIME"
bool read_body(Value value, Mail& mail) {
    if (!value) return false;
    if (equal_ignoring_case(*value, "7BIT")) {
        mail.body = BodyType::seven_bit;
    } else if (equal_ignoring_case(*value, "8BITMIME")) {
        mail.body = BodyType::eight_bit_mime;
    } else if (equal_ignoring_case(*value, "BINARYMIME")) {
        mail.body = BodyType::binary_mime;
    }
    return mail.body.has_value();
}

// RFC 6531 §3.4: no value.
bool read_smtputf8(Value value, Mail& mail) {
    mail.smtputf8 = true;
    return !value;
}

// RFC 3461 §4.3: ret-value = "FULL" / "HDRS"
bool read_ret(Value value, Mail& mail) {
    if (!value) return false;
    if (equal_ignoring_case(*value, "FULL")) {
        mail.dsn_return = DsnReturn::full;
    } else if (equal_ignoring_case(*value, "HDRS")) {
        mail.dsn_return = DsnReturn::headers;
    }
    return mail.dsn_return.has_value();
}

// RFC 3461 §4.4: xtext of at most 100 characters that stands for printable ASCII.
bool read_envid(Value value, Mail& mail) {
    if (!value || value->size() > kMaxEnvelopeId) return false;
    auto text = decode_xtext(*value);
    if (!text || !utf8::is_ascii(*text)) return false;
    mail.envelope_id = *std::move(text);
    return true;
}

// RFC 4954 §5: auth-param = "AUTH=" ( "<>" / xtext of a mailbox ), 500 characters at most.
bool read_auth(Value value, Mail& mail) {
    if (!value || value->size() > kMaxAuthParameter) return false;
    auto text = decode_xtext(*value);
    if (!text || (*text != "<>" && EmailAddress::parse(*text).has_error())) return false;
    mail.authenticated_sender = *std::move(text);
    return true;
}

// RFC 8689 §4: no value.
bool read_require_tls(Value value, Mail& mail) {
    mail.require_tls = true;
    return !value;
}

// RFC 6710 §4.1: priority-value = (["-"] NZDIGIT) / "0"
bool read_priority(Value value, Mail& mail) {
    if (!value) return false;
    const bool negative = value->starts_with('-');
    const auto digits = value->substr(negative ? 1 : 0);
    if (digits.size() != 1 || !is_digits(digits) || (negative && digits == "0")) return false;
    const int priority = digits.front() - '0';
    mail.priority = static_cast<std::int8_t>(negative ? -priority : priority);
    return true;
}

// RFC 4865 §4: future-release-integer = %x31-39 *8DIGIT
bool read_hold_for(Value value, Mail& mail) {
    constexpr std::size_t kMaxDigits = 9;
    if (!value || !is_digits(*value) || value->size() > kMaxDigits || value->front() == '0')
        return false;
    // RFC 4865 §4: one of the two.
    if (mail.hold) return false;
    mail.hold.emplace().hold_for = static_cast<std::uint32_t>(*ascii::parse_number(*value));
    return true;
}

// RFC 4865 §4, erratum 2040: date-time of RFC 3339 §5.6.
bool read_hold_until(Value value, Mail& mail) {
    if (!value || mail.hold) return false;
    const auto time = parse_iso8601(*value);
    if (!time) return false;
    mail.hold.emplace().hold_until = *time;
    return true;
}

// RFC 2852 §4: by-value = by-time ";" by-mode [by-trace]
//              by-time = ["-" / "+"] 1*9DIGIT, by-mode = "N" / "R", by-trace = "T"
bool read_deliver_by(Value value, Mail& mail) {
    constexpr std::size_t kMaxDigits = 9;
    if (!value) return false;
    const auto semicolon = value->find(';');
    if (semicolon == std::string_view::npos) return false;
    auto time = value->substr(0, semicolon);
    const auto mode = value->substr(semicolon + 1);
    const bool negative = time.starts_with('-');
    if (negative || time.starts_with('+')) time.remove_prefix(1);
    if (!is_digits(time) || time.size() > kMaxDigits) return false;

    DeliverBy by;
    by.seconds = static_cast<std::int32_t>(*ascii::parse_number(time));
    if (negative) by.seconds = -by.seconds;
    by.return_late = equal_ignoring_case(mode.substr(0, 1), "R");
    by.trace = equal_ignoring_case(mode.substr(std::min<std::size_t>(1, mode.size())), "T");
    const bool known = by.return_late || equal_ignoring_case(mode.substr(0, 1), "N");
    if (!known || mode.size() != (by.trace ? 2U : 1U)) return false;
    // RFC 2852 §4: nothing can be returned for being late before it was sent.
    if (by.return_late && by.seconds <= 0) return false;
    mail.deliver_by = by;
    return true;
}

// ---- RCPT

// RFC 3461 §4.1: notify-value = "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" )
bool read_notify(Value value, Rcpt& rcpt) {
    if (!value) return false;
    if (equal_ignoring_case(*value, "NEVER")) {
        rcpt.dsn.notify = static_cast<std::uint8_t>(NotifyOn::never);
        return true;
    }
    for (const auto word : ascii::split(*value, ',')) {
        auto event = NotifyOn::never;
        if (equal_ignoring_case(word, "SUCCESS")) {
            event = NotifyOn::success;
        } else if (equal_ignoring_case(word, "FAILURE")) {
            event = NotifyOn::failure;
        } else if (equal_ignoring_case(word, "DELAY")) {
            event = NotifyOn::delay;
        } else {
            return false;
        }
        rcpt.dsn.notify =
            static_cast<std::uint8_t>(rcpt.dsn.notify | static_cast<std::uint8_t>(event));
    }
    return true;
}

// RFC 5322 §3.2.3: atom = 1*atext
bool is_atom(std::string_view text) noexcept {
    const auto is_atext = [](char c) {
        constexpr std::string_view kOthers = "!#$%&'*+-/=?^_`{|}~";
        return ascii::is_alpha(c) || ascii::is_digit(c) || kOthers.find(c) != kOthers.npos;
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), is_atext);
}

// RFC 3461 §4.2: original-recipient-address = addr-type ";" xtext, addr-type = atom; 500 characters
// at most. RFC 6533 §3: the type utf-8 has its own forms.
bool read_orcpt(Value value, Rcpt& rcpt) {
    if (!value || value->size() > kMaxOriginalRecipient) return false;
    const auto semicolon = value->find(';');
    if (semicolon == std::string_view::npos || !is_atom(value->substr(0, semicolon))) return false;
    auto type = ascii::to_lower(value->substr(0, semicolon));
    const auto text = value->substr(semicolon + 1);
    const auto address = type == "utf-8" ? decode_unitext(text) : decode_xtext(text);
    if (!address) return false;
    // Senders write rfc822 for any address; one with UTF-8 in it is of the other type.
    if (type == "rfc822" && !utf8::is_ascii(*address)) type = "utf-8";
    // RFC 6533 §3: UTF-8 as it is only where SMTPUTF8 is in use.
    if (!utf8::is_ascii(text)) rcpt.has_utf8 = true;
    rcpt.dsn.original_recipient = type + ';' + *address;
    return true;
}

// ---- both

template <class Target>
struct Row {
    std::string_view keyword;
    bool (*read)(Value value, Target& target);
};

constexpr std::array kMailRows = {
    Row<Mail>{"SIZE", read_size},
    Row<Mail>{"BODY", read_body},
    Row<Mail>{"SMTPUTF8", read_smtputf8},
    Row<Mail>{"RET", read_ret},
    Row<Mail>{"ENVID", read_envid},
    Row<Mail>{"AUTH", read_auth},
    Row<Mail>{"REQUIRETLS", read_require_tls},
    Row<Mail>{"MT-PRIORITY", read_priority},
    Row<Mail>{"HOLDFOR", read_hold_for},
    Row<Mail>{"HOLDUNTIL", read_hold_until},
    Row<Mail>{"BY", read_deliver_by},
};

constexpr std::array kRcptRows = {
    Row<Rcpt>{"NOTIFY", read_notify},
    Row<Rcpt>{"ORCPT", read_orcpt},
};

struct Parameter {
    std::string_view keyword;
    Value value;
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

template <class Target, std::size_t Count>
std::optional<Reply> parse(
    std::string_view text, const std::array<Row<Target>, Count>& rows, Target& target) {
    std::bitset<Count> seen;
    for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
        const auto parameter = parse_parameter(word);
        if (!parameter) return invalid_arguments();
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row<Target>& r) {
            return equal_ignoring_case(r.keyword, parameter->keyword);
        });
        if (row == rows.end()) return unsupported_parameter();
        const auto index = static_cast<std::size_t>(row - rows.begin());
        if (seen[index] || !row->read(parameter->value, target)) return invalid_arguments();
        seen.set(index);
    }
    return std::nullopt;
}

}  // namespace

std::optional<Reply> parse_parameters(std::string_view text, Mail& mail) {
    return parse(text, kMailRows, mail);
}

std::optional<Reply> parse_parameters(std::string_view text, Rcpt& rcpt) {
    return parse(text, kRcptRows, rcpt);
}

Reply unsupported_parameter() {
    return make_reply(555, "5.5.4", "Unsupported option");
}

Reply invalid_arguments() {
    return make_reply(501, "5.5.4", "Invalid arguments");
}

}  // namespace mailflow::smtp

#include "tests/lab/sink_session.hpp"

#include "transport/base/ascii.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow::lab {

namespace {

constexpr std::size_t kMaxCommandOctets = 65'536;
constexpr std::size_t kMaxTextLineOctets = 16UL * 1024 * 1024;
constexpr std::size_t kMaxContentOctets = 256UL * 1024 * 1024;
constexpr std::size_t kMaxDialogueLines = 1000;

// `<path> parameters` behind FROM: or TO:. A `>` inside a quoted local part does not end the path.
struct Argument {
    std::string path;
    std::string parameters;
};

std::optional<Argument> parse_argument(std::string_view rest, std::string_view keyword) {
    if (!ascii::starts_with_ignoring_case(rest, keyword)) return std::nullopt;
    rest = ascii::trimmed(rest.substr(keyword.size()));
    if (!rest.starts_with('<')) return std::nullopt;
    bool quoted = false;
    for (std::size_t at = 1; at < rest.size(); ++at) {
        if (quoted && rest[at] == '\\') {
            ++at;
        } else if (rest[at] == '"') {
            quoted = !quoted;
        } else if (rest[at] == '>' && !quoted) {
            return Argument{
                std::string(rest.substr(1, at - 1)),
                std::string(ascii::trimmed(rest.substr(at + 1)))};
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> declared_size(std::string_view parameters) {
    for (const auto parameter : ascii::split(parameters, ' ')) {
        if (ascii::starts_with_ignoring_case(parameter, "SIZE="))
            return ascii::parse_number(parameter.substr(5));
    }
    return std::nullopt;
}

std::string_view local_part(std::string_view address) {
    return address.substr(0, address.rfind('@'));
}

}  // namespace

SinkSessionRunner::SinkSessionRunner(
    LineSocket socket,
    SinkSession session,
    const Behaviour& port,
    SinkJournal& journal,
    const Applies& applies,
    const Interrupt& stop)
    : socket_(std::move(socket))
    , session_(std::move(session))
    , port_(port)
    , journal_(journal)
    , applies_(applies)
    , stop_(stop) {}

void SinkSessionRunner::run() {
    auto next = port_failure(Stage::connect);
    if (!next) next = reply("220 sink.lab ESMTP mailflow-lab");
    while (next == Next::go_on) {
        const auto line = socket_.read_line(kMaxCommandOctets);
        if (!line) break;
        ++session_.commands;
        if (session_.dialogue.size() < kMaxDialogueLines) session_.dialogue.push_back(*line);
        next = command(*line);
    }
    if (session_.ended.empty()) session_.ended = "lost";
    journal_.add(std::move(session_));
}

SinkSessionRunner::Next SinkSessionRunner::command(const std::string& line) {
    const std::string_view text(line);
    const auto space = std::min(text.find(' '), text.size());
    const auto verb = text.substr(0, space);
    const auto rest = ascii::trimmed(text.substr(space));
    const auto is = [verb](std::string_view name) {
        return ascii::equal_ignoring_case(verb, name);
    };
    if (!is("DATA") && socket_.has_input()) {
        session_.pipelined = true;
        if (!port_.offers("PIPELINING"))
            return reply("503 5.5.0 Commands sent ahead, but PIPELINING was not offered");
    }
    if (is("EHLO") || is("HELO")) return hello(verb, rest);
    if (is("MAIL")) return mail(rest);
    if (is("RCPT")) return rcpt(rest);
    if (is("DATA")) return data();
    if (is("RSET")) {
        reset();
        return reply("250 2.0.0 OK");
    }
    if (is("NOOP")) return reply("250 2.0.0 OK");
    if (is("VRFY")) return reply("252 2.0.0 Send some mail and see");
    if (is("QUIT")) {
        session_.ended = "quit";
        static_cast<void>(reply("221 2.0.0 Bye"));
        return Next::end;
    }
    return reply("500 5.5.1 No such command");
}

SinkSessionRunner::Next SinkSessionRunner::hello(std::string_view verb, std::string_view rest) {
    const bool extended = ascii::equal_ignoring_case(verb, "EHLO");
    if (extended) {
        if (const auto failed = port_failure(Stage::ehlo)) return *failed;
    }
    reset();
    greeted_ = true;
    session_.helo = rest;
    if (!extended) return reply("250 sink.lab");
    std::string text = "250-sink.lab\r\n";
    for (const auto* const name : {"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"}) {
        if (port_.offers(name)) text += fmt::format("250-{}\r\n", name);
    }
    if (port_.offers("SIZE"))
        text += fmt::format("250-SIZE {}\r\n", port_.size.value_or(kMaxContentOctets));
    return reply(text + "250 HELP");
}

SinkSessionRunner::Next SinkSessionRunner::mail(std::string_view rest) {
    if (port_.messages && session_.messages >= *port_.messages) {
        session_.ended = "dropped";
        static_cast<void>(reply("421 4.3.2 Enough messages for one connection"));
        return Next::end;
    }
    const auto argument = parse_argument(rest, "FROM:");
    if (!argument) return reply("501 5.5.4 MAIL FROM:<path>");
    if (!greeted_) return reply("503 5.5.1 EHLO first");
    if (in_mail_) return reply("503 5.5.1 Nested MAIL");
    if (const auto failed = port_failure(Stage::mail)) return *failed;
    if (const auto failed = address_failure(Stage::mail, argument->path)) return *failed;
    const auto size = declared_size(argument->parameters);
    if (port_.size && size && *size > *port_.size) return reply("552 5.3.4 Message too big");
    in_mail_ = true;
    message_.from = argument->path;
    message_.from_parameters = argument->parameters;
    return reply("250 2.1.0 OK");
}

SinkSessionRunner::Next SinkSessionRunner::rcpt(std::string_view rest) {
    const auto argument = parse_argument(rest, "TO:");
    if (!argument || argument->path.empty()) return reply("501 5.5.4 RCPT TO:<path>");
    if (!in_mail_) return reply("503 5.5.1 MAIL first");
    if (const auto own = parse_behaviour(local_part(argument->path), '+'))
        slow_ = std::max(slow_, own->slow);
    if (const auto failed = port_failure(Stage::rcpt)) return *failed;
    if (const auto failed = address_failure(Stage::rcpt, argument->path)) return *failed;
    if (port_.recipients && message_.to.size() >= *port_.recipients)
        return reply("452 4.5.3 Too many recipients");
    message_.to.push_back(argument->path);
    message_.to_parameters.push_back(argument->parameters);
    return reply("250 2.1.5 OK");
}

SinkSessionRunner::Next SinkSessionRunner::data() {
    if (message_.to.empty())
        return reply(in_mail_ ? "554 5.5.1 No valid recipients" : "503 5.5.1 MAIL first");
    std::optional<Failure> cut;  // in the middle of the text
    const auto find_cut = [&cut](const Behaviour& behaviour) {
        for (const auto& failure : behaviour.failures) {
            if (failure.stage == Stage::data && failure.code == 0) cut = failure;
        }
    };
    find_cut(port_);
    std::string cut_key = session_.local.text();
    for (const auto& address : message_.to) {
        if (cut) break;
        cut_key = address;
        if (const auto own = parse_behaviour(local_part(address), '+')) find_cut(*own);
    }
    const bool drops = cut && applies_(*cut, cut_key);
    if (!cut) {
        if (const auto failed = port_failure(Stage::data)) return *failed;
        if (const auto failed = recipient_failure(Stage::data)) return *failed;
    }
    if (reply("354 Send it, end with a dot") == Next::end) return Next::end;

    bool oversize = false;
    for (;;) {
        auto line = socket_.read_line(kMaxTextLineOctets);
        if (!line) return Next::end;
        if (drops) return drop();
        const bool bare = socket_.last_line_was_bare();
        if (*line == "." && !bare) break;
        std::string_view text(*line);
        if (text.starts_with('.')) text.remove_prefix(1);
        const auto limit =
            std::min<std::uint64_t>(port_.size.value_or(kMaxContentOctets), kMaxContentOctets);
        oversize = oversize || message_.content.size() + text.size() + 2 > limit;
        if (!oversize) message_.content.append(text).append(bare ? "\n" : "\r\n");
    }
    return end_of_data(oversize);
}

SinkSessionRunner::Next SinkSessionRunner::end_of_data(bool oversize) {
    if (oversize) {
        reset();
        return reply("552 5.3.4 Message too big");
    }
    auto failed = port_failure(Stage::dot);
    if (!failed) failed = recipient_failure(Stage::dot);
    message_.session = session_.number;
    message_.acknowledged = !failed;
    const bool dropped = failed == Next::end && session_.ended == "dropped";
    if (!failed || dropped) {
        // Kept before the 250: what was acknowledged is there.
        session_.messages += failed ? 0U : 1U;
        journal_.add(std::move(message_));
    }
    reset();
    if (failed) return *failed;
    return reply(fmt::format("250 2.0.0 OK {} taken", session_.messages));
}

SinkSessionRunner::Next SinkSessionRunner::reply(std::string_view text) {
    const auto wait = std::max(port_.slow, slow_);
    if (wait.count() > 0) pause_for(wait, stop_);
    std::string line(text);
    line += "\r\n";
    if (!port_.offers("ENHANCEDSTATUSCODES") && line.size() > 10 && ascii::is_digit(line[4]) &&
        line[5] == '.') {
        line.erase(4, line.find(' ', 4) - 3);
    }
    return socket_.write(line) ? Next::go_on : Next::end;
}

SinkSessionRunner::Next SinkSessionRunner::drop() {
    session_.ended = "dropped";
    socket_.abort();
    return Next::end;
}

SinkSessionRunner::Next SinkSessionRunner::fail(const Failure& failure) {
    if (failure.code == 0) return drop();
    const auto* const detail = failure.stage == Stage::rcpt ? "1.1" : "3.0";
    const auto text = fmt::format(
        "{} {}.{} The lab was told {}", failure.code, failure.code / 100, detail, failure.text);
    const auto next = reply(text);
    // RFC 5321 §3.8: 421 announces the close. A greeting that is none ends the connection as well.
    if (failure.code != 421 && failure.stage != Stage::connect) return next;
    session_.ended = "dropped";
    return Next::end;
}

std::optional<SinkSessionRunner::Next> SinkSessionRunner::port_failure(Stage stage) {
    for (const auto& failure : port_.failures) {
        if (failure.stage == stage && applies_(failure, session_.local.text()))
            return fail(failure);
    }
    return std::nullopt;
}

std::optional<SinkSessionRunner::Next> SinkSessionRunner::address_failure(
    Stage stage, const std::string& address) {
    const auto own = parse_behaviour(local_part(address), '+');
    if (!own) return std::nullopt;
    for (const auto& failure : own->failures) {
        if (failure.stage == stage && applies_(failure, address)) return fail(failure);
    }
    return std::nullopt;
}

std::optional<SinkSessionRunner::Next> SinkSessionRunner::recipient_failure(Stage stage) {
    for (const auto& address : message_.to) {
        if (auto failed = address_failure(stage, address)) return failed;
    }
    return std::nullopt;
}

void SinkSessionRunner::reset() {
    in_mail_ = false;
    slow_ = std::chrono::milliseconds(0);
    message_ = SinkMessage{};
}

}  // namespace mailflow::lab

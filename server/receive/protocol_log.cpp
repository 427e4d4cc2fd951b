#include "server/receive/protocol_log.hpp"

#include "server/receive/protocol_log_line.hpp"
#include "server/receive/receive_metrics.hpp"
#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

namespace mailflow {

namespace {

// Of the daemon's own log, when protocol log lines are lost.
constexpr auto kLossLogInterval = std::chrono::minutes(1);
constexpr std::string_view kSecret = "<secret>";

// Names of SASL mechanisms that may be shown; what else stands behind AUTH may be a secret in the
// wrong place.
constexpr std::array<std::string_view, 13> kMechanisms = {
    "PLAIN",
    "LOGIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "EXTERNAL",
    "CRAM-MD5",
    "DIGEST-MD5",
    "XOAUTH2",
    "OAUTHBEARER",
    "GSSAPI",
    "NTLM"};

bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t';
}

std::string_view first_word(std::string_view text) noexcept {
    const auto end = std::find_if(
        text.begin(), text.end(), [](char c) { return is_blank(c) || ascii::is_control(c); });
    return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) noexcept {
    return std::any_of(words.begin(), words.end(), [word](std::string_view other) {
        return ascii::equal_ignoring_case(word, other);
    });
}

// Where an AUTH command begins: at the start, or behind an octet that some receiver takes for a
// line end. npos: there is none.
std::size_t find_auth(std::string_view line) noexcept {
    bool at_start = true;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (at_start && ascii::equal_ignoring_case(first_word(line.substr(i)), "AUTH")) {
            return i;
        }
        at_start =
            (at_start && is_blank(line[i])) || (ascii::is_control(line[i]) && line[i] != '\t');
    }
    return std::string_view::npos;
}

// `AUTH PLAIN <secret>`: the mechanism, and nothing that stands behind it.
std::string without_secret(std::string_view line, std::size_t auth) {
    constexpr std::size_t kVerb = 4;
    std::string shown(line.substr(0, auth + kVerb));
    auto rest = ascii::trimmed(line.substr(auth + kVerb));
    const auto mechanism = first_word(rest);
    if (is_one_of(mechanism, kMechanisms)) {
        shown.append(" ").append(mechanism);
        rest = ascii::trimmed(rest.substr(mechanism.size()));
    }
    if (!rest.empty()) {
        shown.append(" ").append(kSecret);
    }
    return shown;
}

std::string connector_and_session(std::string_view connector, std::uint64_t number) {
    std::string text;
    append_csv_field(text, connector);
    fmt::format_to(std::back_inserter(text), ",{:016X},", number);
    return text;
}

}  // namespace

// ---- a session's lines

ProtocolLogSession::ProtocolLogSession(
    ProtocolLog& log,
    std::uint64_t number,
    std::string_view connector,
    const Endpoint& local,
    const Endpoint& remote)
    : log_(log)
    , fixed_(connector_and_session(connector, number))
    , before_sequence_(static_cast<std::uint32_t>(fixed_.size())) {
    fixed_.append(",").append(local.text()).append(",").append(remote.text()).append(",");
    fixed_.shrink_to_fit();
}

std::string_view ProtocolLogSession::id() const noexcept {
    constexpr std::size_t kDigits = 16;
    return std::string_view(fixed_).substr(before_sequence_ - 1 - kDigits, kDigits);
}

void ProtocolLogSession::connected() {
    add('+', {}, {});
}

void ProtocolLogSession::received(std::string_view line) {
    if (std::exchange(secret_next_, false)) {
        // RFC 4954 §4: `*` gives the exchange up and is no secret.
        add('<', line == "*" ? line : kSecret, {});
        return;
    }
    if (const auto auth = find_auth(line); auth != std::string_view::npos) {
        after_auth_ = true;
        add('<', without_secret(line, auth), {});
        return;
    }
    // A client that does not wait for the answer to AUTH sends its secret as if it were a command.
    const bool known = counted_verb(line) != CountedVerb::other;
    add('<', after_auth_ && !known ? kSecret : line, {});
    after_auth_ = after_auth_ && !known;
}

void ProtocolLogSession::sent(std::string_view wire, std::string_view context) {
    while (!wire.empty()) {
        const auto end = std::min(wire.find('\n'), wire.size());
        auto line = wire.substr(0, end);
        wire.remove_prefix(std::min(end + 1, wire.size()));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        secret_next_ = line.starts_with("334");
        add('>', secret_next_ && line.size() > 4 ? "334 <challenge>" : line, context);
    }
}

void ProtocolLogSession::received_content(std::uint64_t octets) {
    add('<', fmt::format("<{} octets of message content>", octets), {});
}

void ProtocolLogSession::note(std::string_view text, std::string_view context) {
    add('*', text, context);
}

void ProtocolLogSession::disconnected(std::string_view context) {
    add('-', {}, context);
}

void ProtocolLogSession::add(char event, std::string_view data, std::string_view context) {
    constexpr std::size_t kRoom = 32;
    std::string rest;
    rest.reserve(fixed_.size() + data.size() + context.size() + kRoom);
    rest += ',';
    rest.append(fixed_, 0, before_sequence_);
    rest += std::to_string(sequence_++);
    rest.append(fixed_, before_sequence_);
    rest += event;
    rest += ',';
    append_csv_field(rest, data);
    rest += ',';
    append_csv_field(rest, context);
    rest += '\n';
    log_.append(rest);
}

// ---- the log

ProtocolLog::ProtocolLog(std::string folder, Parts parts)
    : parts_(parts)
    , files_(std::move(folder), parts.files) {
    // Numbers go on from the time of the start: no two sessions share one, restarts included.
    constexpr unsigned kSessionBits = 20;
    const auto start = static_cast<std::uint64_t>(parts_.clock.now().time_since_epoch().count());
    sessions_ = start << kSessionBits;
}

ProtocolLog::~ProtocolLog() = default;

std::unique_ptr<ProtocolLogSession> ProtocolLog::open_session(
    const ReceiveConnector& connector, const Endpoint& local, const Endpoint& remote) {
    if (connector.protocol_log != ProtocolLogging::verbose) {
        return nullptr;
    }
    return std::unique_ptr<ProtocolLogSession>(
        new ProtocolLogSession(*this, sessions_++, connector.name, local, remote));
}

void ProtocolLog::append(std::string_view rest) noexcept {
    const std::lock_guard lock(mutex_);
    const auto before = gathered_.size();
    try {
        if (before + rest.size() > kMaxGathered) {
            ++dropped_;
            return;
        }
        append_time();
        gathered_ += rest;
    } catch (const std::bad_alloc&) {
        gathered_.resize(before);
        ++dropped_;  // a line that finds no memory must not stop mail
        return;
    }
    ++gathered_lines_;
    if (!ordered_ && gathered_.size() > kGatherAtMost) {
        order();
    }
}

void ProtocolLog::flush() noexcept {
    const std::lock_guard lock(mutex_);
    if (!ordered_ && (!gathered_.empty() || dropped_ > 0)) {
        order();
    }
}

// `2026-11-23T08:40:16.123Z`. Lines come many a second: the rest of the time is kept. With the lock
// held, so that times rise within the log.
void ProtocolLog::append_time() {
    constexpr std::size_t kTail = 4;  // `123Z`
    const auto now = parts_.clock.now();
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (second != second_ || second_text_.empty()) {
        second_text_ = to_iso8601(now);
        second_text_.resize(second_text_.size() - kTail);
        second_ = second;
    }
    const auto part = static_cast<unsigned>((now - second).count());
    gathered_ += second_text_;
    gathered_ += static_cast<char>('0' + part / 100);
    gathered_ += static_cast<char>('0' + part / 10 % 10);
    gathered_ += static_cast<char>('0' + part % 10);
    gathered_ += 'Z';
}

void ProtocolLog::close() noexcept {
    const std::lock_guard lock(mutex_);
    if (!ordered_ && !gathered_.empty()) {
        order();
    }
    closed_ = true;
}

// With the lock held.
void ProtocolLog::order() noexcept {
    if (closed_) {
        return;
    }
    try {
        parts_.writer.post([this] { write_gathered(); });
        ordered_ = true;
    } catch (const std::bad_alloc&) {
        return;  // the next line or flush tries again
    }
}

void ProtocolLog::sweep() {
    const std::lock_guard lock(mutex_);
    if (closed_) {
        return;
    }
    parts_.writer.post([this] { files_.delete_old(parts_.clock.now()); });
}

void ProtocolLog::write_gathered() noexcept {
    std::uint64_t lines = 0;
    std::uint64_t lost = 0;
    {
        const std::lock_guard lock(mutex_);
        writing_.swap(gathered_);
        lines = std::exchange(gathered_lines_, 0);
        lost = std::exchange(dropped_, 0);
        ordered_ = false;
    }
    ErrorCode error;
    try {
        if (const auto written = files_.append(writing_, parts_.clock.now()); !written) {
            error = written.error();
            lost += lines;
        }
    } catch (const std::bad_alloc&) {
        lost += lines;
    }
    writing_.clear();
    if (writing_.capacity() > 4 * kGatherAtMost) {
        writing_ = std::string();  // after a storm
    }
    if (lost > 0) {
        lost_ += lost;
        unsaid_ += lost;
    }
    say_lost(error);
}

// One line an interval, however long the disk is full.
void ProtocolLog::say_lost(const ErrorCode& error) noexcept {
    const auto now = parts_.clock.monotonic();
    if (unsaid_ == 0 || now < quiet_until_) {
        return;
    }
    quiet_until_ = now + kLossLogInterval;
    parts_.log.warning(
        "protocol log lines lost",
        {{"count", std::exchange(unsaid_, 0)},
         {"reason", error ? error.message() : "more than can be written"}});
}

}  // namespace mailflow

#include "tests/simulation/sim_ledger.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/dsn_report.hpp"
#include "transport/mail/header_field.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mailflow::sim {

namespace {

constexpr std::string_view kIdStart = "<m";
constexpr std::string_view kIdEnd = "@client.test>";

// Lines of all kinds that transports get wrong: empty, starting with dots, long, 8-bit.
std::string random_line(Random& random, bool eight_bit) {
    const auto kind = random.below(16);
    if (kind == 0) {
        return "\r\n";
    }
    std::string line(kind == 1 ? "." : kind == 2 ? ".." : "");
    const auto length = kind == 3 ? 900 + random.below(98) : 1 + random.below(70);
    auto bits = random.next();
    for (std::uint64_t i = 0; i < length; ++i) {
        line += static_cast<char>('a' + bits % 26);
        bits = bits * 6364136223846793005U + 1442695040888963407U;
        bits ^= bits >> 33U;
    }
    if (eight_bit && kind > 8) {
        line += "\xc3\xa4";
    }
    return line + "\r\n";
}

std::string field_of(const HeaderBlock& header, std::string_view name) {
    const auto field = header.find(name);
    return field ? field->value() : std::string();
}

}  // namespace

std::string message_id_of(std::size_t attempt) {
    return fmt::format("{}{}{}", kIdStart, attempt, kIdEnd);
}

std::vector<std::size_t> attempts_named_in(std::string_view text) {
    std::vector<std::size_t> found;
    for (auto at = text.find(kIdStart); at != std::string_view::npos;
         at = text.find(kIdStart, at + 1)) {
        const auto digits = text.substr(at + kIdStart.size());
        std::size_t number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        const auto rest = digits.substr(static_cast<std::size_t>(end - digits.data()));
        if (error == std::errc() && rest.starts_with(kIdEnd) &&
            std::find(found.begin(), found.end(), number) == found.end()) {
            found.push_back(number);
        }
    }
    return found;
}

// ---- what is sent

Attempt& Ledger::open(
    std::string sender,
    std::vector<std::string> recipients,
    std::size_t size,
    bool eight_bit,
    Random& random) {
    Attempt attempt;
    attempt.number = attempts_.size();
    attempt.sender = std::move(sender);
    for (auto& address : recipients) {
        attempt.recipients.push_back({std::move(address), false});
    }
    attempt.eight_bit = eight_bit;
    attempt.text = make_text(attempt, size, random);
    attempts_.push_back(std::move(attempt));
    return attempts_.back();
}

Attempt& Ledger::reopen(std::size_t number) {
    auto again = attempts_.at(number);
    const auto old_id = message_id_of(number);
    again.number = attempts_.size();
    again.fate = Fate::open;
    ++again.resends;
    for (auto& recipient : again.recipients) {
        recipient.accepted = false;
    }
    again.text.replace(again.text.find(old_id), old_id.size(), message_id_of(again.number));
    attempts_.push_back(std::move(again));
    return attempts_.back();
}

std::string Ledger::make_text(const Attempt& attempt, std::size_t size, Random& random) const {
    std::string text = fmt::format(
        "From: <{}>\r\nTo: undisclosed-recipients:;\r\nSubject: message {}\r\n"
        "Date: Mon, 5 Jan 2026 00:00:00 +0000\r\nMessage-ID: {}\r\n\r\n",
        attempt.sender.empty() ? "daemon@client.test" : attempt.sender,
        attempt.number,
        message_id_of(attempt.number));
    while (text.size() < size) {
        text += random_line(random, attempt.eight_bit);
    }
    return text;
}

// ---- what comes out

void Ledger::arrived(
    std::string_view place,
    const std::string& recipient,
    const std::string& text,
    bool acknowledged) {
    const HeaderBlock header(text);
    if (field_of(header, "Content-Type").starts_with("multipart/report")) {
        report_arrived(place, recipient, text);
        return;
    }
    const auto named = attempts_named_in(field_of(header, "Message-ID"));
    if (named.empty() || named.front() >= attempts_.size()) {
        violation(fmt::format("{}: a copy for {} that nobody sent", place, recipient));
        return;
    }
    const auto& attempt = attempts_[named.front()];
    if (!text.ends_with(attempt.text)) {
        violation(fmt::format(
            "{}: message {} for {} arrived altered or in part ({} octets of {})",
            place,
            attempt.number,
            recipient,
            text.size(),
            attempt.text.size()));
        return;
    }
    const bool is_named = std::any_of(
        attempt.recipients.begin(), attempt.recipients.end(), [&recipient](const auto& one) {
            return one.address == recipient && one.accepted;
        });
    if (!is_named) {
        violation(fmt::format(
            "{}: message {} arrived for {}, who is none of its recipients",
            place,
            attempt.number,
            recipient));
        return;
    }
    const Key key{attempt.number, recipient};
    ++copies_[key];
    if (acknowledged) {
        delivered_.insert(key);
    }
}

void Ledger::report_arrived(
    std::string_view place, const std::string& recipient, const std::string& text) {
    const auto fields = parse_delivery_status(text);
    const auto message_id = field_of(HeaderBlock(text), "Message-ID");
    const auto named = attempts_named_in(text);
    if (!fields || message_id.empty() || named.size() != 1 || named.front() >= attempts_.size()) {
        violation(fmt::format("{}: an unreadable report for {}", place, recipient));
        return;
    }
    const auto& attempt = attempts_[named.front()];
    if (attempt.sender != recipient) {
        violation(fmt::format(
            "{}: the report on message {} of <{}> went to <{}>",
            place,
            attempt.number,
            attempt.sender,
            recipient));
    }
    message_ids_.insert(message_id);
    for (const auto& one : fields->recipients) {
        report_names(attempt.number, message_id, one.final_recipient, one.action);
        if (one.status && one.status->text() == "4.4.7" &&
            expired_reports_.insert(message_id).second) {
            ++expiries_;
        }
    }
}

void Ledger::report_names(
    std::size_t attempt,
    const std::string& message_id,
    const std::string& recipient,
    const std::string& action) {
    if (action != "failed" && action != "delayed") {
        violation(fmt::format("a report on message {} says {}", attempt, action));
        return;
    }
    auto& reports = action == "failed" ? failures_ : delayed_;
    const auto [entry, is_new] = reports.try_emplace({attempt, recipient}, message_id);
    if (!is_new && entry->second != message_id) {
        violation(fmt::format("message {}: {} is reported {} twice", attempt, recipient, action));
    }
    delays_ += is_new && action == "delayed" ? 1 : 0;
}

void Ledger::failed_in_tracking(std::size_t attempt, const std::string& recipient) {
    tracked_failures_.insert({attempt, recipient});
}

// ---- the promise

void Ledger::check() {
    for (const auto& attempt : attempts_) {
        if (attempt.fate != Fate::acknowledged) {
            continue;
        }
        for (const auto& recipient : attempt.recipients) {
            const Key key{attempt.number, recipient.address};
            const bool is_settled =
                delivered_.contains(key) ||
                (attempt.is_null() ? tracked_failures_.contains(key) : failures_.contains(key));
            if (recipient.accepted && !is_settled) {
                violation(fmt::format(
                    "message {} of <{}> was acknowledged and is lost for {}",
                    attempt.number,
                    attempt.sender,
                    recipient.address));
            }
        }
    }
}

std::uint64_t Ledger::duplicates() const {
    std::uint64_t more = 0;
    for (const auto& [key, count] : copies_) {
        more += count - 1;
    }
    return more;
}

std::vector<std::size_t> Ledger::undelivered_of_null_senders() const {
    std::vector<std::size_t> found;
    for (const auto& attempt : attempts_) {
        const bool is_missing = std::any_of(
            attempt.recipients.begin(), attempt.recipients.end(), [&](const auto& recipient) {
                return recipient.accepted && !is_delivered(attempt.number, recipient.address);
            });
        if (attempt.is_null() && attempt.fate == Fate::acknowledged && is_missing) {
            found.push_back(attempt.number);
        }
    }
    return found;
}

std::size_t Ledger::acknowledged() const {
    return static_cast<std::size_t>(
        std::count_if(attempts_.begin(), attempts_.end(), [](const Attempt& attempt) {
            return attempt.fate == Fate::acknowledged;
        }));
}

}  // namespace mailflow::sim

#include "tests/simulation/sim_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mailflow::sim {

namespace {

constexpr std::size_t kLineLimit = 2048;
constexpr auto kPatience = std::chrono::minutes(10);
constexpr std::size_t kPiece = 8000;

std::string on_the_wire(const std::string& text) {
    std::string wire;
    wire.reserve(text.size() + 64);
    std::size_t start = 0;
    while (start < text.size()) {
        const auto end = text.find('\n', start) + 1;
        if (text[start] == '.') {
            wire += '.';
        }
        wire.append(text, start, end - start);
        start = end;
    }
    return wire;
}

std::string mail_command(const Attempt& attempt) {
    return fmt::format(
        "MAIL FROM:<{}> SIZE={}{}\r\n",
        attempt.sender,
        attempt.text.size(),
        attempt.eight_bit ? " BODY=8BITMIME" : "");
}

}  // namespace

struct SimClient::Session {
    Connection connection;
    SessionPlan plan;
};

SimClient::SimClient(Parts parts, const IpAddress& address)
    : parts_(std::move(parts))
    , host_(parts_.network, address) {}

void SimClient::start(SessionPlan plan) {
    ++live_;
    parts_.lane.spawn("client", run(std::move(plan)));
}

Task<void> SimClient::run(SessionPlan plan) {
    const auto attempts = plan.attempts;
    auto stream = co_await host_.connect(
        parts_.lane, plan.server, std::nullopt, parts_.lane.clock().monotonic() + kPatience);
    if (stream) {
        Session session{Connection(parts_.lane, std::move(*stream)), std::move(plan)};
        bool go_on = co_await greet(session);
        for (const auto number : attempts) {
            if (go_on) {
                go_on = co_await transact(session, number, number == attempts.back());
            }
        }
        if (go_on) {
            co_await write(session, "QUIT\r\n");
            co_await reply(session);
        }
    }
    for (const auto number : attempts) {
        auto& attempt = parts_.ledger.at(number);
        if (attempt.fate == Fate::open || attempt.fate == Fate::unknown) {
            attempt.fate = attempt.fate == Fate::open ? Fate::refused : attempt.fate;
            parts_.hooks.unfinished(number);
        }
    }
    --live_;
}

Task<void> SimClient::pause(std::uint64_t most_milliseconds) {
    const auto length = std::chrono::milliseconds(parts_.random.below(most_milliseconds + 1));
    const auto until = parts_.lane.clock().monotonic() + length;
    co_await parts_.lane.sleep_until(until);
}

Task<bool> SimClient::write(Session& session, std::string bytes) {
    session.connection.expires_after(kPatience);
    const auto error = co_await session.connection.write(bytes);
    co_return !error;
}

Task<int> SimClient::reply(Session& session) {
    session.connection.expires_after(kPatience);
    for (;;) {
        const auto line = co_await session.connection.read_line(kLineLimit);
        if (!line || line->size() < 4) {
            co_return 0;
        }
        int code = 0;
        std::from_chars(line->data(), line->data() + 3, code);
        if ((*line)[3] == ' ') {
            co_return code;
        }
    }
}

Task<bool> SimClient::greet(Session& session) {
    const auto greeting = co_await reply(session);
    if (greeting != 220) {
        co_return false;
    }
    bool written = co_await write(session, "EHLO client.test\r\n");
    if (!written) {
        co_return false;
    }
    const auto answer = co_await reply(session);
    co_return answer == 250;
}

// False: the connection is of no further use.
Task<bool> SimClient::transact(Session& session, std::size_t number, bool is_last) {
    const bool willing = co_await ask_recipients(session, number);
    if (!willing) {
        co_return false;
    }
    const auto& recipients = parts_.ledger.at(number).recipients;
    const bool any = std::any_of(
        recipients.begin(), recipients.end(), [](const auto& one) { return one.accepted; });
    if (!session.plan.pipelines) {
        const std::string command = any ? "DATA\r\n" : "RSET\r\n";
        const bool written = co_await write(session, command);
        if (!written) {
            co_return false;
        }
    }
    const auto answer = co_await reply(session);
    if (answer == 0 || answer == 421) {
        co_return false;
    }
    if (answer != 354) {
        // RSET, or DATA without recipients: all of them were refused for good.
        parts_.ledger.at(number).fate = answer / 100 == 4 ? Fate::open : Fate::refused;
        const bool is_reset = co_await reset(session);
        co_return is_reset;
    }
    const bool sent = co_await send_body(session, number);
    if (!sent) {
        co_return false;
    }
    const bool go_on = co_await end(session, number, is_last);
    co_return go_on;
}

// A refused DATA leaves the transaction open. RFC 5321 §4.1.4: the next MAIL comes after RSET.
Task<bool> SimClient::reset(Session& session) {
    const bool written = co_await write(session, "RSET\r\n");
    if (!written) {
        co_return false;
    }
    const auto answer = co_await reply(session);
    co_return answer == 250;
}

// MAIL and RCPT, with DATA behind them when pipelined.
Task<bool> SimClient::ask_recipients(Session& session, std::size_t number) {
    std::vector<std::string> commands{mail_command(parts_.ledger.at(number))};
    for (const auto& recipient : parts_.ledger.at(number).recipients) {
        commands.push_back(fmt::format("RCPT TO:<{}>\r\n", recipient.address));
    }
    if (session.plan.pipelines) {
        std::string flight;
        for (const auto& command : commands) {
            flight += command;
        }
        flight += "DATA\r\n";
        const bool written = co_await write(session, std::move(flight));
        if (!written) {
            co_return false;
        }
    }
    for (std::size_t i = 0; i < commands.size(); ++i) {
        if (!session.plan.pipelines) {
            const bool written = co_await write(session, commands[i]);
            if (!written) {
                co_return false;
            }
        }
        const auto code = co_await reply(session);
        if (code == 0 || code == 421) {
            co_return false;
        }
        if (i > 0) {
            parts_.ledger.at(number).recipients[i - 1].accepted = code == 250;
        }
    }
    co_return true;
}

Task<bool> SimClient::send_body(Session& session, std::size_t number) {
    const auto wire = on_the_wire(parts_.ledger.at(number).text);
    for (std::size_t at = 0; at < wire.size(); at += kPiece) {
        const bool written = co_await write(session, wire.substr(at, kPiece));
        if (!written) {
            co_return false;
        }
        if (session.plan.is_slow) {
            co_await pause(20'000);
        }
    }
    co_return true;
}

Task<bool> SimClient::end(Session& session, std::size_t number, bool is_last) {
    parts_.ledger.at(number).fate = Fate::unknown;
    waiting_.insert(number);
    bool written = co_await write(session, ".\r\n");
    if (is_last && session.plan.is_cut_after_dot) {
        co_await pause(60);
        host_.cut(session.connection.local());
    }
    int code = 0;
    if (written) {
        code = co_await reply(session);
    }
    waiting_.erase(number);
    auto& attempt = parts_.ledger.at(number);
    if (code == 0) {
        parts_.hooks.cut_after_dot();
        co_return false;
    }
    parts_.trace.note(fmt::format("message {} gets {}", number, code));
    if (code == 250) {
        attempt.fate = Fate::acknowledged;
        parts_.hooks.acknowledged();
    } else {
        attempt.fate = code / 100 == 4 ? Fate::open : Fate::refused;
    }
    co_return code != 421;
}

}  // namespace mailflow::sim

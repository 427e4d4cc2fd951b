#include "tests/simulation/sim_sink.hpp"

#include "transport/base/ascii.hpp"

#include <fmt/format.h>

namespace mailflow::sim {

namespace {

constexpr std::uint16_t kSmtp = 25;
constexpr std::size_t kLineLimit = 4096;
constexpr auto kPatience = std::chrono::minutes(20);

std::string path_in(std::string_view line) {
    const auto start = line.find('<');
    const auto end = line.find('>');
    return start == std::string_view::npos || end == std::string_view::npos || end < start
               ? std::string()
               : std::string(line.substr(start + 1, end - start - 1));
}

}  // namespace

struct SimSink::Session {
    Connection connection;
    std::string out;
    std::vector<std::string> recipients;
    std::string text;
    bool in_transaction = false;
};

SimSink::SimSink(Parts parts, std::string name, const IpAddress& address, SinkFaults faults)
    : parts_(std::move(parts))
    , name_(std::move(name))
    , host_(parts_.network, address)
    , faults_(faults) {}

void SimSink::open() {
    if (acceptor_) {
        return;
    }
    auto listening = host_.listen(parts_.lane, {host_.address(), kSmtp});
    acceptor_ = std::move(listening.value());
    parts_.lane.spawn("sink", accept_loop(acceptor_));
}

void SimSink::close() {
    if (acceptor_) {
        acceptor_->close();
        acceptor_.reset();
    }
}

void SimSink::heal() {
    faults_ = {};
    parts_.network.set_black_hole(host_.address(), false);
    open();
}

void SimSink::shut_down() {
    close();
    host_.die();
}

bool SimSink::happens(unsigned thousandths) {
    return thousandths > 0 && parts_.random.below(1000) < thousandths;
}

Task<void> SimSink::accept_loop(std::shared_ptr<Acceptor> acceptor) {
    for (;;) {
        auto stream = co_await acceptor->accept(parts_.lane);
        if (!stream) {
            co_return;
        }
        parts_.lane.spawn("sink session", serve(std::move(*stream)));
    }
}

// Seconds mostly; minutes beyond every patience now and then.
Task<void> SimSink::dawdle() {
    if (!happens(faults_.slow)) {
        co_return;
    }
    const auto pause =
        std::chrono::seconds(parts_.random.below(6) == 0 ? 1200 : 1 + parts_.random.below(60));
    const auto until = parts_.lane.clock().monotonic() + pause;
    co_await parts_.lane.sleep_until(until);
}

Task<void> SimSink::serve(std::unique_ptr<Stream> stream) {
    Session session{Connection(parts_.lane, std::move(stream)), {}, {}, {}};
    if (happens(faults_.busy)) {
        co_await session.connection.write("421 4.3.2 too busy\r\n");
        session.connection.shutdown_send();
        co_return;
    }
    session.out = fmt::format("220 {} ESMTP\r\n", name_);
    for (;;) {
        auto line = session.connection.buffered_line(kLineLimit);
        if (!line) {
            co_await dawdle();
            session.connection.expires_after(kPatience);
            const auto error = co_await session.connection.write(session.out);
            if (error) {
                co_return;
            }
            session.out.clear();
            const auto read = co_await session.connection.read_line(kLineLimit);
            line = read;
        }
        if (!*line) {
            co_return;
        }
        std::string command(**line);
        const bool go_on = co_await on_line(session, std::move(command));
        if (!go_on) {
            co_return;
        }
    }
}

Task<bool> SimSink::on_line(Session& session, std::string line) {
    const auto verb = ascii::to_lower(std::string_view(line).substr(0, 4));
    if (verb == "ehlo") {
        session.out +=
            fmt::format("250-{}\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250 8BITMIME\r\n", name_);
    } else if (verb == "mail") {
        session.in_transaction = !happens(faults_.mail_refused);
        session.out += session.in_transaction ? "250 2.1.0 go on\r\n" : "451 4.3.0 not now\r\n";
        session.recipients.clear();
        session.text.clear();
    } else if (verb == "rcpt") {
        on_recipient(session, line);
    } else if (verb == "data") {
        if (session.recipients.empty()) {
            session.out += "554 5.5.1 no valid recipients\r\n";
        } else if (happens(faults_.data_refused)) {
            session.out += "451 4.3.0 not now\r\n";
            session.recipients.clear();
        } else {
            const bool go_on = co_await receive(session);
            co_return go_on;
        }
    } else if (verb == "quit") {
        session.out += "221 2.0.0 bye\r\n";
        co_await session.connection.write(session.out);
        session.connection.shutdown_send();
        co_return false;
    } else {
        session.out += "250 2.0.0 fine\r\n";  // RSET, NOOP
        session.recipients.clear();
    }
    co_return true;
}

void SimSink::on_recipient(Session& session, const std::string& line) {
    const auto path = path_in(line);
    if (!session.in_transaction) {
        session.out += "503 5.5.1 MAIL first\r\n";
    } else if (path.starts_with("gone")) {
        session.out += "550 5.1.1 no such user\r\n";
    } else if (happens(faults_.recipient_later)) {
        session.out += "450 4.2.0 greylisted\r\n";
    } else {
        session.recipients.push_back(path);
        session.out += "250 2.1.5 fine\r\n";
    }
}

Task<bool> SimSink::receive(Session& session) {
    session.out += "354 go ahead\r\n";
    const auto error = co_await session.connection.write(session.out);
    session.out.clear();
    if (error) {
        co_return false;
    }
    const bool drops = happens(faults_.drop_in_data);
    for (;;) {
        auto line = session.connection.buffered_line(kLineLimit);
        if (!line) {
            if (drops && !session.text.empty()) {
                session.connection.close();
                co_return false;
            }
            const auto read = co_await session.connection.read_line(kLineLimit);
            line = read;
        }
        if (!*line) {
            co_return false;
        }
        if (session.connection.last_line_was_bare()) {
            parts_.ledger.violation(name_ + ": a line without CR");
        }
        if (**line == ".") {
            const bool go_on = co_await end_message(session);
            co_return go_on;
        }
        const auto text = line->value();
        session.text.append(text.starts_with('.') ? text.substr(1) : text).append("\r\n");
    }
}

Task<bool> SimSink::end_message(Session& session) {
    const bool closes = happens(faults_.close_after_dot);
    const bool later = happens(faults_.message_later);
    const bool never = happens(faults_.message_never);
    if (!closes) {
        co_await dawdle();
    }
    if (!closes && (later || never)) {
        session.out += later ? "451 4.3.0 not now\r\n" : "554 5.7.1 not wanted\r\n";
        session.recipients.clear();
        co_return true;
    }
    ++taken_;
    const auto named = attempts_named_in(session.text);
    parts_.trace.note(fmt::format(
        "{} takes message {} for {} recipients{}",
        name_,
        named.empty() ? 0 : named.front(),
        session.recipients.size(),
        closes ? " and closes without an answer" : ""));
    for (const auto& recipient : session.recipients) {
        parts_.ledger.arrived(name_, recipient, session.text, !closes);
    }
    session.recipients.clear();
    if (closes) {
        parts_.hooks.cut_after_dot();
        session.connection.close();
        co_return false;
    }
    session.out += "250 2.0.0 taken\r\n";
    parts_.hooks.accepted();
    co_return true;
}

}  // namespace mailflow::sim

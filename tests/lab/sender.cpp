#include "tests/lab/sender.hpp"

#include "tests/lab/test_message.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/random.hpp"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <optional>
#include <thread>

namespace mailflow::lab {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxReplyLine = 4096;
constexpr int kMaxReplyLines = 100;
constexpr std::chrono::milliseconds kReplyTimeout{60'000};
constexpr std::chrono::milliseconds kRetryPause{100};

enum class Sent { acknowledged, refused, try_again, connection_lost };

// What all sessions share.
struct Progress {
    std::atomic<std::uint64_t> next{0};
    std::atomic<std::uint64_t> acknowledged{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> given_up{0};
    std::atomic<std::uint64_t> attempts{0};
    std::atomic<std::uint64_t> connections{0};
    std::atomic<Clock::rep> last{0};  // when something was last settled

    void touch() { last = Clock::now().time_since_epoch().count(); }

    [[nodiscard]] Clock::duration since() const {
        return Clock::now().time_since_epoch() - Clock::duration(last);
    }
};

class Session {
  public:
    Session(
        const SendSettings& settings, Progress& progress, AckedFile& acked, const Interrupt& stop)
        : settings_(settings)
        , progress_(progress)
        , acked_(acked)
        , stop_(stop) {}

    void run(Clock::time_point start) {
        while (!stop_.is_set()) {
            const auto number = progress_.next++;
            if (number >= settings_.count) break;
            keep_rate(start, number);
            settle(number);
        }
        if (socket_) socket_->write("QUIT\r\n");
    }

  private:
    void keep_rate(Clock::time_point start, std::uint64_t number) const {
        if (settings_.rate == 0) return;
        const auto due = start + std::chrono::microseconds(number * 1'000'000 / settings_.rate);
        const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now());
        if (wait.count() > 0) pause_for(wait, stop_);
    }

    // Until this message has its final answer.
    void settle(std::uint64_t number) {
        const auto id = fmt::format("{}-{:07}", settings_.prefix, number);
        const auto& to = settings_.to[number % settings_.to.size()];
        while (!stop_.is_set()) {
            const auto sent = send(id, to);
            if (sent == Sent::acknowledged) {
                acked_.add(id);
                ++progress_.acknowledged;
                progress_.touch();
                return;
            }
            if (sent == Sent::refused) {
                ++progress_.refused;
                progress_.touch();
                return;
            }
            if (progress_.since() > settings_.patience) {
                ++progress_.given_up;
                return;
            }
            pause_for(kRetryPause, stop_);
        }
        ++progress_.given_up;
    }

    Sent send(const std::string& id, const std::string& to) {
        if (settings_.per_connection > 0 && on_connection_ >= settings_.per_connection && socket_) {
            socket_->write("QUIT\r\n");
            socket_.reset();
        }
        if (!socket_ && !open()) return Sent::connection_lost;
        ++progress_.attempts;
        const auto sent = transaction(id, to);
        ++on_connection_;
        if (sent == Sent::connection_lost) {
            socket_.reset();
        } else if (sent != Sent::acknowledged && command("RSET") != 250) {
            socket_.reset();
        }
        return sent;
    }

    bool open() {
        socket_ = LineSocket::connect(settings_.server, kReplyTimeout, &stop_);
        if (!socket_) return false;
        on_connection_ = 0;
        if (reply() == 220 && command("EHLO lab.test") == 250) {
            ++progress_.connections;
            return true;
        }
        socket_.reset();
        return false;
    }

    Sent transaction(const std::string& id, const std::string& to) {
        for (const auto& line : {"MAIL FROM:<" + settings_.from + ">", "RCPT TO:<" + to + ">"}) {
            const int code = command(line);
            if (code != 250) return judge(code);
        }
        const int code = command("DATA");
        if (code != 354) return judge(code);
        // No line of a test message begins with a dot.
        if (!socket_->write(make_test_message(id, settings_.from, to, settings_.size) + ".\r\n")) {
            return Sent::connection_lost;
        }
        return judge(reply());
    }

    static Sent judge(int code) {
        if (code == 250) return Sent::acknowledged;
        if (code == 0 || code == 421) return Sent::connection_lost;
        return code >= 500 ? Sent::refused : Sent::try_again;
    }

    int command(const std::string& line) {
        if (!socket_->write(line + "\r\n")) return 0;
        return reply();
    }

    // The code of a reply; 0 when none came.
    int reply() {
        for (int lines = 0; lines < kMaxReplyLines; ++lines) {
            const auto line = socket_->read_line(kMaxReplyLine);
            if (!line || line->size() < 3) return 0;
            if (line->size() > 3 && (*line)[3] == '-') continue;
            const auto code = ascii::parse_number(std::string_view(*line).substr(0, 3));
            return code ? static_cast<int>(*code) : 0;
        }
        return 0;
    }

    const SendSettings& settings_;
    Progress& progress_;
    AckedFile& acked_;
    const Interrupt& stop_;
    std::optional<LineSocket> socket_;
    std::uint64_t on_connection_ = 0;
};

}  // namespace

SendReport send_messages(const SendSettings& given, AckedFile& acked, const Interrupt& stop) {
    auto settings = given;
    if (settings.prefix.empty()) {
        SystemRandom random;
        settings.prefix = fmt::format("{:012x}", random.next() >> 16);
    }
    Progress progress;
    progress.touch();
    const auto start = Clock::now();
    std::mutex mutex;
    std::exception_ptr failure;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < settings.sessions; ++i) {
        threads.emplace_back([&] {
            try {
                Session(settings, progress, acked, stop).run(start);
            } catch (...) {
                const std::lock_guard lock(mutex);
                failure = std::current_exception();
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    if (failure) std::rethrow_exception(failure);
    SendReport report;
    report.acknowledged = progress.acknowledged;
    report.refused = progress.refused;
    report.given_up = progress.given_up;
    report.attempts = progress.attempts;
    const std::uint64_t connections = progress.connections;
    report.reconnects = connections > settings.sessions ? connections - settings.sessions : 0;
    report.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    return report;
}

}  // namespace mailflow::lab

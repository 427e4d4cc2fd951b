// The protocol log of the receive connectors that keep one: what both sides said, a CSV line each
// (reference 12.2), in RECVyyyymmdd-n.log files of UTC days. A line costs its lane some text and an
// uncontended lock: lines gather in memory and the writer takes them in batches. Beyond a bound
// lines are dropped, counted and said; a full disk loses lines, never mail. One ProtocolLog for the
// daemon's life, any thread; a ProtocolLogSession belongs to its receive session, on its lane.
// Secrets never get here: what AUTH carries is masked, message content is a number of octets.
#pragma once

#include "server/receive/protocol_log_files.hpp"
#include "transport/base/clock.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/base/log.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/org/receive_connector.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

class ProtocolLog;

// The lines of one connection. The sequence number counts them.
class ProtocolLogSession {
  public:
    // `+`, once.
    void connected();
    // `<`: a command line without its line end. An answer to a 334, an initial response, and lines
    // that no verb begins after an AUTH are written as `<secret>`.
    void received(std::string_view line);
    // `>`: a reply as it goes out; a line each.
    void sent(std::string_view wire, std::string_view context = {});
    // `<`: message octets, never themselves.
    void received_content(std::uint64_t octets);
    // `*`: what happened besides, in our words: the TLS agreed on, who logged in, why refused.
    void note(std::string_view text, std::string_view context = {});
    // `-`, once, with the reason if there is one. Nothing may follow.
    void disconnected(std::string_view context = {});

    // 16 hexadecimal digits.
    [[nodiscard]] std::string_view id() const noexcept;

  private:
    friend class ProtocolLog;
    ProtocolLogSession(
        ProtocolLog& log,
        std::uint64_t number,
        std::string_view connector,
        const Endpoint& local,
        const Endpoint& remote);

    void add(char event, std::string_view data, std::string_view context);

    ProtocolLog& log_;
    std::string fixed_;  // connector and session, then both endpoints, as CSV; in one piece
    std::uint32_t before_sequence_ = 0;  // octets of it
    std::uint32_t sequence_ = 0;
    bool secret_next_ = false;  // the last reply was a 334
    bool after_auth_ = false;   // AUTH was said, and no known verb since
};

class ProtocolLog {
  public:
    // Octets that make the writer write without being asked, and those beyond which lines are
    // dropped.
    static constexpr std::size_t kGatherAtMost = 64UL * 1024;
    static constexpr std::size_t kMaxGathered = 8UL * 1024 * 1024;

    // All outlive the log; `writer` runs what is posted before `files` goes.
    struct Parts {
        TaskRunner& writer;
        Files& files;
        const Clock& clock;
        Log log;
    };

    // `folder`: made with the first line.
    ProtocolLog(std::string folder, Parts parts);
    ~ProtocolLog();
    ProtocolLog(const ProtocolLog&) = delete;
    ProtocolLog& operator=(const ProtocolLog&) = delete;

    // Null unless the connector says verbose: all a quiet connector pays is the test for it. The
    // log outlives the session.
    [[nodiscard]] std::unique_ptr<ProtocolLogSession> open_session(
        const ReceiveConnector& connector, const Endpoint& local, const Endpoint& remote);

    // The last flush; lines that come later are lost.
    void close() noexcept;
    // Hands what has gathered to the writer, when there is anything. What is offloaded to the
    // writer afterwards sees it written.
    void flush() noexcept;
    // Deletes files that are too old, for nights without a line. Never waits.
    void sweep();

    [[nodiscard]] TaskRunner& writer() noexcept { return parts_.writer; }

    // On the writer only.
    [[nodiscard]] ProtocolLogFiles& files() noexcept { return files_; }

    // Lines lost so far: too many at once, or the disk did not take them.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

  private:
    friend class ProtocolLogSession;

    // `rest`: the line behind its time.
    void append(std::string_view rest) noexcept;
    void append_time();
    void order() noexcept;
    // On the writer.
    void write_gathered() noexcept;
    void say_lost(const ErrorCode& error) noexcept;

    Parts parts_;
    ProtocolLogFiles files_;
    std::atomic<std::uint64_t> sessions_;  // the next session's number
    std::atomic<std::uint64_t> lost_ = 0;
    std::mutex mutex_;
    std::string gathered_;
    UtcTime second_{};         // of the last line
    std::string second_text_;  // `2026-11-23T08:40:16.`
    std::uint64_t gathered_lines_ = 0;
    std::uint64_t dropped_ = 0;
    bool ordered_ = false;  // the writer has been told to write
    bool closed_ = false;   // it is told nothing more
    // The writer's.
    std::string writing_;
    std::uint64_t unsaid_ = 0;
    MonotonicTime quiet_until_{};
};

}  // namespace mailflow

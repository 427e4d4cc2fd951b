// What the sink got: counted, kept for tests in memory, and written to a folder: `000001.eml` per
// message, `messages.jsonl` and `sessions.jsonl` with one JSON object a line. Any thread.
#pragma once

#include "transport/base/ip_address.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace mailflow::lab {

struct SinkMessage {
    std::uint64_t number = 0;
    std::uint64_t session = 0;
    std::string from;             // without angle brackets; empty for <>
    std::string from_parameters;  // what followed the path: `SIZE=123 BODY=8BITMIME`
    std::vector<std::string> to;
    std::vector<std::string> to_parameters;
    std::string content;        // after dot-unstuffing, CRLF line ends
    bool acknowledged = false;  // a 250 was sent for it
};

struct SinkSession {
    std::uint64_t number = 0;
    Endpoint local;
    Endpoint peer;
    std::string helo;
    std::uint64_t messages = 0;  // acknowledged ones
    std::uint64_t commands = 0;
    bool pipelined = false;             // a command came before the reply to the one before
    std::vector<std::string> dialogue;  // command lines, at most 1,000
    std::string ended;                  // `quit`, `dropped` (by us), `lost` (by the peer)
};

class SinkJournal {
  public:
    // `folder` empty: nothing is written. It is made when missing.
    explicit SinkJournal(std::string folder);

    std::uint64_t next_session();
    void add(SinkMessage message);
    void add(SinkSession session);

    [[nodiscard]] std::vector<SinkMessage> messages() const;
    [[nodiscard]] std::vector<SinkSession> sessions() const;
    [[nodiscard]] std::uint64_t message_count() const;
    [[nodiscard]] std::uint64_t session_count() const;

    // Called with each message's JSON line, under the journal's lock.
    void on_message(std::function<void(const std::string&)> callback);

    // False when there are fewer by then.
    bool wait_for_messages(std::uint64_t count, std::chrono::milliseconds timeout) const;
    bool wait_for_sessions(std::uint64_t count, std::chrono::milliseconds timeout) const;

  private:
    const std::string folder_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::function<void(const std::string&)> on_message_;
    std::vector<SinkMessage> messages_;
    std::vector<SinkSession> sessions_;
    std::uint64_t last_session_ = 0;
    std::uint64_t message_count_ = 0;
    std::uint64_t ended_sessions_ = 0;
};

}  // namespace mailflow::lab

// `mailflow-lab send`: sessions that send numbered messages until each is acknowledged, through any
// crash of the server. A message without its 250 is sent again, under its old id.
#pragma once

#include "tests/lab/acked_file.hpp"
#include "tests/lab/socket.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mailflow::lab {

struct SendSettings {
    Endpoint server;
    std::string from;
    std::vector<std::string> to;  // in turn
    std::uint64_t count = 1;
    unsigned sessions = 1;
    std::size_t size = 1024;
    std::uint64_t rate = 0;            // messages a second over all sessions; 0: as fast as it goes
    std::uint64_t per_connection = 0;  // messages; 0: keep the connection
    std::chrono::milliseconds patience{60'000};  // without any progress, then it gives up
    std::string prefix;                          // of ids; empty: made up
};

struct SendReport {
    std::uint64_t acknowledged = 0;
    std::uint64_t refused = 0;  // by a 5xx
    std::uint64_t given_up = 0;
    std::uint64_t attempts = 0;    // transactions begun
    std::uint64_t reconnects = 0;  // connections beyond the first of each session
    std::chrono::milliseconds elapsed{0};
};

// Returns when every message is acknowledged, refused or given up, or when interrupted.
[[nodiscard]] SendReport send_messages(
    const SendSettings& settings, AckedFile& acked, const Interrupt& stop);

}  // namespace mailflow::lab

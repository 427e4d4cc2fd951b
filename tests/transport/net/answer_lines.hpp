// A server that answers every line: what the tests of an idle session's cost keep open.
#pragma once

#include "transport/net/connection.hpp"

#include <chrono>
#include <string_view>

namespace mailflow {

// Until the client is gone.
inline Task<void> answer_lines(Connection* connection) {
    for (;;) {
        connection->expires_after(std::chrono::minutes(5));
        const auto line = co_await connection->read_line(2048);
        if (!line) {
            co_return;
        }
        std::string_view reply = "250 2.0.0 OK\r\n";
        const auto error = connection->try_write(reply);
        if (error) {
            co_return;
        }
    }
}

}  // namespace mailflow

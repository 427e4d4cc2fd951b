// The messages `send` sends and `verify` looks for: an id in `X-Lab-Id`, in the Message-ID and at
// both ends of the body, so that a message that lost its tail is seen. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow::lab {

// With CRLF line ends, about `size` octets, at least what the frame takes.
[[nodiscard]] std::string make_test_message(
    const std::string& id, const std::string& from, const std::string& to, std::size_t size);

struct FoundMessage {
    std::string id;
    bool whole = false;
};

// Nothing when `content` is no message of `send`. Line ends may be CRLF or LF, fields may have been
// added in front.
[[nodiscard]] std::optional<FoundMessage> find_test_message(std::string_view content);

}  // namespace mailflow::lab

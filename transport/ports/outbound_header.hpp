// What of a message's header goes to the outside (reference 1.7): fields meant for our own servers
// never, trace fields where the send connector allows it. Who hands a message to another host reads
// its content through this.
#pragma once

#include "transport/ports/body_store.hpp"

#include <cstdint>
#include <memory>

namespace mailflow {

struct HeaderRights {
    bool routing = true;        // Received, Resent-*
    bool organization = false;  // X-Mailflow-*
};

struct OutboundContent {
    std::unique_ptr<BodyReader> reader;
    std::uint64_t left_out = 0;  // octets that `reader` gives less than the content has
};

// `content` as a reader of it gives it, without the header fields there is no right to. Reads the
// header through, which it keeps in memory; the body is handed out as it is.
[[nodiscard]] Task<Result<OutboundContent>> open_outbound(
    std::unique_ptr<BodyReader> content, HeaderRights rights);

}  // namespace mailflow

// A message's content as it leaves us: the prefix, then the stored body with its header edits
// applied, in pieces. Who sends, delivers, exports or attaches a message reads it through this.
#pragma once

#include "transport/ports/body_store.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <memory>

namespace mailflow {

// `body` reads the stored octets from their beginning; `content` need not outlive the call. Reading
// gives Error::corrupt when the edits are out of order or reach beyond the body.
[[nodiscard]] std::unique_ptr<BodyReader> make_content_reader(
    const Content& content, std::unique_ptr<BodyReader> body);
// With prefix and edits of the variant of the message that `recipient` gets.
[[nodiscard]] std::unique_ptr<BodyReader> make_content_reader(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    std::unique_ptr<BodyReader> body);

}  // namespace mailflow

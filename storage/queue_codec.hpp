// How the parts of a queued message that never change after the commit are packed into one column:
// a format octet, then fields in order, numbers in base 128, texts with their length in front. Rows
// of earlier formats are read for ever, only the newest is written.
// Pure; used by the queue's writer and reader. What it reads may be damaged: Error::corrupt, never
// more.
#pragma once

#include "transport/base/result.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <string>
#include <string_view>

namespace mailflow {

// Time of acceptance, envelope (without recipients), origin, content.
[[nodiscard]] std::string pack_message(const QueuedMessage& message);
// Fills those fields of `message`.
[[nodiscard]] Result<> unpack_message(std::string_view bytes, QueuedMessage& message);

// Target, address, original path, mailbox, DSN request.
[[nodiscard]] std::string pack_recipient(const QueuedRecipient& recipient);
// Makes a recipient with those fields.
[[nodiscard]] Result<QueuedRecipient> unpack_recipient(std::string_view bytes);

[[nodiscard]] std::string pack_status(const DeliveryStatus& status);
[[nodiscard]] Result<DeliveryStatus> unpack_status(std::string_view bytes);

}  // namespace mailflow

// The octets of a report: its text with the original streamed into it, as a body of its own. Used
// by DsnGenerator on the queue lane.
#pragma once

#include "transport/mail/dsn_report.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <string>

namespace mailflow {

// The message a report is about, and its content as the reader of the report may see it.
struct DsnOriginal {
    QueuedMessagePtr message;
    Content content;
};

// `whole`: the original is returned whole, and an error when it cannot be read; else its header, as
// far as it can be read.
Task<Result<StoredBody>> write_dsn(
    BodyStore& bodies, QueueId id, DsnText text, DsnOriginal original, bool whole);

// The header of the original for people, cut behind a line when it is long; empty when it cannot be
// read.
Task<std::string> shown_header(BodyStore& bodies, DsnOriginal original);

}  // namespace mailflow

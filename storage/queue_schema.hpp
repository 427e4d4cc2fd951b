// The tables of queue.db. Ids are ours (message.id is the QueueId), times are milliseconds UTC,
// what never changes is packed (queue_codec). Counts that anyone asks for are columns, kept by the
// writer in the transaction that changes them; nothing is ever counted by a scan.
#pragma once

#include "storage/schema.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <array>

namespace mailflow {

// message.open = ready + unreported: whether the queue has something to do with the row besides
// waiting. The partial index on it finds the few such rows among any number of deferred ones.
// recipient.state is a RecipientState; recipient.next_hop is 0 unless it is deferred.
static_assert(static_cast<int>(RecipientState::ready) == 0);
static_assert(static_cast<int>(RecipientState::deferred) == 1);
static_assert(static_cast<int>(RecipientState::held) == 2);

inline constexpr std::array kQueueSchema{
    SchemaStep{R"(
CREATE TABLE message(
    id INTEGER PRIMARY KEY,
    open INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    unreported INTEGER NOT NULL,
    held INTEGER NOT NULL,
    file INTEGER NOT NULL,
    packed BLOB NOT NULL);
CREATE INDEX message_open ON message(id) WHERE open > 0;
CREATE TABLE body(
    id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL);
CREATE TABLE recipient(
    message INTEGER NOT NULL,
    number INTEGER NOT NULL,
    state INTEGER NOT NULL,
    reported INTEGER NOT NULL,
    delay_notified INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due INTEGER NOT NULL,
    next_hop INTEGER NOT NULL,
    packed BLOB NOT NULL,
    last BLOB,
    PRIMARY KEY(message, number)) WITHOUT ROWID;
CREATE INDEX recipient_due ON recipient(next_hop, due) WHERE state = 1;
CREATE TABLE next_hop(
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    attempts INTEGER NOT NULL,
    first_failure INTEGER NOT NULL,
    next_retry INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    deferred INTEGER NOT NULL);
CREATE TABLE totals(
    id INTEGER PRIMARY KEY CHECK(id = 1),
    messages INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    held INTEGER NOT NULL);
INSERT INTO totals VALUES(1, 0, 0, 0);
PRAGMA user_version = 1;
)"},
    // Rows of format 2 (queue_codec): an older program must not open them.
    SchemaStep{"PRAGMA user_version = 2;"},
    // How long the queue is, for back pressure.
    SchemaStep{R"(
ALTER TABLE totals ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;
UPDATE totals SET ready = (SELECT coalesce(sum(ready), 0) FROM message WHERE open > 0);
PRAGMA user_version = 3;
)"}};

}  // namespace mailflow

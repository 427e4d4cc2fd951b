#include "storage/queue_writer.hpp"

#include "storage/queue_codec.hpp"

#include <utility>

namespace mailflow {

// ---- groups and their sums

void QueueWriter::begin_group() {
    group_ = {};
    retiring_.clear();
    retired_files_.clear();
}

void QueueWriter::keep_item() {
    group_.messages += item_.messages;
    group_.deferred += item_.deferred;
    group_.held += item_.held;
    group_.ready += item_.ready;
    for (const auto& [hop, change] : item_.hops) {
        group_.hops[hop] += change;
    }
    group_.files.insert(group_.files.end(), item_.files.begin(), item_.files.end());
    item_ = {};
}

void QueueWriter::write_hop_counts() {
    for (const auto& [hop, change] : group_.hops) {
        if (change != 0) {
            connection_.query("UPDATE next_hop SET deferred = deferred + ?1 WHERE id = ?2")
                .bind(change)
                .bind(hop)
                .run();
        }
        if (change < 0) {
            // A queue that ran empty forgets its failures: the next message starts afresh.
            connection_.query("DELETE FROM next_hop WHERE id = ?1 AND deferred = 0")
                .bind(hop)
                .run();
        }
    }
    group_.hops.clear();
}

void QueueWriter::finish_group() {
    write_hop_counts();
    if (group_.messages != 0 || group_.deferred != 0 || group_.held != 0 || group_.ready != 0) {
        connection_
            .query(
                "UPDATE totals SET messages = messages + ?1, deferred = deferred + ?2, held = held "
                "+ ?3, ready = ready + ?4 WHERE id = 1")
            .bind(group_.messages)
            .bind(group_.deferred)
            .bind(group_.held)
            .bind(group_.ready)
            .run();
    }
    retired_files_ = std::move(group_.files);
}

void QueueWriter::Counts::add(RecipientState state, bool reported, std::int64_t by) noexcept {
    ready += state == RecipientState::ready ? by : 0;
    deferred += state == RecipientState::deferred ? by : 0;
    unreported += is_final(state) && !reported ? by : 0;
}

// ---- a new message

void QueueWriter::insert(const QueuedMessage& message) {
    Counts counts;
    for (const auto& recipient : message.recipients) {
        counts.add(recipient.state, recipient.reported, 1);
    }
    const std::string packed = pack_message(message);
    connection_
        .query(
            "INSERT INTO message(id, open, ready, deferred, unreported, held, file, packed) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .bind(message.id.value)
        .bind(counts.ready + counts.unreported)
        .bind(counts.ready)
        .bind(counts.deferred)
        .bind(counts.unreported)
        .bind(message.held)
        .bind(message.content.body.file)
        .bind_blob(packed)
        .run();
    if (message.content.body.file == 0 && message.body && !message.body->empty()) {
        connection_.query("INSERT INTO body(id, bytes) VALUES(?1, ?2)")
            .bind(message.id.value)
            .bind_blob(*message.body)
            .run();
    }
    for (const auto& recipient : message.recipients) {
        const bool waits = recipient.state == RecipientState::deferred;
        const std::int64_t hop = waits ? hop_id(recipient.next_hop) : 0;
        insert_recipient(message.id, recipient, hop);
        if (waits) {
            ++item_.hops[hop];
        }
    }
    item_.messages += 1;
    item_.deferred += counts.deferred;
    item_.ready += counts.ready;
    item_.held += message.held ? 1 : 0;
}

void QueueWriter::insert_recipient(QueueId id, const QueuedRecipient& recipient, std::int64_t hop) {
    const std::string packed = pack_recipient(recipient);
    const std::string last = recipient.last ? pack_status(*recipient.last) : std::string();
    auto row = connection_.query(
        "INSERT INTO recipient(message, number, state, reported, delay_notified, attempts, due, "
        "next_hop, packed, last) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    row.bind(id.value)
        .bind(recipient.number)
        .bind(static_cast<int>(recipient.state))
        .bind(recipient.reported)
        .bind(recipient.delay_notified)
        .bind(recipient.attempts)
        .bind(recipient.due)
        .bind(hop)
        .bind_blob(packed);
    if (recipient.last) {
        row.bind_blob(last);
    } else {
        row.bind_null();
    }
    row.run();
}

std::int64_t QueueWriter::hop_id(const std::string& key) {
    auto known = connection_.query("SELECT id FROM next_hop WHERE key = ?1");
    known.bind_text(key);
    const bool found = known.step();
    if (found) {
        return known.integer(0);
    }
    connection_
        .query(
            "INSERT INTO next_hop(key, attempts, first_failure, next_retry, last_error, deferred) "
            "VALUES(?1, 0, 0, 0, '', 0)")
        .bind_text(key)
        .run();
    return connection_.database().getLastInsertRowid();
}

// ---- changes

void QueueWriter::apply(const QueueChange& change_of_any_kind) {
    struct Visitor {
        QueueWriter& self;

        void operator()(const RecipientChange& value) const { self.change(value); }

        void operator()(const RetireMessage& value) const { self.retire(value.message); }

        void operator()(const HoldMessage& value) const { self.hold(value); }

        void operator()(const NextHopState& value) const { self.set_hop(value); }
    };

    std::visit(Visitor{*this}, change_of_any_kind);
}

void QueueWriter::change(const RecipientChange& change) {
    MessageRow message;
    RecipientRow before;
    if (retiring_.contains(change.message.value) || !find_message(change.message, message) ||
        !find_recipient(change.message, change.recipient, before)) {
        return;  // the message is gone or goes with this very group
    }
    if (is_final(before.state) && change.state != before.state) {
        return;  // final is final: a late command finds the recipient done
    }
    // An attempt that was under way when the message was held ends, but starts no further one.
    const auto state =
        message.held && !is_final(change.state) ? RecipientState::held : change.state;
    const bool reported = before.reported || change.reported;
    // Only who waits in a queue points at it: a queue that ran empty goes.
    const std::int64_t hop = state == RecipientState::deferred ? hop_id(change.next_hop) : 0;
    const std::string last = change.last ? pack_status(*change.last) : std::string();
    auto row = connection_.query(
        "UPDATE recipient SET state = ?1, reported = ?2, attempts = ?3, due = ?4, next_hop = ?5, "
        "last = coalesce(?6, last) "
        "WHERE message = ?7 AND number = ?8");
    row.bind(static_cast<int>(state))
        .bind(reported)
        .bind(change.attempts)
        .bind(change.due)
        .bind(hop);
    if (change.last) {
        row.bind_blob(last);
    } else {
        row.bind_null();
    }
    row.bind(change.message.value).bind(change.recipient).run();

    item_.ready -= message.counts.ready;
    message.counts.add(before.state, before.reported, -1);
    message.counts.add(state, reported, 1);
    item_.ready += message.counts.ready;
    write_counts(change.message, message.counts);
    if (before.state == RecipientState::deferred) {
        --item_.hops[before.hop];
        --item_.deferred;
    }
    if (state == RecipientState::deferred) {
        ++item_.hops[hop];
        ++item_.deferred;
    }
}

void QueueWriter::retire(QueueId id) {
    MessageRow message;
    if (!find_message(id, message)) {
        return;
    }
    if (message.counts.deferred != 0) {
        leave_hops(id);
    }
    connection_.query("DELETE FROM recipient WHERE message = ?1").bind(id.value).run();
    if (message.file == 0) {
        connection_.query("DELETE FROM body WHERE id = ?1").bind(id.value).run();
    } else {
        item_.files.push_back(message.file);
    }
    connection_.query("DELETE FROM message WHERE id = ?1").bind(id.value).run();
    item_.messages -= 1;
    item_.ready -= message.counts.ready;
    item_.held -= message.held ? 1 : 0;
}

// Takes the deferred recipients of a message out of the counts of their queues.
void QueueWriter::leave_hops(QueueId id) {
    auto rows =
        connection_.query("SELECT next_hop FROM recipient WHERE message = ?1 AND state = 1");
    rows.bind(id.value);
    while (rows.step()) {
        --item_.hops[rows.integer(0)];
        --item_.deferred;
    }
}

void QueueWriter::hold(const HoldMessage& change) {
    MessageRow message;
    if (!find_message(change.message, message) || message.held == change.held) {
        return;
    }
    item_.ready -= message.counts.ready;
    if (change.held) {
        leave_hops(change.message);
        connection_
            .query(
                "UPDATE recipient SET state = 2, next_hop = 0 WHERE message = ?1 AND state IN (0, "
                "1)")
            .bind(change.message.value)
            .run();
        message.counts.ready = 0;
        message.counts.deferred = 0;
    } else {
        message.counts.ready +=
            connection_.query("UPDATE recipient SET state = 0 WHERE message = ?1 AND state = 2")
                .bind(change.message.value)
                .run();
    }
    connection_.query("UPDATE message SET held = ?1 WHERE id = ?2")
        .bind(change.held)
        .bind(change.message.value)
        .run();
    write_counts(change.message, message.counts);
    item_.ready += message.counts.ready;
    item_.held += change.held ? 1 : -1;
}

void QueueWriter::set_hop(const NextHopState& state) {
    const int known = connection_
                          .query(
                              "UPDATE next_hop SET attempts = ?1, first_failure = ?2, next_retry = "
                              "?3, last_error = ?4 "
                              "WHERE key = ?5")
                          .bind(state.attempts)
                          .bind(state.first_failure)
                          .bind(state.next_retry)
                          .bind_text(state.last_error)
                          .bind_text(state.key)
                          .run();
    if (known == 0 && state.attempts > 0) {
        connection_
            .query(
                "INSERT INTO next_hop(key, attempts, first_failure, next_retry, last_error, "
                "deferred) "
                "VALUES(?1, ?2, ?3, ?4, ?5, 0)")
            .bind_text(state.key)
            .bind(state.attempts)
            .bind(state.first_failure)
            .bind(state.next_retry)
            .bind_text(state.last_error)
            .run();
    }
}

void QueueWriter::mark(const ReportMark& mark) {
    MessageRow message;
    if (!find_message(mark.message, message)) {
        return;
    }
    for (const std::uint32_t number : mark.recipients) {
        RecipientRow before;
        if (!find_recipient(mark.message, number, before)) {
            continue;
        }
        if (mark.delay) {
            connection_
                .query("UPDATE recipient SET delay_notified = 1 WHERE message = ?1 AND number = ?2")
                .bind(mark.message.value)
                .bind(number)
                .run();
            continue;
        }
        connection_.query("UPDATE recipient SET reported = 1 WHERE message = ?1 AND number = ?2")
            .bind(mark.message.value)
            .bind(number)
            .run();
        message.counts.add(before.state, before.reported, -1);
        message.counts.add(before.state, true, 1);
    }
    write_counts(mark.message, message.counts);
}

bool QueueWriter::find_message(QueueId id, MessageRow& row) {
    auto found = connection_.query(
        "SELECT ready, deferred, unreported, held, file FROM message WHERE id = ?1");
    found.bind(id.value);
    const bool is_there = found.step();
    if (is_there) {
        row.counts = {found.integer(0), found.integer(1), found.integer(2)};
        row.held = found.boolean(3);
        row.file = found.unsigned_integer(4);
    }
    return is_there;
}

bool QueueWriter::find_recipient(QueueId id, std::uint32_t number, RecipientRow& row) {
    auto found = connection_.query(
        "SELECT state, reported, next_hop FROM recipient WHERE message = ?1 AND number = ?2");
    found.bind(id.value).bind(number);
    const bool is_there = found.step();
    if (is_there) {
        row.state = static_cast<RecipientState>(found.integer(0));
        row.reported = found.boolean(1);
        row.hop = found.integer(2);
    }
    return is_there;
}

void QueueWriter::write_counts(QueueId id, const Counts& counts) {
    connection_
        .query(
            "UPDATE message SET open = ?1, ready = ?2, deferred = ?3, unreported = ?4 WHERE id = "
            "?5")
        .bind(counts.ready + counts.unreported)
        .bind(counts.ready)
        .bind(counts.deferred)
        .bind(counts.unreported)
        .bind(id.value)
        .run();
}

// ---- making queues due

QueueWriter::DueSlice QueueWriter::make_due(
    const std::string& hop, std::int64_t from, UtcTime now, std::size_t limit) {
    auto hops = connection_.query(
        "SELECT id, deferred FROM next_hop WHERE id >= ?1 AND deferred > 0 AND (?2 = '' OR key = "
        "?2) ORDER BY id");
    hops.bind(from).bind_text(hop);
    DueSlice slice;
    while (hops.step()) {
        const std::int64_t id = hops.integer(0);
        if (limit == 0) {
            return {slice.recipients, false, id};
        }
        connection_.query("UPDATE next_hop SET next_retry = 0 WHERE id = ?1").bind(id).run();
        const std::uint64_t moved = make_hop_due(id, now, limit);
        if (moved == limit) {
            return {slice.recipients, false, id};  // perhaps more: the next call finds out
        }
        limit -= static_cast<std::size_t>(moved) + 1;
        slice.recipients += hops.unsigned_integer(1);
    }
    return slice;
}

std::uint64_t QueueWriter::make_hop_due(std::int64_t hop, UtcTime now, std::size_t limit) {
    const int moved = connection_
                          .query(
                              "UPDATE recipient SET due = ?1 WHERE (message, number) IN ("
                              "SELECT message, number FROM recipient INDEXED BY recipient_due "
                              "WHERE next_hop = ?2 AND state = 1 AND due > ?1 LIMIT ?3)")
                          .bind(now)
                          .bind(hop)
                          .bind(static_cast<std::uint64_t>(limit))
                          .run();
    return static_cast<std::uint64_t>(moved);
}

void QueueWriter::drop_idle_hops() {
    connection_.query("DELETE FROM next_hop WHERE deferred = 0").run();
}

}  // namespace mailflow

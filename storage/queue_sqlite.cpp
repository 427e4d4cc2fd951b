#include "storage/queue_sqlite.hpp"

#include "storage/body_spooling.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace mailflow {

namespace {

Result<> result_of(const CommitOutcome& outcome) {
    if (outcome.error) {
        return outcome.error;
    }
    return {};
}

// A small body comes with its octets: without them the row would be a message without a body.
bool has_its_body(const QueuedMessage& message) noexcept {
    const auto& ref = message.content.body;
    return ref.file != 0 || ref.length == (message.body ? message.body->size() : 0);
}

// Made outside of coroutines: GCC 12 copies temporaries inside them bit by bit.
CommitItem item_of(CommitWork work) {
    CommitItem item;
    item.work = std::move(work);
    return item;
}

CommitItem new_message(Submission submission) {
    return item_of(NewMessage{std::move(submission)});
}

CommitItem new_report(Submission report, ReportMark mark) {
    return item_of(NewReport{std::move(report), std::move(mark)});
}

CommitItem make_due_item(const std::string& hop, std::int64_t from, UtcTime now) {
    return item_of(MakeDue{hop, from, now});
}

}  // namespace

// ---- changes

Task<CommitOutcome> SqliteQueueStore::submit(CommitItem item) {
    const auto home = co_await asio::this_coro::executor;
    CommitWaiter waiter{home, {}};
    item.waiter = &waiter;
    writer_.submit(std::move(item));
    const auto outcome = co_await waiter.done.wait();
    co_return outcome;
}

Task<Result<>> SqliteQueueStore::commit(Submission submission) {
    if (!has_its_body(submission.message)) {
        co_return make_error_code(Error::corrupt);
    }
    const auto body = submission.message.body;
    if (!submission.copies.empty()) {
        auto result = co_await commit_with_copies(std::move(submission));
        co_return result;
    }
    auto item = new_message(std::move(submission));
    const auto outcome = co_await submit(std::move(item));
    if (!outcome.error) {
        SpoolingBodyStore::settle(body);
    }
    co_return result_of(outcome);
}

Task<Result<>> SqliteQueueStore::commit_with_copies(Submission submission) {
    const auto failure = co_await copies_.make(submission);
    if (failure) {
        co_return failure;
    }
    auto item = new_message(submission);
    const auto outcome = co_await submit(std::move(item));
    if (outcome.error) {
        copies_.remove(submission);
    } else {
        SpoolingBodyStore::settle(submission.message.body);
    }
    co_return result_of(outcome);
}

Task<Result<>> SqliteQueueStore::commit_report(Submission report, ReportMark mark) {
    if (!has_its_body(report.message)) {
        co_return make_error_code(Error::corrupt);
    }
    const auto body = report.message.body;
    auto item = new_report(std::move(report), std::move(mark));
    const auto outcome = co_await submit(std::move(item));
    if (!outcome.error) {
        SpoolingBodyStore::settle(body);
    }
    co_return result_of(outcome);
}

void SqliteQueueStore::record(std::vector<QueueChange> changes) {
    if (!changes.empty()) {
        writer_.submit(item_of(LazyChanges{std::move(changes)}));
    }
}

Task<Result<>> SqliteQueueStore::flush() {
    CommitItem item;
    const auto outcome = co_await submit(std::move(item));
    co_return result_of(outcome);
}

Task<Result<std::uint64_t>> SqliteQueueStore::make_due(std::string hop, UtcTime now) {
    std::uint64_t recipients = 0;
    std::int64_t from = 0;
    bool done = false;
    while (!done) {
        auto item = make_due_item(hop, from, now);
        const auto outcome = co_await submit(std::move(item));
        if (outcome.error) {
            co_return outcome.error;
        }
        recipients += outcome.due.recipients;
        from = outcome.due.next;
        done = outcome.due.done;
    }
    co_return recipients;
}

// ---- reads

Task<ErrorCode> SqliteQueueStore::settle() {
    if (writer_.has_failed()) {
        co_return make_error_code(Error::store_failed);
    }
    if (writer_.is_settled()) {
        co_return ErrorCode();
    }
    CommitItem item;
    const auto outcome = co_await submit(std::move(item));
    co_return outcome.error;
}

template <class Read>
auto SqliteQueueStore::read(Read read)
    -> Task<Result<decltype(read(std::declval<QueueReader&>()))>> {
    using Answer = Result<decltype(read(reader_))>;
    const auto error = co_await settle();
    if (error) {
        co_return error;
    }
    auto job = [this, &read]() -> Answer {
        try {
            return read(reader_);
        } catch (const SQLite::Exception& exception) {
            return error_of(exception);
        }
    };
    auto answer = co_await offload(reader_runner_, job);
    co_return answer;
}

Task<Result<std::vector<QueuedMessage>>> SqliteQueueStore::ready_after(
    QueueId after, std::size_t limit) {
    auto job = [=](QueueReader& reader) {
        return reader.ready_after(after, limit);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::vector<NextHopState>>> SqliteQueueStore::next_hops(
    std::string after, std::size_t limit) {
    auto job = [&after, limit](QueueReader& reader) {
        return reader.next_hops(after, limit);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::vector<NextHopState>>> SqliteQueueStore::due_hops(UtcTime now, std::size_t limit) {
    auto job = [=](QueueReader& reader) {
        return reader.due_hops(now, limit);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::optional<UtcTime>>> SqliteQueueStore::next_due() {
    auto job = [](QueueReader& reader) {
        return reader.next_due();
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::vector<QueuedMessage>>> SqliteQueueStore::due_messages(
    std::string hop, UtcTime now, std::size_t limit) {
    auto job = [&hop, now, limit](QueueReader& reader) {
        return reader.due_messages(hop, now, limit);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::vector<QueuedMessage>>> SqliteQueueStore::unreported_after(
    QueueId after, std::size_t limit) {
    auto job = [=](QueueReader& reader) {
        return reader.unreported_after(after, limit);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::vector<QueuedMessage>>> SqliteQueueStore::messages_after(
    QueueId after, QueueId before, std::size_t limit) {
    auto job = [=](QueueReader& reader) {
        return reader.messages_after(after, before, limit);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::vector<QueuedMessage>>> SqliteQueueStore::messages_of_hop(
    std::string hop, QueueId after, std::size_t limit) {
    auto job = [&hop, after, limit](QueueReader& reader) {
        return reader.messages_of_hop(hop, after, limit);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<std::optional<QueuedMessage>>> SqliteQueueStore::find(QueueId id) {
    auto job = [id](QueueReader& reader) {
        return reader.find(id);
    };
    auto answer = co_await read(job);
    co_return answer;
}

Task<Result<QueueTotals>> SqliteQueueStore::totals() {
    auto job = [](QueueReader& reader) {
        return reader.totals();
    };
    auto answer = co_await read(job);
    co_return answer;
}

}  // namespace mailflow

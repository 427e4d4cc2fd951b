#include "storage/directory_sqlite.hpp"

#include "transport/base/error.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace mailflow {

// In the frame of the coroutine that asks.
struct SqliteDirectory::Question {
    std::string key;
    OneShot<Result<MailRecipientPtr>> answer;
};

struct SqliteDirectory::Batch {
    std::uint64_t version = 0;  // of the directory when the batch left
    std::vector<Question*> questions;
    std::vector<std::string> keys;  // the reader's own copies
    std::vector<Result<MailRecipientPtr>> answers;
};

namespace {

Result<MailRecipientPtr> look_up(RecipientRows& rows, const std::string& key) {
    try {
        auto found = rows.read(rows.find_id_by_address(key));
        if (!found) {
            return Error::unavailable;
        }
        if (!*found) {
            return MailRecipientPtr();
        }
        return MailRecipientPtr(std::make_shared<const MailRecipient>(std::move(**found)));
    } catch (const SQLite::Exception&) {
        // Whatever it was, the question stands: asked again later, mail waits.
        return Error::unavailable;
    }
}

}  // namespace

SqliteDirectory::SqliteDirectory(Parts parts)
    : parts_(std::move(parts))
    , cache_(parts_.capacity)
    , cached_version_(parts_.version.load(std::memory_order_acquire)) {}

Task<Result<MailRecipientPtr>> SqliteDirectory::find_recipient(EmailAddress address) {
    drop_old_answers();
    Question question;
    question.key = address.lookup_key();
    if (const auto* known = cache_.find(question.key)) {
        co_return *known;
    }
    waiting_.push_back(&question);
    start_batch();
    auto answer = co_await question.answer.wait();
    co_return answer;
}

Task<Result<MailRecipientPtr>> SqliteDirectory::find_login(std::string) {
    co_return MailRecipientPtr();
}

void SqliteDirectory::drop_old_answers() {
    const auto version = parts_.version.load(std::memory_order_acquire);
    if (version != cached_version_) {
        cache_.clear();
        cached_version_ = version;
    }
}

void SqliteDirectory::start_batch() {
    if (away_ || waiting_.empty()) {
        return;
    }
    auto batch = std::make_shared<Batch>();
    batch->version = parts_.version.load(std::memory_order_acquire);
    batch->questions = std::exchange(waiting_, {});
    for (const auto* question : batch->questions)
        batch->keys.push_back(question->key);
    away_ = true;
    ++batches_;
    parts_.reader.post([this, batch, rows = &parts_.rows, lane = parts_.lane] {
        for (const auto& key : batch->keys)
            batch->answers.push_back(look_up(*rows, key));
        asio::post(lane, [this, batch] { finish_batch(*batch); });
    });
}

void SqliteDirectory::finish_batch(Batch& batch) {
    away_ = false;
    drop_old_answers();
    for (std::size_t i = 0; i < batch.questions.size(); ++i) {
        // A change during the look-up: the answer may be of before it, so it is given but not kept.
        if (batch.answers[i] && batch.version == cached_version_) {
            cache_.insert(batch.keys[i], *batch.answers[i]);
        }
        batch.questions[i]->answer.complete(std::move(batch.answers[i]));
    }
    start_batch();
}

}  // namespace mailflow

#include "storage/directory_sqlite.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace mailflow {

// In the frame of the coroutine that asks.
struct SqliteDirectory::Question {
    std::string key;  // of an address, or a login in lower case
    bool is_login = false;
    OneShot<Result<MailRecipientPtr>> answer;
};

struct SqliteDirectory::Batch {
    std::uint64_t version = 0;  // of the directory when the batch left

    struct Key {
        std::string text;
        bool is_login = false;
    };

    std::vector<Question*> questions;
    std::vector<Key> keys;  // the reader's own copies
    std::vector<Result<MailRecipientPtr>> answers;
};

namespace {

// Whose login this is; logins with an `@` are UPNs or addresses, those with a backslash have a
// domain before the alias.
std::optional<std::int64_t> find_login_id(RecipientRows& rows, const std::string& login) {
    if (login.find('@') != std::string::npos) {
        return rows.find_id_by_login(login);
    }
    const auto backslash = login.find('\\');
    if (backslash == std::string::npos) {
        return rows.find_id_by_alias(login);
    }
    const auto label = login.substr(0, backslash);
    const auto alias = login.substr(backslash + 1);
    return label.empty() || alias.empty() ? std::nullopt : rows.find_id_in_domain(label, alias);
}

Result<MailRecipientPtr> look_up(RecipientRows& rows, const std::string& key, bool is_login) {
    try {
        auto found = rows.read(is_login ? find_login_id(rows, key) : rows.find_id_by_address(key));
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
    auto key = address.lookup_key();
    if (const auto* known = cache_.find(key)) {
        co_return *known;
    }
    auto answer = co_await ask(std::move(key), false);
    co_return answer;
}

Task<Result<MailRecipientPtr>> SqliteDirectory::find_login(std::string login) {
    if (login.empty() || login.size() > kMaxLoginLength) {
        co_return MailRecipientPtr();
    }
    drop_old_answers();
    auto key = ascii::to_lower(login);
    if (const auto* known = logins_.find(key)) {
        co_return *known;
    }
    auto answer = co_await ask(std::move(key), true);
    co_return answer;
}

Task<Result<MailRecipientPtr>> SqliteDirectory::ask(std::string key, bool is_login) {
    Question question;
    question.key = std::move(key);
    question.is_login = is_login;
    waiting_.push_back(&question);
    start_batch();
    auto answer = co_await question.answer.wait();
    co_return answer;
}

void SqliteDirectory::drop_old_answers() {
    const auto version = parts_.version.load(std::memory_order_acquire);
    if (version != cached_version_) {
        cache_.clear();
        logins_.clear();
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
        batch->keys.push_back({question->key, question->is_login});
    away_ = true;
    ++batches_;
    parts_.reader.post([this, batch, rows = &parts_.rows, lane = parts_.lane] {
        for (const auto& key : batch->keys)
            batch->answers.push_back(look_up(*rows, key.text, key.is_login));
        asio::post(lane, [this, batch] { finish_batch(*batch); });
    });
}

void SqliteDirectory::finish_batch(Batch& batch) {
    away_ = false;
    drop_old_answers();
    for (std::size_t i = 0; i < batch.questions.size(); ++i) {
        // A change during the look-up: the answer may be of before it, so it is given but not kept.
        if (batch.answers[i] && batch.version == cached_version_) {
            keep(batch.keys[i].text, batch.keys[i].is_login, *batch.answers[i]);
        }
        batch.questions[i]->answer.complete(std::move(batch.answers[i]));
    }
    start_batch();
}

// A login is remembered only when somebody has it: guesses leave no trace.
void SqliteDirectory::keep(
    const std::string& key, bool is_login, const MailRecipientPtr& recipient) {
    if (!is_login) {
        cache_.insert(key, recipient);
    } else if (recipient != nullptr) {
        logins_.insert(key, recipient);
    }
}

}  // namespace mailflow

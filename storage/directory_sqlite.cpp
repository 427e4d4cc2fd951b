#include "storage/directory_sqlite.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace mailflow {

// In the frame of the coroutine that asks.
struct SqliteDirectory::Question {
    Key key;
    OneShot<Result<MailRecipientPtr>> answer;
};

struct SqliteDirectory::Batch {
    std::uint64_t version = 0;  // of the directory when the batch left
    std::vector<Question*> questions;
    std::vector<Key> keys;  // the reader's own copies
    std::vector<Result<MailRecipientPtr>> answers;
};

namespace {

// Whose login this is; logins with an `@` are UPNs or addresses, those with a backslash have a
// domain before the alias.
std::optional<std::int64_t> find_login_id(RecipientRows& rows, const std::string& login) {
    if (login.find('@') != std::string::npos) {
        return rows.find_mailbox_by_login(login);
    }
    const auto backslash = login.find('\\');
    if (backslash == std::string::npos) {
        return rows.find_mailbox_by_alias(login);
    }
    const auto label = login.substr(0, backslash);
    const auto alias = login.substr(backslash + 1);
    return label.empty() || alias.empty() ? std::nullopt
                                          : rows.find_mailbox_in_domain(label, alias);
}

Result<MailRecipientPtr> read_shared(RecipientRows& rows, std::optional<std::int64_t> id) {
    auto found = rows.read(id);
    if (!found) {
        return Error::unavailable;
    }
    if (!*found) {
        return MailRecipientPtr();
    }
    return MailRecipientPtr(std::make_shared<const MailRecipient>(std::move(**found)));
}

Result<std::vector<MailRecipientPtr>> read_members(
    RecipientRows& rows, const std::string& group, const std::string& after, std::size_t limit) {
    std::vector<MailRecipientPtr> members;
    SqliteSnapshot snapshot(rows.connection());
    const auto id = rows.find_group(group);
    if (!id) {
        return members;
    }
    for (const auto member : rows.member_ids(*id, after, limit)) {
        auto recipient = read_shared(rows, member);
        if (!recipient) {
            return recipient.error();
        }
        if (*recipient != nullptr) members.push_back(std::move(*recipient));
    }
    return members;
}

Result<bool> read_is_member(
    RecipientRows& rows, const std::string& group, const std::string& recipient) {
    SqliteSnapshot snapshot(rows.connection());
    const auto group_id = rows.find_group(group);
    const auto id = rows.find_id_by_name(recipient);
    return group_id && id && rows.is_member(*group_id, *id);
}

// Whatever SQLite throws, the question stands: asked again later, mail waits. So it does when the
// database has closed under a task that outlasted the stop.
template <class F>
auto answered(std::optional<RecipientRows>& rows, F work) -> decltype(work(*rows)) {
    if (!rows) {
        return Error::unavailable;
    }
    try {
        return work(*rows);
    } catch (const SQLite::Exception&) {
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
    Key key{address.lookup_key(), KeyKind::address};
    if (const auto* known = cache_.find(key.text)) {
        co_return *known;
    }
    auto answer = co_await ask(std::move(key));
    co_return answer;
}

Task<Result<MailRecipientPtr>> SqliteDirectory::find_login(std::string login) {
    if (login.empty() || login.size() > kMaxLoginLength) {
        co_return MailRecipientPtr();
    }
    drop_old_answers();
    Key key{ascii::to_lower(login), KeyKind::login};
    if (const auto* known = logins_.find(key.text)) {
        co_return *known;
    }
    auto answer = co_await ask(std::move(key));
    co_return answer;
}

Task<Result<MailRecipientPtr>> SqliteDirectory::find_by_name(std::string name) {
    drop_old_answers();
    Key key{ascii::to_lower(name), KeyKind::name};
    if (const auto* known = names_.find(key.text)) {
        co_return *known;
    }
    auto answer = co_await ask(std::move(key));
    co_return answer;
}

Task<Result<std::vector<MailRecipientPtr>>> SqliteDirectory::members(
    std::string group, std::string after, std::size_t limit) {
    const auto work = [&] {
        return answered(
            parts_.rows, [&](auto& rows) { return read_members(rows, group, after, limit); });
    };
    auto found = co_await offload(parts_.reader, work);
    co_return found;
}

Task<Result<bool>> SqliteDirectory::is_member(std::string group, std::string recipient) {
    const auto work = [&] {
        return answered(
            parts_.rows, [&](auto& rows) { return read_is_member(rows, group, recipient); });
    };
    auto found = co_await offload(parts_.reader, work);
    co_return found;
}

Task<Result<MailRecipientPtr>> SqliteDirectory::ask(Key key) {
    Question question{std::move(key), {}};
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
        names_.clear();
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
        look_up_all(*rows, *batch);
        asio::post(lane, [this, batch] { finish_batch(*batch); });
    });
}

void SqliteDirectory::finish_batch(Batch& batch) {
    away_ = false;
    drop_old_answers();
    for (std::size_t i = 0; i < batch.questions.size(); ++i) {
        // A change during the look-up: the answer may be of before it, so it is given but not kept.
        if (batch.answers[i] && batch.version == cached_version_) {
            keep(batch.keys[i], *batch.answers[i]);
        }
        batch.questions[i]->answer.complete(std::move(batch.answers[i]));
    }
    start_batch();
}

// A login is remembered only when somebody has it: guesses leave no trace.
void SqliteDirectory::keep(const Key& key, const MailRecipientPtr& recipient) {
    switch (key.kind) {
        case KeyKind::address: cache_.insert(key.text, recipient); break;
        case KeyKind::name: names_.insert(key.text, recipient); break;
        case KeyKind::login:
            if (recipient != nullptr) logins_.insert(key.text, recipient);
            break;
    }
}

// In one transaction: no recipient is read half before and half after a change.
void SqliteDirectory::look_up_all(std::optional<RecipientRows>& rows, Batch& batch) {
    const auto all = answered(rows, [&](auto& open) {
        SqliteSnapshot snapshot(open.connection());
        for (const auto& key : batch.keys)
            batch.answers.push_back(answered(rows, [&](auto& r) { return look_up(r, key); }));
        return Result<bool>(true);
    });
    if (!all) {
        batch.answers.resize(batch.keys.size(), all.error());
    }
}

Result<MailRecipientPtr> SqliteDirectory::look_up(RecipientRows& rows, const Key& key) {
    switch (key.kind) {
        case KeyKind::address: return read_shared(rows, rows.find_id_by_address(key.text));
        case KeyKind::name: return read_shared(rows, rows.find_id_by_name(key.text));
        case KeyKind::login: break;
    }
    return read_shared(rows, find_login_id(rows, key.text));
}

}  // namespace mailflow

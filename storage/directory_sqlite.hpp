// The directory of one lane over organization.db: a cache that answers at once, and look-ups in
// batches on a reader. While one batch is away, further questions gather for the next. Lives on its
// lane, and longer than the lane's tasks.
#pragma once

#include "storage/directory_cache.hpp"
#include "storage/organization_writer.hpp"
#include "storage/recipient_rows.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/directory.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Addresses that one lane remembers; a mailbox takes some 1,600 octets, nobody 200.
constexpr std::size_t kDirectoryCacheCapacity = 8192;
// Names that one lane remembers, of the recipients above or others: who is forwarded to, named in
// limits, owns a group.
constexpr std::size_t kNameCacheCapacity = 2048;
// Logins that one lane remembers, of the mailboxes above or others; positive answers only.
constexpr std::size_t kLoginCacheCapacity = 2048;
// A longer login is nobody's: `DOMAIN\` and an alias are shorter, and so is every address that fits
// RFC 5321 §4.5.3.1.3.
constexpr std::size_t kMaxLoginLength = 320;

class SqliteDirectory final : public Directory {
  public:
    struct Parts {
        Executor lane;
        TaskRunner& reader;
        // On the reader. Empty once the database is closed: what is asked then is unavailable.
        std::optional<RecipientRows>& rows;
        const DirectoryVersion& version;
        std::size_t capacity = kDirectoryCacheCapacity;
    };

    // What `parts` refers to outlives this.
    explicit SqliteDirectory(Parts parts);

    Task<Result<MailRecipientPtr>> find_recipient(EmailAddress address) override;
    Task<Result<MailRecipientPtr>> find_login(std::string login) override;
    Task<Result<MailRecipientPtr>> find_by_name(std::string name) override;
    Task<Result<std::vector<MailRecipientPtr>>> members(
        std::string group, std::string after, std::size_t limit) override;
    Task<Result<bool>> is_member(std::string group, std::string recipient) override;

    [[nodiscard]] std::size_t cached() const noexcept { return cache_.size(); }

    [[nodiscard]] std::size_t cached_logins() const noexcept { return logins_.size(); }

    [[nodiscard]] std::size_t cached_names() const noexcept { return names_.size(); }

    // Batches sent to the reader so far.
    [[nodiscard]] std::uint64_t batches() const noexcept { return batches_; }

  private:
    enum class KeyKind { address, login, name };

    struct Key {
        std::string text;  // in lower case
        KeyKind kind;
    };

    struct Question;
    struct Batch;

    void drop_old_answers();
    Task<Result<MailRecipientPtr>> ask(Key key);
    void start_batch();
    void finish_batch(Batch& batch);
    void keep(const Key& key, const MailRecipientPtr& recipient);
    // On the reader.
    static void look_up_all(std::optional<RecipientRows>& rows, Batch& batch);
    static Result<MailRecipientPtr> look_up(RecipientRows& rows, const Key& key);

    Parts parts_;
    DirectoryCache cache_;
    DirectoryCache logins_{kLoginCacheCapacity};
    DirectoryCache names_{kNameCacheCapacity};
    std::uint64_t cached_version_;
    std::vector<Question*> waiting_;
    bool away_ = false;
    std::uint64_t batches_ = 0;
};

}  // namespace mailflow

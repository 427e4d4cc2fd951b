// Recipients in organization.db: own rows, so that there may be a million. Called on the console
// lane; the work is done on the keeper.
#pragma once

#include "storage/object_rows.hpp"
#include "storage/organization_writer.hpp"
#include "storage/recipient_rows.hpp"
#include "storage/recipient_writer.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/recipient_store.hpp"

#include <optional>

namespace mailflow {

class SqliteRecipientStore final : public RecipientStore {
  public:
    // All outlive this.
    SqliteRecipientStore(
        OrganizationWriter& writer, TaskRunner& keeper, DirectoryVersion& directory) noexcept
        : writer_(writer)
        , keeper_(keeper)
        , directory_(directory)
        , rows_(writer.connection())
        , row_writer_(writer.connection(), rows_)
        , object_rows_(writer) {}

    Task<Result<std::optional<MailRecipient>>> find(std::string name) override;
    Task<Result<std::optional<MailRecipient>>> find_by_address(EmailAddress address) override;
    Task<Result<std::optional<MailRecipient>>> find_by_upn(std::string upn) override;
    Task<Result<std::vector<MailRecipient>>> page(std::string after, std::size_t limit) override;
    Task<Result<std::vector<MailRecipient>>> page_of(
        RecipientKind kind, std::string after, std::size_t limit) override;
    [[nodiscard]] Task<Result<std::uint64_t>> count(RecipientKind kind) override;
    Task<Result<std::vector<std::string>>> members(
        std::string group, std::string after, std::size_t limit) override;
    Task<Result<std::vector<Referrer>>> referrers(std::string name, std::size_t limit) override;
    Task<Result<std::vector<std::string>>> accepting_only(
        std::string name, std::size_t limit) override;
    Task<Result<std::uint64_t>> count_in_domain(DomainName domain) override;
    Task<Result<std::vector<std::string>>> domains(std::string after, std::size_t limit) override;
    Task<Result<std::vector<TakenName>>> taken(
        std::vector<std::string> lookup_keys, std::string except) override;
    Task<Result<>> create(MailRecipient recipient, ChangeAuthor author) override;
    using RecipientStore::remove;
    using RecipientStore::replace;
    Task<Result<>> replace(
        std::string name,
        MailRecipient recipient,
        ChangeAuthor author,
        ObjectEdits objects) override;
    Task<Result<>> remove(std::string name, ChangeAuthor author, ObjectEdits objects) override;
    Task<Result<std::vector<Result<>>>> write_batch(
        std::vector<MailRecipient> recipients, ChangeAuthor author) override;
    Task<Result<>> edit_members(
        std::string group,
        std::vector<std::string> add,
        std::vector<std::string> remove,
        ChangeAuthor author) override;

    Task<Result<>> stage(std::vector<StagedRow> rows) override;
    Task<Result<std::vector<StagedRow>>> staged(
        std::optional<std::uint64_t> after, std::size_t limit) override;
    Task<Result<>> unstage() override;
    Task<Result<>> begin(ChangeAuthor author) override;
    Task<Result<>> end(bool keep) override;

  private:
    // A change of many: a transaction of its own, or a part of the one that has begun.
    class Change;

    // On the keeper.
    Result<std::vector<MailRecipient>> read_all(const std::vector<std::int64_t>& ids);
    Result<std::vector<std::string>> read_domains(std::string after, std::size_t limit);
    std::vector<TakenName> read_taken(
        const std::vector<std::string>& lookup_keys, const std::string& except);
    Result<> insert(const MailRecipient& recipient, const ChangeAuthor& author);
    Result<> update(
        const std::string& name,
        const MailRecipient& recipient,
        const ChangeAuthor& author,
        const ObjectEdits& objects);
    Result<> erase(const std::string& name, const ChangeAuthor& author, const ObjectEdits& objects);
    ErrorCode write_objects(const ObjectEdits& objects, std::uint64_t version);
    Result<std::vector<Result<>>> write_all(
        const std::vector<MailRecipient>& recipients, const ChangeAuthor& author);
    Result<> change_members(
        const std::string& group,
        const std::vector<std::string>& add,
        const std::vector<std::string>& remove,
        const ChangeAuthor& author);
    Result<> insert_staged(const std::vector<StagedRow>& rows);
    Result<std::vector<StagedRow>> read_staged(
        std::optional<std::uint64_t> after, std::size_t limit);
    Result<> begin_whole(const ChangeAuthor& author);
    Result<> end_whole(bool keep);
    void committed();

    OrganizationWriter& writer_;
    TaskRunner& keeper_;
    DirectoryVersion& directory_;
    RecipientRows rows_;
    RecipientWriter row_writer_;
    ObjectRows object_rows_;
    std::optional<SqliteTransaction> whole_;  // begun, not ended
};

}  // namespace mailflow

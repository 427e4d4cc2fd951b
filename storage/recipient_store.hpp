// Mailboxes in organization.db: own rows, so that there may be a million. Called on the console
// lane; the work is done on the keeper.
#pragma once

#include "storage/organization_writer.hpp"
#include "storage/recipient_rows.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/recipient_store.hpp"

namespace mailflow {

class SqliteRecipientStore final : public RecipientStore {
  public:
    // All outlive this.
    SqliteRecipientStore(
        OrganizationWriter& writer, TaskRunner& keeper, DirectoryVersion& directory) noexcept
        : writer_(writer)
        , keeper_(keeper)
        , directory_(directory)
        , rows_(writer.connection()) {}

    Task<Result<std::optional<MailRecipient>>> find(std::string name) override;
    Task<Result<std::optional<MailRecipient>>> find_by_address(EmailAddress address) override;
    Task<Result<std::optional<MailRecipient>>> find_by_upn(std::string upn) override;
    Task<Result<std::vector<MailRecipient>>> page(std::string after, std::size_t limit) override;
    Task<Result<std::uint64_t>> count_in_domain(DomainName domain) override;
    Task<Result<std::vector<std::string>>> domains(std::string after, std::size_t limit) override;
    Task<Result<>> create(MailRecipient recipient, ChangeAuthor author) override;
    Task<Result<>> replace(std::string name, MailRecipient recipient, ChangeAuthor author) override;
    Task<Result<>> remove(std::string name, ChangeAuthor author) override;

  private:
    // On the keeper.
    Result<std::vector<MailRecipient>> read_page(const std::string& after, std::size_t limit);
    Result<std::vector<std::string>> read_domains(std::string after, std::size_t limit);
    Result<> insert(const MailRecipient& recipient, const ChangeAuthor& author);
    Result<> update(
        const std::string& name, const MailRecipient& recipient, const ChangeAuthor& author);
    Result<> erase(const std::string& name, const ChangeAuthor& author);
    [[nodiscard]] Result<> insert_row(std::int64_t id, const MailRecipient& recipient);
    void insert_addresses(std::int64_t id, const MailRecipient& recipient);
    [[nodiscard]] Result<> insert_send_as(std::int64_t id, const MailRecipient& recipient);
    void erase_row(std::int64_t id);
    void committed();

    OrganizationWriter& writer_;
    TaskRunner& keeper_;
    DirectoryVersion& directory_;
    RecipientRows rows_;
};

}  // namespace mailflow

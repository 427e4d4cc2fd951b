// Writes recipients as rows of organization.db, inside a transaction of the caller, on the keeper.
// What is taken shows as an exception of SQLite (error_of: Error::already_exists); the caller's
// transaction or savepoint undoes what was written before it.
#pragma once

#include "storage/recipient_rows.hpp"
#include "storage/sqlite.hpp"
#include "transport/base/result.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/org/recipient_reference.hpp"

#include <cstdint>
#include <string>

namespace mailflow {

class RecipientWriter {
  public:
    // Both outlive this; `rows` reads through the same connection.
    RecipientWriter(SqliteConnection& connection, RecipientRows& rows) noexcept
        : connection_(connection)
        , rows_(rows) {}

    // Of a new recipient.
    [[nodiscard]] std::int64_t next_id();
    // All but the names of others in it.
    void insert(std::int64_t id, const MailRecipient& recipient);
    void update(std::int64_t id, const MailRecipient& recipient);
    // In place of those there were. Error::not_found when one is nobody's.
    [[nodiscard]] Result<> write_references(std::int64_t id, const MailRecipient& recipient);
    // Of one that has none yet.
    [[nodiscard]] Result<> add_references(std::int64_t id, const MailRecipient& recipient);
    // With everything that others say of it.
    void erase(std::int64_t id);
    // Error::not_found: somebody is not there, and some of it is written.
    [[nodiscard]] Result<> add_members(std::int64_t group, const std::vector<std::string>& names);
    [[nodiscard]] Result<> remove_members(
        std::int64_t group, const std::vector<std::string>& names);

  private:
    [[nodiscard]] bool has_addresses(std::int64_t id, const MailRecipient& recipient);
    void write_addresses(std::int64_t id, const MailRecipient& recipient);
    void write_attributes(std::int64_t id, const MailRecipient& recipient);

    SqliteConnection& connection_;
    RecipientRows& rows_;
};

}  // namespace mailflow

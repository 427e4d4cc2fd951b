// Recipients as rows of organization.db, read through any connection to it. On that connection's
// runner.
#pragma once

#include "storage/sqlite.hpp"
#include "transport/org/mail_recipient.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

class RecipientRows {
  public:
    // Outlives this.
    explicit RecipientRows(SqliteConnection& connection) noexcept
        : connection_(connection) {}

    // By name, else by alias.
    [[nodiscard]] std::optional<std::int64_t> find_id(const std::string& name);
    [[nodiscard]] std::optional<std::int64_t> find_id_by_address(const std::string& lookup_key);
    // Nothing when there is none; Error::corrupt when its addresses cannot be read.
    [[nodiscard]] Result<std::optional<MailRecipient>> read(std::optional<std::int64_t> id);
    // Ids in order of name.
    [[nodiscard]] std::vector<std::int64_t> page(const std::string& after, std::size_t limit);

  private:
    SqliteConnection& connection_;
};

}  // namespace mailflow

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
    // Who has this UPN or address, whose key (EmailAddress::lookup_key) this is; nothing when
    // nobody does, or two do.
    [[nodiscard]] std::optional<std::int64_t> find_id_by_login(const std::string& lookup_key);
    // `DOMAIN\alias`, in lower case: whose alias it is, with an address in a domain that begins
    // with that label, or who has an address with that local part there; nothing when two fit.
    [[nodiscard]] std::optional<std::int64_t> find_id_in_domain(
        const std::string& label, const std::string& alias);
    // In lower case.
    [[nodiscard]] std::optional<std::int64_t> find_id_by_upn(const std::string& upn_key);
    [[nodiscard]] std::optional<std::int64_t> find_id_by_alias(const std::string& alias);
    // Nothing when there is none; Error::corrupt when its addresses or its verifier cannot be
    // read.
    [[nodiscard]] Result<std::optional<MailRecipient>> read(std::optional<std::int64_t> id);
    // Ids in order of name.
    [[nodiscard]] std::vector<std::int64_t> page(const std::string& after, std::size_t limit);

  private:
    void read_send_as(std::int64_t id, MailRecipient& recipient);

    SqliteConnection& connection_;
};

}  // namespace mailflow

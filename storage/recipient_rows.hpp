// Recipients as rows of organization.db, read through any connection to it. On that connection's
// runner. What reads more than one row of one recipient runs inside a transaction when others may
// write meanwhile.
#pragma once

#include "storage/sqlite.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/org/recipient_reference.hpp"

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

    [[nodiscard]] SqliteConnection& connection() noexcept { return connection_; }

    // By name, else by alias.
    [[nodiscard]] std::optional<std::int64_t> find_id(const std::string& name);
    [[nodiscard]] std::optional<std::int64_t> find_id_by_name(const std::string& name);
    [[nodiscard]] std::optional<std::int64_t> find_id_by_address(const std::string& lookup_key);
    // In lower case, not empty.
    [[nodiscard]] std::optional<std::int64_t> find_id_by_upn(const std::string& upn_key);
    [[nodiscard]] std::optional<std::int64_t> find_id_by_alias(const std::string& alias);
    // The mailbox with this UPN or address, whose key (EmailAddress::lookup_key) this is; nothing
    // when there is none, or two.
    [[nodiscard]] std::optional<std::int64_t> find_mailbox_by_login(const std::string& lookup_key);
    [[nodiscard]] std::optional<std::int64_t> find_mailbox_by_alias(const std::string& alias);
    // `DOMAIN\alias`, in lower case: the mailbox with that alias and an address in a domain that
    // begins with that label, or with an address with that local part there; nothing when two fit.
    [[nodiscard]] std::optional<std::int64_t> find_mailbox_in_domain(
        const std::string& label, const std::string& alias);
    // Only when it is one.
    [[nodiscard]] std::optional<std::int64_t> find_group(const std::string& name);

    // Nothing when there is none; Error::corrupt when something of it cannot be read.
    [[nodiscard]] Result<std::optional<MailRecipient>> read(std::optional<std::int64_t> id);

    // Ids in order of name.
    [[nodiscard]] std::vector<std::int64_t> page(const std::string& after, std::size_t limit);
    [[nodiscard]] std::vector<std::int64_t> page_of(
        RecipientKind kind, const std::string& after, std::size_t limit);
    [[nodiscard]] std::uint64_t count(RecipientKind kind);

    // Direct members of a group, in order of name.
    [[nodiscard]] std::vector<std::int64_t> member_ids(
        std::int64_t group, const std::string& after, std::size_t limit);
    [[nodiscard]] std::vector<std::string> member_names(
        std::int64_t group, const std::string& after, std::size_t limit);
    // Directly, or through at most kMaxGroupDepth groups.
    [[nodiscard]] bool is_member(std::int64_t group, std::int64_t recipient);
    [[nodiscard]] std::vector<Referrer> referrers(std::int64_t id, std::size_t limit);
    // Names of others whose accept_from is this one alone.
    [[nodiscard]] std::vector<std::string> accepting_only(std::int64_t id, std::size_t limit);

  private:
    bool read_row(std::int64_t id, MailRecipient& recipient);
    bool read_details(std::int64_t id, MailRecipient& recipient);

    SqliteConnection& connection_;
};

}  // namespace mailflow

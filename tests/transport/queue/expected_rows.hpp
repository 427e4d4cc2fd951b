// What is to become of a message, worked out a second time and simply: recipients are walked one
// after the other over plain tables, nothing is asked for in steps, paged, cached or made into
// variants. Knows the organizations of tests/support/generated_organization. Property tests hold
// the categorizer and the queue to it.
#pragma once

#include "tests/support/generated_organization.hpp"
#include "transport/route/categorization.hpp"

#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mailflow {

class ExpectedRows {
  public:
    // All outlive it.
    ExpectedRows(const Organization& organization, const GeneratedDirectory& directory)
        : organization_(organization)
        , directory_(directory) {}

    // `m1` a mailbox gets it, `bob@fabrikam.com` it is sent there, `m9@contoso.com > m9@contoso.com
    // 5.1.1` one who was named fails; sorted.
    [[nodiscard]] std::vector<std::string> of(const CategorizeRequest& request);

    // The key of the queue a row that is not final goes to; empty: too large for every connector.
    [[nodiscard]] std::string hop_of(const QueuedRecipient& row, std::uint64_t size) const;

  private:
    // How somebody was come to.
    struct Way {
        std::size_t root = 0;
        std::vector<const MailRecipient*> chain{};
        bool is_forwarded = false;
        bool is_exempt = false;
    };

    void walk_address(const EmailAddress& address, const Way& way, bool is_named = false);
    void walk(const MailRecipient& recipient, Way way, bool is_role = false);
    void walk_group(const MailRecipient& group, Way way);
    void send_to(const EmailAddress& address, const Way& way);
    void fail(const EmailAddress& address, const Way& way, const std::string& status);
    [[nodiscard]] bool is_circle(const MailRecipient& recipient, const Way& way);
    [[nodiscard]] std::string refused_with(const MailRecipient& recipient) const;
    [[nodiscard]] bool is_listed(const std::vector<std::string>& names) const;
    [[nodiscard]] bool is_below(const std::string& group, const std::string& name) const;
    [[nodiscard]] EmailAddress mapped(const EmailAddress& address) const;
    [[nodiscard]] const MailRecipient* named(const std::string& name) const;
    [[nodiscard]] const MailRecipient* at(const EmailAddress& address) const;
    [[nodiscard]] const MailRecipient* found_in(
        const AcceptedDomain& domain, const EmailAddress& address, bool is_role) const;

    const Organization& organization_;
    const GeneratedDirectory& directory_;
    const CategorizeRequest* request_ = nullptr;
    std::vector<std::pair<const MailRecipient*, std::pair<std::size_t, bool>>> later_;
    std::set<const MailRecipient*> mailboxes_;
    std::set<const MailRecipient*> expanded_;
    std::set<std::string> elsewhere_;
    std::set<std::tuple<std::size_t, std::string, std::string>> failed_;
};

}  // namespace mailflow

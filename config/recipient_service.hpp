// What an administrator does with mailboxes, contacts and groups: one by one, many at once from a
// file or by a condition, and by applying address policies. Part of OrganizationService, which
// gives turns; a change here is checked against the organization of its moment. Console lane.
// Nothing here holds more than a batch of recipients at a time.
#pragma once

#include "config/change_request.hpp"
#include "config/recipient_checker.hpp"
#include "transport/addressing/address_plan.hpp"
#include "transport/base/task.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"
#include "transport/ports/recipient_store.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Members of a group that `show` prints.
constexpr std::size_t kMembersShown = 1000;

struct RecipientQuery {
    std::optional<RecipientKind> kind = {};  // none: all kinds
    std::vector<std::string> where = {};     // ListFilter; all must hold
    std::string after = {};                  // a name, exclusive
    std::size_t limit = kRecipientBatch;
    bool for_export = false;    // all that an import needs: members, too
    bool with_secrets = false;  // and the verifiers of passwords
};

struct RecipientPage {
    std::vector<boost::json::object> rows;
    std::string next;                       // `after` of the next page; empty: that was all
    std::vector<schema::Problem> problems;  // the condition cannot be read
};

// What became of one row of a file, or of one of the recipients changed by a condition.
struct RowOutcome {
    enum class Status : std::uint8_t { created, updated, unchanged, refused };

    std::uint64_t row = 0;
    Status status = Status::refused;
    RecipientKind kind = RecipientKind::mailbox;
    std::string name;
    std::string primary;                    // afterwards
    std::vector<schema::Problem> problems;  // `field` is the column
    std::vector<std::string> missing;       // recipients it names that are not there (yet)
};

struct ImportRequest {
    struct Row {
        std::uint64_t number = 0;
        boost::json::object fields;  // with `name`, perhaps `kind` and `scram_verifier`
    };

    std::optional<RecipientKind> kind;  // of rows that do not say theirs
    std::vector<Row> rows;              // at most kRecipientBatch
    ChangeAuthor author;
    bool what_if = false;
};

// A part of an import that is taken whole: who brings it says by `id` that it is the same one.
struct WholeImport {
    std::string id;
    bool is_first = false;  // what waited before is forgotten
};

struct RowCounts {
    std::uint64_t created = 0;
    std::uint64_t updated = 0;
    std::uint64_t unchanged = 0;
    std::uint64_t refused = 0;
};

struct BatchOutcome {
    std::vector<RowOutcome> rows;
    std::optional<RowCounts> counts = {};  // `rows` are refused ones, and not all
    std::string next;  // of a change by condition: where to go on; empty: that was all
    std::vector<schema::Problem> problems;  // nothing was done
    ErrorCode error;                        // nothing was stored
};

struct SetWhereRequest {
    RecipientQuery query;
    boost::json::object fields;
    ChangeAuthor author;
    bool what_if = false;
};

struct PolicyRunRequest {
    std::string policy = {};  // empty: all
    std::string after = {};
    std::string mark = {};  // of the page before: the policies are still the same
    bool secondary_only = false;
    bool what_if = false;
    ChangeAuthor author = {};
};

// One page of an `address-policy apply`.
struct PolicyRunPage {
    struct Change {
        std::string name;
        RecipientKind kind = RecipientKind::mailbox;
        std::string policy;
        std::string old_primary;
        std::string new_primary;
        std::vector<std::string> added;
        std::vector<std::string> numbered;
        std::string problem;  // why this one was not changed
    };

    struct Login {
        std::string name;
        std::string upn;
        std::string primary;
    };

    std::vector<Change> changes;
    std::vector<Login> other_logins;  // mailboxes whose UPN is not their primary address then
    std::uint64_t looked_at = 0;      // recipients the policy is for
    std::string next;                 // empty: that was all
    std::string mark;
    std::vector<schema::Problem> problems;
    ErrorCode error;
};

class RecipientService {
  public:
    // What is kept of a password. Error::syntax: the password holds what no password may
    // (RFC 4013). The work is done elsewhere: it takes milliseconds.
    using HashPassword = std::function<Task<Result<ScramVerifier>>(std::string password)>;

    // `store` outlives this.
    RecipientService(RecipientStore& store, HashPassword hash_password)
        : store_(store)
        , hash_password_(std::move(hash_password)) {}

    Task<ChangeOutcome> create(
        RecipientKind kind, ChangeRequest request, OrganizationPtr organization);
    // `objects`, as stored: those that name the recipient follow it; they outlive the call.
    Task<ChangeOutcome> set(
        RecipientKind kind,
        ChangeRequest request,
        OrganizationPtr organization,
        const ObjectSet& objects);
    // Refused when somebody would take mail from everybody then.
    Task<ChangeOutcome> remove(
        RecipientKind kind,
        ChangeRequest request,
        OrganizationPtr organization,
        const ObjectSet& objects);

    // In order of names. A condition may make a page short of the limit, or empty, with more to
    // come.
    Task<Result<RecipientPage>> page(RecipientQuery query);
    // By name, alias or any address; a group with its first members.
    Task<Result<std::optional<boost::json::object>>> show(std::string name);
    // All members of a group, as an export has them.
    Task<Result<boost::json::array>> all_members(std::string group);

    Task<BatchOutcome> import(ImportRequest request, OrganizationPtr organization);
    // Rows wait for `import_staged`, which takes all, in one transaction, or none.
    Task<BatchOutcome> stage(ImportRequest request, WholeImport whole);
    Task<BatchOutcome> import_staged(
        std::string id, ChangeAuthor author, OrganizationPtr organization);
    Task<BatchOutcome> set_where(SetWhereRequest request, OrganizationPtr organization);
    Task<PolicyRunPage> apply_policies(PolicyRunRequest request, OrganizationPtr organization);

  private:
    using Drafts = std::vector<RecipientDraft>;
    using Rows = std::vector<std::uint64_t>;  // numbers, ascending

    Task<Result<std::optional<MailRecipient>>> find(std::string name);
    Task<ErrorCode> complete(Drafts& drafts, const Organization& organization);
    Task<void> hash_passwords(Drafts& drafts);
    Task<ErrorCode> edit_members(const RecipientDraft& draft, const ChangeAuthor& author);
    Task<ErrorCode> replace_members(
        std::string group, std::vector<std::string> wanted, ChangeAuthor author);
    Task<std::vector<std::string>> removal_warnings(
        const MailRecipient& recipient, const Organization& organization);
    Task<std::vector<schema::Problem>> find_opened(const MailRecipient& recipient);
    Task<Drafts> read_rows(ImportRequest& request, const Organization& organization);
    Task<std::vector<schema::Problem>> hide_password(ImportRequest::Row& row);
    Task<void> import_passes(
        BatchOutcome& outcome, const ChangeAuthor& author, OrganizationPtr organization);
    Task<Rows> import_pass(
        BatchOutcome& outcome,
        const Rows& only,
        bool last,
        const ChangeAuthor& author,
        OrganizationPtr organization);
    Task<BatchOutcome> store_batch(Drafts drafts, ChangeAuthor author, bool what_if);
    const PolicySet& policies_of(const OrganizationPtr& organization);

    RecipientStore& store_;
    HashPassword hash_password_;
    OrganizationPtr policies_of_;
    std::unique_ptr<PolicySet> policies_;
    std::string staged_by_;  // the import whose rows wait; empty: none
};

}  // namespace mailflow

// Everything that changes what is configured goes through here: an edit of one object is checked
// against the schema and against all other objects, stored in one transaction with who and when,
// and published as a new Organization. Also the reading side of the admin API. Lives on the console
// lane; edits take turns.
#pragma once

#include "config/change_request.hpp"
#include "config/change_set.hpp"
#include "config/configuration_plan.hpp"
#include "config/mx_answers.hpp"
#include "config/recipient_service.hpp"
#include "config/schema/document.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"
#include "transport/ports/recipient_store.hpp"
#include "transport/ports/secrets.hpp"

#include <boost/json/object.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// A binding that cannot be opened, and why: "… Address already in use; master (pid 812) holds it".
struct RefusedBinding {
    Endpoint binding;
    std::string reason;
};

struct ExportRequest {
    bool shared = false;        // without what belongs to this node alone: its receive connectors
    bool with_secrets = false;  // sealed: of use where the same key file is
};

struct ApplyRequest {
    std::string text;
    ChangeAuthor author;
    bool what_if = false;
};

struct ApplyOutcome {
    ChangeOutcome result;
    std::vector<ObjectDifference> differences;  // also of recipients
};

class OrganizationService {
  public:
    using Publish = std::function<void(OrganizationPtr)>;
    using HashPassword = RecipientService::HashPassword;
    // Tries to open what an edit would open and closes it again. Returns what cannot be opened.
    using ProbeBindings =
        std::function<Task<std::vector<RefusedBinding>>(std::vector<Endpoint> wanted)>;
    // Whether a certificate has this name or thumbprint.
    using HasCertificate = std::function<bool(const std::string& name)>;

    // The stores and what `publish` uses outlive this.
    struct Parts {
        ObjectStore& objects;
        RecipientStore& recipients;
        NodeSettings node;
        Publish publish;
        ProbeBindings probe_bindings = {};    // empty: nothing is tried
        HasCertificate has_certificate = {};  // empty: nobody knows
        HashPassword hash_password = {};      // called only when a mailbox gets a password
        FindMx find_mx = {};                  // empty: the DNS is asked nothing
        Secrets* secrets = nullptr;           // null: objects cannot hold secrets
    };

    explicit OrganizationService(Parts parts);

    // Reads what is stored, creates the first objects when there are none, and publishes. Returns
    // what is wrong with the stored objects: documents that cannot be read, and then nothing is
    // published (`organization` is null); or objects that do not fit together (the node has
    // another name now), to be logged.
    Task<Result<std::vector<schema::Problem>>> open(FirstStart first);

    Task<ChangeOutcome> create(ChangeRequest request);
    // Keys of `fields`: field names, and `add_`/`remove_` before names of lists.
    Task<ChangeOutcome> set(ChangeRequest request);
    Task<ChangeOutcome> remove(ChangeRequest request);

    // Objects as people see them: `name` first (but for a single type), then the fields. Of any
    // type but recipients; by name without case.
    [[nodiscard]] std::vector<boost::json::object> list(std::string_view type) const;
    [[nodiscard]] std::optional<boost::json::object> show(
        std::string_view type, std::string_view name) const;

    // Recipients, a page or a batch at a time.
    Task<Result<RecipientPage>> list_recipients(RecipientQuery query);
    // By name, alias or any address.
    Task<Result<std::optional<boost::json::object>>> show_recipient(std::string name);
    Task<BatchOutcome> import_recipients(ImportRequest request);
    // As of RecipientService. Lists wait while an import is taken whole.
    Task<BatchOutcome> stage_recipients(ImportRequest request, WholeImport whole);
    Task<BatchOutcome> import_staged_recipients(std::string id, ChangeAuthor author);
    Task<BatchOutcome> set_recipients(SetWhereRequest request);
    // The last page of a run that changes primaries marks the policies as applied.
    Task<PolicyRunPage> apply_policies(PolicyRunRequest request);

    Task<Result<std::vector<ObjectVersion>>> history(std::size_t limit);
    // Everything as one TOML text.
    Task<Result<std::string>> export_toml(ExportRequest request = {});
    // Makes everything as a TOML text says: objects in one transaction, then recipients, a batch
    // in each.
    Task<ApplyOutcome> apply_toml(ApplyRequest request);

    // Null before `open`.
    [[nodiscard]] OrganizationPtr organization() const noexcept { return organization_; }

  private:
    // The right to change things, given back when it goes.
    class Turn {
      public:
        explicit Turn(OrganizationService& service) noexcept
            : service_(service) {}

        ~Turn() { service_.end_turn(); }

        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

      private:
        OrganizationService& service_;
    };

    // What an edit would do, before it is checked against the other objects.
    struct Draft {
        std::string title;
        std::vector<ObjectChange> changes;
        boost::json::object before;
        boost::json::object after;
    };

    Task<void> take_turn();
    void end_turn() noexcept;

    Task<ChangeOutcome> create_object(const schema::ObjectType& type, ChangeRequest request);
    Task<ChangeOutcome> set_object(const schema::ObjectType& type, ChangeRequest request);
    Task<ChangeOutcome> remove_object(const schema::ObjectType& type, ChangeRequest request);
    Task<ChangeOutcome> store(Draft draft, ChangeRequest request);

    Task<ChangeOutcome> set_recipient(RecipientKind kind, ChangeRequest request);
    Task<ChangeOutcome> remove_recipient(RecipientKind kind, ChangeRequest request);
    Task<ErrorCode> publish_changes();

    Task<ErrorCode> export_recipients(std::string& text);
    Task<void> apply_recipients(
        const WrittenConfiguration& written,
        const ApplyRequest& request,
        OrganizationPtr organization,
        ApplyOutcome& answer);
    Task<void> drop_same_members(const std::string& group, boost::json::object& fields);
    Task<void> apply_batch(
        ImportRequest request, OrganizationPtr organization, ApplyOutcome& answer);
    Task<void> remove_others(
        RecipientKind kind,
        const WrittenConfiguration& written,
        const ApplyRequest& request,
        ApplyOutcome& answer);

    Task<ErrorCode> refresh();
    Task<ErrorCode> add_standing_objects();
    Task<Result<std::vector<schema::Problem>>> create_first_objects(FirstStart first);
    Task<std::vector<schema::Problem>> find_lost_domains(const Organization& next);
    Task<std::vector<std::string>> postmaster_warnings(const Organization& next);
    Task<std::vector<schema::Problem>> find_refused_bindings(OrganizationPtr next);
    [[nodiscard]] std::vector<std::string> certificate_warnings(const Organization& next) const;
    Task<ErrorCode> mark_applied(std::string policy, ChangeAuthor author);
    void publish(OrganizationPtr organization);

    Parts parts_;
    RecipientService recipients_;
    ObjectSet objects_;  // as stored
    OrganizationPtr organization_;
    bool busy_ = false;
    bool whole_ = false;  // an import is being taken whole: the store shows what may be undone
    std::deque<OneShot<bool>*> waiting_;
};

}  // namespace mailflow

// Recipients in the organization store: own rows, one transaction and version with the objects,
// never in the Organization snapshot. Called from the console lane.
#pragma once

#include "transport/base/error.hpp"
#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/org/recipient_reference.hpp"
#include "transport/ports/records/object_record.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

// Recipients of one write_batch.
constexpr std::size_t kRecipientBatch = 1000;

// A name, alias, UPN or address somebody has.
struct TakenName {
    std::string lookup_key;
    std::string owner;  // name of the recipient
};

// A row of an import that is to be taken whole, as the service wrote it.
struct StagedRow {
    std::uint64_t number = 0;  // its place in the import
    std::string document;
};

class RecipientStore {
  public:
    virtual ~RecipientStore() = default;
    // By name, else by alias; without case.
    virtual Task<Result<std::optional<MailRecipient>>> find(std::string name) = 0;
    virtual Task<Result<std::optional<MailRecipient>>> find_by_address(EmailAddress address) = 0;
    // By login name alone; without case.
    virtual Task<Result<std::optional<MailRecipient>>> find_by_upn(std::string upn) = 0;
    // By name without case, `after` exclusive.
    virtual Task<Result<std::vector<MailRecipient>>> page(std::string after, std::size_t limit) = 0;

    // Those of one kind, likewise.
    virtual Task<Result<std::vector<MailRecipient>>> page_of(
        RecipientKind kind, std::string after, std::size_t limit) = 0;
    [[nodiscard]] virtual Task<Result<std::uint64_t>> count(RecipientKind kind) = 0;
    // Names of a group's direct members, in order, `after` exclusive; Error::not_found, also for
    // what is no group.
    virtual Task<Result<std::vector<std::string>>> members(
        std::string group, std::string after, std::size_t limit) = 0;
    // Who refers to a recipient (ReferenceRole), and so loses it when it is removed: by role, in no
    // promised order within one. Error::not_found.
    virtual Task<Result<std::vector<Referrer>>> referrers(std::string name, std::size_t limit) = 0;

    // Names of recipients whose accept_from is this one alone: its removal would let everybody send
    // to them. Itself is not among them. Error::not_found.
    virtual Task<Result<std::vector<std::string>>> accepting_only(
        std::string name, std::size_t limit) = 0;

    // How many recipients have an address in this domain (accepted domains in use cannot go).
    virtual Task<Result<std::uint64_t>> count_in_domain(DomainName domain) = 0;
    // The domains recipients have addresses in, as A-labels, in order; `after` exclusive.
    virtual Task<Result<std::vector<std::string>>> domains(
        std::string after, std::size_t limit) = 0;

    // What of these is taken by a recipient other than `except` (a name): `name`, `alias`, `upn` or
    // an address's lookup key, each with its owner's name; all without case. In order of the keys;
    // a key that two have comes twice.
    virtual Task<Result<std::vector<TakenName>>> taken(
        std::vector<std::string> lookup_keys, std::string except) = 0;

    // Error::already_exists when the name, the alias, the UPN or one of the addresses is taken (by
    // another). A mailbox without a UPN gets the primary address as one; contacts and groups are
    // stored without UPN and verifier. Every other recipient that is named in it is stored (else
    // Error::not_found); such a name follows its recipient: it changes when that one is renamed and
    // vanishes when it is removed.
    virtual Task<Result<>> create(MailRecipient recipient, ChangeAuthor author) = 0;
    // Error::not_found, or as `create`. A new name renames. What is no group any more has no
    // members. `objects` change with it, or neither does.
    virtual Task<Result<>> replace(
        std::string name, MailRecipient recipient, ChangeAuthor author, ObjectEdits objects) = 0;
    // Error::not_found.
    virtual Task<Result<>> remove(std::string name, ChangeAuthor author, ObjectEdits objects) = 0;

    Task<Result<>> replace(std::string name, MailRecipient recipient, ChangeAuthor author) {
        return replace(std::move(name), std::move(recipient), std::move(author), {});
    }

    Task<Result<>> remove(std::string name, ChangeAuthor author) {
        return remove(std::move(name), std::move(author), {});
    }

    // Many as one transaction and one version, at most kRecipientBatch (else Error::too_large): in
    // order, each is created, or replaces the one of its name; names in them may be of later ones.
    // The answer has one entry for each: an error there (as of `create`) left that one out and did
    // not touch the others, but for those that name it.
    virtual Task<Result<std::vector<Result<>>>> write_batch(
        std::vector<MailRecipient> recipients, ChangeAuthor author) = 0;

    // ---- imports taken whole
    // Rows wait in the store, whatever their number, for one import at a time; none outlives the
    // process. A number that is there already is Error::already_exists and stages nothing.
    virtual Task<Result<>> stage(std::vector<StagedRow> rows) = 0;
    // In order of their numbers, `after` exclusive.
    virtual Task<Result<std::vector<StagedRow>>> staged(
        std::optional<std::uint64_t> after, std::size_t limit) = 0;
    virtual Task<Result<>> unstage() = 0;
    // From here to `end`, write_batch and edit_members are one transaction and one version, of any
    // size; the directory sees nothing of it before, this port all. No other change comes between.
    // Error::conflict: one has begun. After an error of any call only `end(false)` is left.
    virtual Task<Result<>> begin(ChangeAuthor author) = 0;
    // Error::conflict: none has begun.
    virtual Task<Result<>> end(bool keep) = 0;

    // Adds and removes direct members of a group, by name (not alias). Error::not_found for the
    // group or one of them, and then nothing is changed. Adding who is there, and removing who is
    // not, is nothing.
    virtual Task<Result<>> edit_members(
        std::string group,
        std::vector<std::string> add,
        std::vector<std::string> remove,
        ChangeAuthor author) = 0;
};

}  // namespace mailflow

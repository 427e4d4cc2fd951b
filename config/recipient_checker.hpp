// What of recipients is not in their documents alone: whether names, login names and addresses are
// free, whether the recipients they name exist, and which addresses their policy gives them. Works
// on many at once, with one question to the store for all of them. Made for one change and dropped;
// console lane.
#pragma once

#include "config/recipient_document.hpp"
#include "transport/addressing/address_plan.hpp"
#include "transport/ports/recipient_store.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mailflow {

// A recipient on its way into the store.
struct RecipientDraft {
    std::optional<MailRecipient> current;  // none: new
    CheckedRecipient next;
    std::uint64_t row = 0;             // of the file it comes from; 0: none
    std::vector<std::string> missing;  // recipients it names and nobody is
    std::vector<EmailAddress>
        numbered;  // generated, with a number because another has the plain one
};

class RecipientChecker {
  public:
    // All three outlive this.
    RecipientChecker(
        RecipientStore& store, const Organization& organization, const PolicySet& policies) noexcept
        : store_(store)
        , organization_(organization)
        , policies_(policies) {}

    // Completes the drafts that have no problems yet, in order: names become those of the
    // recipients meant, addresses and UPN are filled in, and what is wrong becomes a problem. An
    // error: the store could not be asked.
    Task<ErrorCode> complete(std::vector<RecipientDraft>& drafts);

  private:
    using Keys = std::vector<std::string>;

    Task<ErrorCode> learn(Keys keys);
    Task<ErrorCode> complete_one(RecipientDraft& draft, std::size_t index);
    Task<ErrorCode> plan(RecipientDraft& draft);
    Task<ErrorCode> find_conflicts(RecipientDraft& draft);
    // What to say of `key`, which another has; nothing when nobody has it.
    Task<Result<std::string>> holder_of(const RecipientDraft& draft, std::string key, bool address);
    [[nodiscard]] Keys try_plan(RecipientDraft& draft) const;
    void resolve_names(RecipientDraft& draft) const;
    void claim(const RecipientDraft& draft, std::size_t index);
    void announce(const std::vector<RecipientDraft>& drafts);
    [[nodiscard]] Keys keys_of(const RecipientDraft& draft) const;
    [[nodiscard]] const std::string* name_of(const std::string& reference) const;
    [[nodiscard]] const std::string* other_owner(
        const RecipientDraft& draft, const std::string& key) const;
    [[nodiscard]] bool is_taken(const RecipientDraft& draft, const std::string& key) const;

    RecipientStore& store_;
    const Organization& organization_;
    const PolicySet& policies_;
    std::unordered_map<std::string, std::vector<std::string>> owners_;  // key → who has it
    std::unordered_map<std::string, std::string> announced_;            // key → name of a draft
    std::unordered_map<std::string, std::uint64_t> claimed_;  // key → row of the draft that has it
};

// As the store looks a name, alias, login name or address up.
[[nodiscard]] std::string recipient_key(std::string_view text);

}  // namespace mailflow

// The inside of a Categorization: frames that are still to be worked on, and the recipients found
// so far. Nobody else uses it. The files: categorization.cpp begins and ends, expansion.cpp follows
// groups and forwardings, queued_rows.cpp writes down who is found, delivery_place.cpp says where a
// mailbox's mail is put, message_variants.cpp makes what leaves different from what stays.
#pragma once

#include "transport/addressing/header_rewriter.hpp"
#include "transport/route/categorization.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace mailflow {

// How a recipient was come to from what RCPT named.
struct CategorizerWay {
    std::size_t root = 0;  // position in the request; the always-bcc recipient is behind them
    DsnRequest dsn{};
    // MAIL FROM and the place of reports, when a group's owner gets them; none: the sender.
    std::optional<EmailAddress> owner{};
    // The last mailbox that forwarded; null: none did.
    RecipientPtr forwarder{};

    // Mailboxes and contacts that were gone through, in order.
    struct Link {
        std::string name;
        bool keeps_a_copy = false;
    };

    std::vector<Link> chain{};
    std::uint32_t depth = 0;  // groups in groups
    bool is_exempt = false;   // from restrictions: roles, the always-bcc recipient
};

using CategorizerWayPtr = std::shared_ptr<const CategorizerWay>;

class Categorization::Work {
  public:
    Work(const Organization& organization, CategorizeRequest request);

    [[nodiscard]] bool advance();
    [[nodiscard]] Categorized take();

    DirectoryFacts facts;

  private:
    // Something that is still to be followed; the last one is next.
    struct Frame {
        CategorizerWayPtr way;
        // One of these says what it is.
        std::optional<ForwardPath> path{};  // to be resolved
        std::optional<ResolvedRecipient> resolved{};
        RecipientPtr recipient{};  // a member, or who is forwarded to
        std::string name{};        // likewise, to be looked up

        bool is_checked = false;  // has passed the restrictions
        bool is_later = false;    // a group or a forwarding: after who is named directly
        // A group under expansion.
        bool is_open = false;
        std::vector<RecipientPtr> page{};
        std::size_t next = 0;
        std::string after{};
        bool is_last_page = false;
        std::size_t note = 0;  // of the expansion
    };

    enum class Step : std::uint8_t { done, wanted };

    // What the rows of the answer still need: variants are made when all of them are known.
    struct Mark {
        CategorizerWayPtr way;
        bool leaves = false;
    };

    // ---- categorization.cpp
    void begin_root(std::size_t position);
    void add_always_bcc();
    [[nodiscard]] bool exceeds_recipient_limit() const;
    void refuse_all(const Refusal& refusal);
    void conclude();

    // ---- expansion.cpp
    [[nodiscard]] Step follow(std::size_t frame);
    [[nodiscard]] Step resolve(std::size_t frame);
    [[nodiscard]] Step follow_resolved(std::size_t frame);
    [[nodiscard]] Step follow_recipient(std::size_t frame);
    [[nodiscard]] bool find_by_name(std::size_t frame);
    [[nodiscard]] bool comes_later(std::size_t frame);
    void forward(std::size_t frame);
    [[nodiscard]] Step open_group(std::size_t frame);
    [[nodiscard]] Step expand_group(std::size_t frame);
    [[nodiscard]] bool find_owner(const MailRecipient& group, RecipientPtr& owner);
    void go_to_owner(std::size_t frame, RecipientPtr owner, const CategorizerWayPtr& from);
    [[nodiscard]] bool drops_for_group(const Frame& frame);
    void follow_contact(std::size_t frame);
    [[nodiscard]] bool is_loop(const Frame& frame);
    [[nodiscard]] RestrictStep restrict(const Frame& frame);
    void pop(std::size_t frame);

    // ---- rows
    void deliver_here(const MailRecipient& mailbox, const CategorizerWayPtr& way);
    void send_to(EmailAddress address, const CategorizerWayPtr& way);
    void fail(EmailAddress address, const CategorizerWayPtr& way, const Refusal& refusal);
    void drop(const EmailAddress& address, const CategorizerWayPtr& way, std::string reason);
    void report_expanded(const MailRecipient& group, const CategorizerWayPtr& way);
    [[nodiscard]] bool is_new(std::string key);
    QueuedRecipient& add_row(EmailAddress address, const CategorizerWayPtr& way, bool leaves);
    [[nodiscard]] std::optional<std::string> forbidden_by_domain(
        const EmailAddress& address, const CategorizerWay& way) const;
    [[nodiscard]] std::string original_of(const CategorizerWay& way) const;

    void note(CategorizerNote step) { answer_.notes.push_back(std::move(step)); }

    [[nodiscard]] bool wants_notes() const noexcept { return request_.explain; }

    // ---- message_variants.cpp
    [[nodiscard]] Step rewrite();
    void note_rewritten(const std::vector<HeaderRewrite::Change>& changes);
    [[nodiscard]] FieldsRewrite rewrite_prefix(
        const AddressMap& senders, const AddressMap& recipients) const;
    void rewrite_what_stays();
    [[nodiscard]] Step learn_senders();
    void rewrite_what_leaves();
    void assign_variants();
    [[nodiscard]] std::optional<EmailAddress> leaving_address(const EmailAddress& address) const;
    [[nodiscard]] bool rewrites_senders() const noexcept;
    [[nodiscard]] bool has_entries() const noexcept;
    [[nodiscard]] MessageVariant variant_for(const Mark& mark) const;
    void set_forwarded_sender(MessageVariant& variant, const CategorizerWay& way) const;

    const Organization& organization_;
    CategorizeRequest request_;
    Categorized answer_;
    std::vector<Mark> marks_;  // of the rows of the answer
    std::vector<Frame> frames_;
    std::vector<Frame> later_;  // in order
    std::size_t next_later_ = 0;
    std::size_t next_root_ = 0;
    std::unordered_set<std::string> seen_;      // rows, by where they go
    std::unordered_set<std::string> expanded_;  // groups, by name in lower case
    bool begun_ = false;
    bool is_rewritten_ = false;
    bool concluded_ = false;
    bool always_bcc_done_ = false;

    // Addresses of the header and of MAIL FROM that leave changed, by their text.
    std::optional<std::vector<EmailAddress>> claimed_;
    std::size_t next_claimed_ = 0;
    std::unordered_map<std::string, EmailAddress> primaries_;
    std::vector<HeaderEdit> leaving_edits_;
    std::optional<std::string> leaving_prefix_;  // none: as what stays
    bool leaving_differs_ = false;
};

// Where the mail of a mailbox is put: its target, with what its template stands for.
[[nodiscard]] DeliveryTarget delivery_place(const MailRecipient& mailbox);

}  // namespace mailflow

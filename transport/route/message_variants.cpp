// What leaves is not always what stays: MAIL FROM and header of the message as each of its
// recipients gets it (reference 4.8, 5.3; decisions 2.10).

#include "transport/base/ascii.hpp"
#include "transport/mail/utf8.hpp"
#include "transport/route/categorization_work.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Variants of one message; what is beyond gets the message as it came.
constexpr std::size_t kMaxVariants = 60'000;
// Addresses of one header that are looked up.
constexpr std::size_t kMaxClaimed = 100;

CategorizerNote rewritten(std::string before, std::string after, std::string reason) {
    return {
        CategorizerStage::rewrite,
        std::move(before),
        {std::move(after)},
        std::move(reason),
        TrackingEventId::rewrite};
}

}  // namespace

Categorization::Work::Step Categorization::Work::rewrite() {
    if (is_rewritten_) {
        return Step::done;
    }
    const bool somebody_leaves =
        std::any_of(marks_.begin(), marks_.end(), [](const Mark& mark) { return mark.leaves; });
    if (somebody_leaves && learn_senders() == Step::wanted) {
        return Step::wanted;
    }
    is_rewritten_ = true;
    rewrite_what_stays();
    if (somebody_leaves) {
        rewrite_what_leaves();
    }
    assign_variants();
    return Step::done;
}

bool Categorization::Work::has_entries() const noexcept {
    return request_.tools != nullptr && !request_.tools->rewriter().empty();
}

void Categorization::Work::note_rewritten(const std::vector<HeaderRewrite::Change>& changes) {
    for (const auto& change : changes) {
        note(rewritten(change.from.text(), change.to.text(), change.field));
    }
}

// RFC 6532: the message is internationalized when either part of its header is.
FieldsRewrite Categorization::Work::rewrite_prefix(
    const AddressMap& senders, const AddressMap& recipients) const {
    const auto& prefix = request_.prefix;
    const bool smtputf8 = request_.header->smtputf8 || !utf8::is_ascii(prefix);
    return rewrite_fields(prefix, smtputf8, senders, recipients);
}

// ---- what stays: To and Cc as we know ourselves

void Categorization::Work::rewrite_what_stays() {
    answer_.edits = request_.edits;
    answer_.prefix = request_.prefix;
    if (request_.header == nullptr || !has_entries()) {
        return;
    }
    const auto& rewriter = request_.tools->rewriter();
    const auto to_internal = [&rewriter](const EmailAddress& address) {
        auto found = rewriter.inbound(address);
        return found && found->by->rewrite_recipient_fields ? std::optional(found->address)
                                                            : std::nullopt;
    };
    auto fields = rewrite_prefix(AddressMap(), to_internal);
    note_rewritten(fields.changes);
    if (!fields.changes.empty()) {
        answer_.prefix = std::move(fields.text);
    }
    auto result = rewrite_header(*request_.header, request_.edits, AddressMap(), to_internal);
    note_rewritten(result.changes);
    if (!result.changes.empty()) {
        answer_.edits = std::move(result.edits);
    }
}

// ---- what leaves

bool Categorization::Work::rewrites_senders() const noexcept {
    const auto& sender = request_.sender;
    return sender.is_authenticated && !sender.is_own_report;
}

// Which addresses of ours the message is from, and what their primary ones are.
Categorization::Work::Step Categorization::Work::learn_senders() {
    if (!rewrites_senders()) {
        return Step::done;
    }
    if (!claimed_) {
        auto& claimed = claimed_.emplace();
        const auto collect = [this, &claimed](const EmailAddress& address) {
            const bool is_ours = address.domain() &&
                                 organization_.find_accepted_domain(*address.domain()) != nullptr;
            const bool is_new = std::find(claimed.begin(), claimed.end(), address) == claimed.end();
            if (is_ours && is_new && claimed.size() < kMaxClaimed) {
                claimed.push_back(address);
            }
            return std::optional<EmailAddress>();
        };
        if (!request_.sender.path.is_null()) {
            (void)collect(request_.sender.path.address());
        }
        if (request_.header != nullptr) {
            (void)rewrite_prefix(collect, AddressMap());
            (void)rewrite_header(*request_.header, request_.edits, collect, AddressMap());
        }
    }
    while (next_claimed_ < claimed_->size()) {
        const auto& address = (*claimed_)[next_claimed_];
        const SenderFacts claim{.path = ReversePath(address), .account = request_.sender.account};
        const auto found = find_sender(claim, facts);
        if (!found) {
            return Step::wanted;
        }
        ++next_claimed_;
        const auto& owner = *found;
        const bool is_changed = owner != nullptr && owner->kind != RecipientKind::contact &&
                                owner->rewrite_sender_to_primary.value_or(
                                    organization_.transport().rewrite_sender_to_primary) &&
                                owner->primary() != address;
        if (is_changed) {
            primaries_.emplace(address.text(), owner->primary());
        }
    }
    return Step::done;
}

// The primary address first, then what an entry makes of it.
std::optional<EmailAddress> Categorization::Work::leaving_address(
    const EmailAddress& address) const {
    const auto primary = primaries_.empty() ? primaries_.end() : primaries_.find(address.text());
    std::optional<EmailAddress> changed;
    if (primary != primaries_.end()) {
        changed = primary->second;
    }
    if (has_entries()) {
        auto outbound = request_.tools->rewriter().outbound(changed ? *changed : address);
        if (outbound) {
            changed = std::move(outbound->address);
        }
    }
    return changed;
}

void Categorization::Work::rewrite_what_leaves() {
    leaving_edits_ = request_.edits;
    if (request_.header != nullptr && (has_entries() || !primaries_.empty())) {
        const auto senders = [this](const EmailAddress& address) {
            return leaving_address(address);
        };
        AddressMap recipients;
        if (has_entries()) {
            recipients = [this](const EmailAddress& address) {
                auto found = request_.tools->rewriter().outbound(address);
                return found && found->by->rewrite_recipient_fields ? std::optional(found->address)
                                                                    : std::nullopt;
            };
        }
        auto fields = rewrite_prefix(senders, recipients);
        note_rewritten(fields.changes);
        if (fields.text != answer_.prefix) {
            leaving_prefix_ = std::move(fields.text);
        }
        auto result = rewrite_header(*request_.header, request_.edits, senders, recipients);
        note_rewritten(result.changes);
        leaving_edits_ = std::move(result.edits);
    }
    leaving_differs_ = leaving_edits_ != answer_.edits || leaving_prefix_.has_value();
}

// ---- variants

void Categorization::Work::set_forwarded_sender(
    MessageVariant& variant, const CategorizerWay& way) const {
    const auto& sender = request_.sender.path.address();
    const auto mode = organization_.transport().forwarded_sender;
    const bool is_ours =
        sender.domain() && organization_.find_accepted_domain(*sender.domain()) != nullptr;
    if (is_ours || mode == ForwardedSender::keep) {
        return;
    }
    const auto* const srs = request_.tools == nullptr ? nullptr : request_.tools->srs();
    if (mode == ForwardedSender::srs && srs != nullptr) {
        if (auto address = srs->forward(sender, request_.now)) {
            variant.reverse_path = ReversePath(std::move(*address));
            return;
        }
    }
    variant.reverse_path = ReversePath(way.forwarder->primary());
    variant.report_to = variant.reverse_path;
}

MessageVariant Categorization::Work::variant_for(const Mark& mark) const {
    const auto& sender = request_.sender.path;
    MessageVariant variant{sender, sender, {}, {}};
    // Reports stay reports: the null reverse-path is never given away.
    if (!sender.is_null()) {
        if (mark.way->owner) {
            variant.reverse_path = ReversePath(*mark.way->owner);
            variant.report_to = variant.reverse_path;
        } else if (mark.leaves && mark.way->forwarder != nullptr) {
            set_forwarded_sender(variant, *mark.way);
        }
        const bool is_srs = variant.reverse_path != variant.report_to;
        if (mark.leaves && !is_srs) {
            if (auto address = leaving_address(variant.reverse_path.address())) {
                variant.reverse_path = ReversePath(std::move(*address));
            }
        }
    }
    return variant;
}

void Categorization::Work::assign_variants() {
    const bool all_leave_changed = leaving_differs_ || has_entries() || !primaries_.empty();
    std::unordered_map<std::string, std::uint16_t> known;
    for (std::size_t number = 0; number < marks_.size(); ++number) {
        const auto& mark = marks_[number];
        const bool may_differ =
            mark.way->owner ||
            (mark.leaves && (all_leave_changed || mark.way->forwarder != nullptr));
        if (!may_differ) {
            continue;
        }
        auto variant = variant_for(mark);
        const auto& sender = request_.sender.path;
        const bool edited = mark.leaves && leaving_differs_;
        if (variant.reverse_path == sender && variant.report_to == sender && !edited) {
            continue;
        }
        auto key = variant.reverse_path.text() + ' ' + variant.report_to.text() +
                   (edited ? " leaves" : "");
        auto entry = known.find(key);
        if (entry == known.end()) {
            if (answer_.variants.size() >= kMaxVariants) {
                continue;
            }
            if (variant.reverse_path != sender) {
                note(rewritten(sender.text(), variant.reverse_path.text(), "MAIL FROM"));
            }
            variant.edits = edited ? leaving_edits_ : answer_.edits;
            variant.prefix = edited ? leaving_prefix_ : std::nullopt;
            answer_.variants.push_back(std::move(variant));
            entry =
                known.emplace(std::move(key), static_cast<std::uint16_t>(answer_.variants.size()))
                    .first;
        }
        answer_.recipients[number].variant = entry->second;
    }
}

}  // namespace mailflow

#include "transport/route/categorization.hpp"

#include "transport/base/ascii.hpp"
#include "transport/route/categorization_work.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// RFC 3834 §5: the keyword ends where parameters or comments begin.
std::string_view keyword_of(std::string_view field) noexcept {
    return ascii::trimmed(field.substr(0, field.find_first_of(";(")));
}

bool is_for_its_size(const DeliveryStatus& status) noexcept {
    return status.status == EnhancedStatus{5, 2, 3} || status.status == EnhancedStatus{5, 3, 4};
}

}  // namespace

AutoSubmitted auto_submitted(
    std::string_view field, std::string_view content_type, const ReversePath& sender) noexcept {
    const bool is_report =
        sender.is_null() &&
        ascii::starts_with_ignoring_case(ascii::trimmed(content_type), "multipart/report");
    if (is_report) {
        // RFC 6522; they say auto-replied too.
        return AutoSubmitted::generated;
    }
    const auto keyword = keyword_of(field);
    if (ascii::equal_ignoring_case(keyword, "auto-replied")) {
        return AutoSubmitted::replied;
    }
    if (!keyword.empty() && !ascii::equal_ignoring_case(keyword, "no")) {
        return AutoSubmitted::generated;
    }
    // RFC 3834 §3.3: answers have the null sender, also those of programs too old to say more.
    return sender.is_null() ? AutoSubmitted::replied : AutoSubmitted::no;
}

const char* to_text(CategorizerStage stage) noexcept {
    switch (stage) {
        case CategorizerStage::resolve: return "resolve";
        case CategorizerStage::restrict: return "restrict";
        case CategorizerStage::expand: return "expand";
        case CategorizerStage::rewrite: return "rewrite";
    }
    return "";
}

bool Categorized::is_over() const noexcept {
    return std::all_of(recipients.begin(), recipients.end(), [](const auto& recipient) {
        return is_final(recipient.state) && recipient.reported;
    });
}

Categorization::Categorization(const Organization& organization, CategorizeRequest request)
    : work_(std::make_unique<Work>(organization, std::move(request))) {}

Categorization::~Categorization() = default;

bool Categorization::advance() {
    return work_->advance();
}

DirectoryFacts& Categorization::facts() noexcept {
    return work_->facts;
}

Categorized Categorization::take() {
    return work_->take();
}

// ---- from the first recipient to the last

Categorization::Work::Work(const Organization& organization, CategorizeRequest request)
    : organization_(organization)
    , request_(std::move(request)) {
    answer_.recipients.reserve(request_.recipients.size());
    marks_.reserve(request_.recipients.size());
}

bool Categorization::Work::advance() {
    if (!std::exchange(begun_, true) && exceeds_recipient_limit()) {
        refuse_all(too_many_recipients());
        next_root_ = request_.recipients.size();
        always_bcc_done_ = true;
    }
    for (;;) {
        if (!frames_.empty()) {
            if (follow(frames_.size() - 1) == Step::wanted) {
                return false;
            }
        } else if (next_root_ < request_.recipients.size()) {
            begin_root(next_root_++);
        } else if (next_later_ < later_.size()) {
            frames_.push_back(std::move(later_[next_later_++]));
        } else if (!std::exchange(always_bcc_done_, true)) {
            add_always_bcc();
        } else {
            break;
        }
    }
    if (rewrite() == Step::wanted) {
        return false;
    }
    if (!std::exchange(concluded_, true)) {
        conclude();
    }
    return true;
}

Categorized Categorization::Work::take() {
    return std::move(answer_);
}

void Categorization::Work::begin_root(std::size_t position) {
    auto& named = request_.recipients[position];
    auto way = std::make_shared<CategorizerWay>();
    way->root = position;
    way->dsn = named.dsn;
    Frame frame;
    frame.way = std::move(way);
    if (named.resolved) {
        frame.is_checked = true;
        frame.resolved = std::move(named.resolved);
    } else {
        frame.path = named.path;
    }
    frames_.push_back(std::move(frame));
}

// What we wrote ourselves is not kept: a copy that cannot be delivered would make the next.
void Categorization::Work::add_always_bcc() {
    const auto& address = organization_.transport().always_bcc;
    const bool somebody = std::any_of(
        answer_.recipients.begin(), answer_.recipients.end(), [](const auto& recipient) {
            return !is_final(recipient.state);
        });
    if (!address || !request_.copies_to_always_bcc || request_.sender.is_own_report || !somebody) {
        return;
    }
    auto way = std::make_shared<CategorizerWay>();
    way->root = request_.recipients.size();
    // The sender knows nothing of it.
    way->dsn.notify = static_cast<std::uint8_t>(NotifyOn::never);
    way->is_exempt = true;
    Frame frame;
    frame.way = std::move(way);
    frame.path.emplace(*address);
    frames_.push_back(std::move(frame));
}

// Fact 9: the limit of a mailbox that sends, else the organization's; a group counts as one.
bool Categorization::Work::exceeds_recipient_limit() const {
    const auto& sender = request_.sender;
    const auto own =
        sender.account == nullptr ? std::nullopt : sender.account->limits.max_recipients;
    const auto limit = own.value_or(organization_.transport().max_recipient_envelope_limit);
    return !sender.is_own_report && request_.recipients.size() > limit;
}

void Categorization::Work::refuse_all(const Refusal& refusal) {
    for (std::size_t position = 0; position < request_.recipients.size(); ++position) {
        const auto& named = request_.recipients[position];
        auto way = std::make_shared<CategorizerWay>();
        way->root = position;
        way->dsn = named.dsn;
        auto address = named.path.is_bare_postmaster()
                           ? EmailAddress::of("postmaster", organization_.default_domain().domain)
                           : named.path.address();
        fail(std::move(address), way, refusal);
    }
    answer_.refusal = refusal;
}

void Categorization::Work::conclude() {
    for (std::size_t number = 0; number < answer_.recipients.size(); ++number) {
        answer_.recipients[number].number = static_cast<std::uint32_t>(number);
    }
    const auto& rows = answer_.recipients;
    const bool nobody_for_size =
        !rows.empty() && std::all_of(rows.begin(), rows.end(), [](const auto& row) {
            return row.state == RecipientState::failed && is_for_its_size(*row.last);
        });
    if (nobody_for_size) {
        const auto& status = *rows.front().last;
        answer_.refusal =
            status.status == EnhancedStatus{5, 2, 3} ? recipient_too_large() : message_too_large();
    }
}

}  // namespace mailflow

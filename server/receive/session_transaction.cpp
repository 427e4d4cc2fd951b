// MAIL, RCPT, VRFY and EXPN of a receive session: who may send, to whom, how much. The checks come
// in the order of reference 2.11.

#include "server/receive/receive_session.hpp"
#include "server/receive/sender_checks.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Recipients over the limit that are answered 452 before the session is closed (attack case 18).
constexpr std::uint32_t kMaxExcessRecipients = 1000;
// Members of a group that EXPN shows; of larger ones it shows none.
constexpr std::size_t kMaxShownMembers = 200;

constexpr RateLimiter::Use kOneMessage{1, 0};
constexpr RateLimiter::Use kOneRecipient{0, 1};

}  // namespace

// ---- MAIL

// The plain path: an answer without waiting for anybody, or `wait` for judge_sender.
ReceiveSession::Step ReceiveSession::judge_sender_at_once(const smtp::Mail& mail) {
    refresh_rights();
    const auto limits = RateLimits::of(*rights_.connector);
    const bool plain = !limits.limits_messages() && !rights_.is_bound_to_account() &&
                       lane_.pressure.level == PressureLevel::normal && !lane_.store_failed;
    if (!plain) {
        return Step::wait;
    }
    auto verdict = check_submit(rights_);
    if (verdict.is_accepted()) {
        verdict = check_declared_size(rights_, mail.size);
    }
    if (verdict.is_accepted()) {
        verdict = check_sender(rights_, mail.path);
    }
    if (!verdict.is_accepted()) {
        return Step::wait;  // perhaps to be answered late
    }
    accept_sender(mail);
    return Step::go_on;
}

Task<ReceiveSession::Step> ReceiveSession::judge_sender(smtp::Mail& mail) {
    auto verdict = check_submit(rights_);
    if (verdict.is_accepted() && lane_.store_failed) {
        verdict = {local_failure(Error::store_failed), "store failed"};
    }
    if (verdict.is_accepted()) {
        const bool logged_in = rights_.standing == Standing::authenticated;
        auto pressed =
            check_pressure(lane_.pressure, {logged_in, rights_.is_trusted(), mail.path.is_null()});
        verdict = std::move(pressed.verdict);
        const bool slowed = pressed.delay.count() > 0;
        if (services().metrics != nullptr && (slowed || !verdict.is_accepted())) {
            services().metrics->delayed();
        }
        if (slowed) {
            co_await sleep(pressed.delay);
        }
    }
    if (verdict.is_accepted() && RateLimits::of(*rights_.connector).limits_messages()) {
        const bool allowed = co_await take_tokens(kOneMessage);
        if (!allowed) {
            count_refusal("message rate");
            log().info(
                "sender refused", {{"client", client_.text()}, {"reason", "message_rate_limit"}});
            co_return hang_up(rate_exceeded());
        }
    }
    if (verdict.is_accepted()) {
        verdict = check_declared_size(rights_, mail.size);
    }
    if (verdict.is_accepted()) {
        verdict =
            co_await check_reverse_path(services().directory, rights_, account_.get(), mail.path);
    }
    if (verdict.is_accepted()) {
        accept_sender(mail);
        co_return Step::go_on;
    }
    if (verdict.refusal->is_permanent()) {
        co_await tarpit();
    }
    refuse_sender(mail, verdict);
    co_return Step::go_on;
}

void ReceiveSession::accept_sender(const smtp::Mail& mail) {
    transaction_ = std::make_unique<Transaction>(rights_);
    transaction_->tools = lane_.address_tools(rights_.organization);
    auto reply = protocol_.sender_accepted(clock().now());
    // RFC 6710 §5: strangers do not get in front of others; what they asked for is changed, and
    // they are told so.
    if (mail.priority.value_or(0) > 0 && !rights_.is_known()) {
        transaction_->lowered_priority = true;
        reply = smtp::make_reply(250, "2.3.6", "Sender OK, priority changed to 0");
    }
    add(reply);
}

void ReceiveSession::refuse_sender(const smtp::Mail& mail, const Verdict& verdict) {
    protocol_.sender_refused();
    add(*verdict.refusal);
    count_refusal(verdict.reason);
    note("sender refused", verdict.reason);
    if (log().on(LogLevel::info)) {
        log().info(
            "sender refused",
            {{"client", client_.text()},
             {"sender", sender_text(mail.path)},
             {"account", account_ == nullptr ? "" : account_->name},
             {"reply", verdict.refusal->one_line()},
             {"reason", verdict.reason}});
    }
}

// From every window of the connector that has a limit.
Task<bool> ReceiveSession::take_tokens(RateLimiter::Use use) {
    const auto& connector = *rights_.connector;
    auto key = rate_key(connector, client_, account_ == nullptr ? "" : account_->name);
    if (!key) {
        co_return true;
    }
    const auto limits = RateLimits::of(connector);
    const bool taken = co_await host_.take_tokens(services().lane, std::move(*key), limits, use);
    co_return taken;
}

// ---- RCPT

Task<ReceiveSession::Step> ReceiveSession::judge_recipient(smtp::Rcpt& rcpt) {
    auto& transaction = *transaction_;
    // Deviation from the order of reference 2.11: counted first, so that a flood (attack case 18)
    // costs no look-up.
    auto verdict = check_recipient_count(transaction.rights, transaction.recipients.size());
    const bool excess = !verdict.is_accepted();
    if (excess && ++transaction.excess > kMaxExcessRecipients) {
        co_return hang_up(
            smtp::make_reply(421, "4.5.3", "Too many recipients, closing transmission channel"));
    }
    if (!excess) {
        verdict = check_recipient_domain(transaction.rights, rcpt.path);
    }
    if (verdict.is_accepted() &&
        RateLimits::of(*transaction.rights.connector).limits_recipients()) {
        const bool allowed = co_await take_tokens(kOneRecipient);
        if (!allowed) {
            verdict = recipient_rate_exceeded();
        }
    }
    if (verdict.is_accepted()) {
        AdmitRequest request{
            .path = rcpt.path,
            .sender = sender_facts(transaction.rights, account_, protocol_.envelope().reverse_path),
            .size = protocol_.envelope().declared_size,
            .tools = transaction.tools.get(),
            .now = clock().now()};
        auto found = co_await admit_recipient(
            services().directory, transaction.rights.organization, std::move(request));
        verdict = check_admitted(transaction.rights, found);
        if (verdict.is_accepted()) {
            accept_recipient(rcpt, std::move(found->resolved));
            co_return Step::go_on;
        }
    }

    count_refusal(verdict.reason);
    note("recipient refused", verdict.reason);
    if (log().on(LogLevel::info)) {
        log().info(
            "recipient refused",
            {{"client", client_.text()},
             {"sender", sender_text(protocol_.envelope().reverse_path)},
             {"recipient", rcpt.path.text()},
             {"reply", verdict.refusal->one_line()},
             {"reason", verdict.reason}});
    }
    if (verdict.refusal->is_permanent()) {
        co_await tarpit();
    }
    protocol_.recipient_refused();
    add(*verdict.refusal);
    co_return Step::go_on;
}

// Who is given twice, or by two addresses, gets one copy: the categorizer sees to it.
void ReceiveSession::accept_recipient(const smtp::Rcpt& rcpt, ResolvedRecipient resolved) {
    add(protocol_.recipient_accepted());
    transaction_->recipients.push_back({rcpt.path, rcpt.dsn, std::move(resolved)});
}

// ---- VRFY, EXPN

namespace {

// `bob`, `bob@contoso.com`, `Bob <bob@contoso.com>`.
Result<EmailAddress> address_of(std::string_view name, std::string_view default_domain) {
    const auto open = name.rfind('<');
    if (open != std::string_view::npos && name.ends_with('>')) {
        name = name.substr(open + 1, name.size() - open - 2);
    }
    auto text = std::string(name);
    if (text.find('@') == std::string::npos) {
        text.append("@").append(default_domain);
    }
    return EmailAddress::parse(text);
}

}  // namespace

// RFC 5321 §7.3: who is in a group is for those who have logged in, or are trusted.
bool ReceiveSession::may_expand() const noexcept {
    return rights_.is_known();
}

// RFC 5321 §3.5.2: a line for each direct member.
Task<ReceiveSession::Step> ReceiveSession::answer_group(MailRecipientPtr group) {
    if (!may_expand()) {
        count_refusal("members are not shown");
        add(smtp::make_reply(550, "5.7.1", "Members of this group are not shown"));
        co_return Step::go_on;
    }
    const auto members = co_await services().directory.members(group->name, {}, kMaxShownMembers);
    if (!members) {
        add(local_failure(members.error()));
        co_return Step::go_on;
    }
    if (members->empty() || members->size() == kMaxShownMembers) {
        add(smtp::make_reply(252, "2.1.5", "Will take message and expand the group"));
        co_return Step::go_on;
    }
    auto reply = smtp::make_reply(250, "2.1.5", {});
    std::string text;
    for (const auto& member : *members) {
        text.append(text.empty() ? "<" : "\n<").append(member->primary().text()).append(">");
    }
    reply.text = std::move(text);
    add(reply);
    co_return Step::go_on;
}

// RFC 5321 §3.5.3. Our mailboxes are no lists: EXPN of one is the mailbox itself.
Task<ReceiveSession::Step> ReceiveSession::answer_name(smtp::CheckName& name) {
    const auto address = address_of(name.name, rights_.default_domain());
    MailRecipientPtr owner;
    if (address) {
        const auto found = co_await services().directory.find_recipient(*address);
        if (!found) {
            add(local_failure(found.error()));
            co_return Step::go_on;
        }
        owner = *found;
    }
    if (owner != nullptr && name.expand && owner->kind == RecipientKind::group) {
        const auto step = co_await answer_group(std::move(owner));
        co_return step;
    }
    if (owner != nullptr) {
        add(smtp::make_reply(250, "2.1.5", "<" + owner->primary().text() + ">"));
        co_return Step::go_on;
    }
    const auto* const domain = address && address->domain()
                                   ? rights_.organization->find_accepted_domain(*address->domain())
                                   : nullptr;
    const bool ours = domain != nullptr && domain->type == AcceptedDomainType::authoritative;
    if (address && !ours && !name.expand) {
        // RFC 5321 §3.5.3: somebody else's to know.
        add(smtp::make_reply(
            252, "2.1.5", "Cannot VRFY user, but will take message and attempt delivery"));
        co_return Step::go_on;
    }
    count_refusal("unknown name");
    co_await tarpit();
    add(smtp::make_reply(550, "5.1.1", "User unknown"));
    co_return Step::go_on;
}

}  // namespace mailflow

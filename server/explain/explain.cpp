#include "server/explain/explain.hpp"

#include "server/explain/header_changes.hpp"
#include "server/receive/message_facts.hpp"
#include "server/receive/sender_checks.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/deliver/tls_policy.hpp"
#include "transport/mail/trace_field.hpp"
#include "transport/route/categorizer.hpp"
#include "transport/route/connector_selection.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace mailflow {

namespace {

constexpr const char* kNotAsked =
    "counts of connections, rates, back pressure and free space change from moment to moment and "
    "were not asked";

// What connector and policy ask for; DANE and MTA-STS are known only when the hosts are asked.
std::string tls_words(const SendConnector& connector, const NextHop& hop) {
    TlsQuestion question;
    question.connector = &connector;
    question.place =
        hop.type == DeliveryType::smart_host ? TlsPlace::smart_host : TlsPlace::mx_host;
    question.recipient_domain = hop.domain;
    question.host = hop.domain;
    const auto demand = decide_tls(question).demand;
    switch (demand.level) {
        case TlsLevel::none: return "in clear: the connector says no STARTTLS";
        case TlsLevel::opportunistic: {
            const bool may_ask = asks_dane(question) || asks_sts(question);
            return std::string("where a host offers it, else in clear") +
                   (may_ask ? "; DANE and MTA-STS may demand more" : "");
        }
        default: break;
    }
    return std::string("always, or the mail waits: ") + to_text(demand.level);
}

// ---- the hosts of a next hop, within a limit

using PendingHosts = std::shared_ptr<OneShot<MxTargets>>;

void complete_once(const PendingHosts& pending, MxTargets targets) {
    if (!pending->is_complete()) {
        pending->complete(std::move(targets));
    }
}

// Owns what it reads: it may go on when nobody waits any more.
struct HostSearch {
    OrganizationPtr organization;
    const SendConnector* connector = nullptr;
    NextHop hop;
    TargetRules rules;
};

Task<void> search(Lane* lane, Resolver* resolver, HostSearch what, PendingHosts pending) {
    auto targets =
        co_await find_targets(*resolver, lane->random(), what.hop, *what.connector, what.rules);
    complete_once(pending, std::move(targets));
}

Task<void> give_up(Lane* lane, MonotonicTime when, PendingHosts pending) {
    co_await lane->sleep_until(when);
    complete_once(pending, {});
}

Task<MxTargets> search_within_limit(Lane& lane, Resolver& resolver, HostSearch what) {
    auto pending = std::make_shared<OneShot<MxTargets>>();
    lane.spawn("look hosts up to explain", search(&lane, &resolver, std::move(what), pending));
    const auto when = lane.clock().monotonic() + kExplainLookUp;
    lane.spawn("limit of a look-up to explain", give_up(&lane, when, pending));
    auto targets = co_await pending->wait();
    co_return targets;
}

// ---- words

std::string found_text(const ResolvedRecipient& found) {
    std::string text = to_text(found.kind);
    if (!found.mailbox.empty()) {
        text += " " + found.mailbox;
    }
    switch (found.by) {
        case ResolvedBy::address: break;
        case ResolvedBy::subaddress: text += ", without its subaddress"; break;
        case ResolvedBy::role: text += ", by its role"; break;
        case ResolvedBy::catch_all: text += ", the catch-all of the domain"; break;
    }
    if (found.rewrite != nullptr) {
        text += ", mapped by address-rewrite " + found.rewrite->name;
    }
    return text;
}

std::string header_text(const ExplainRequest& request, bool& adds_from) {
    std::string text;
    adds_from = true;
    for (const auto& field : request.fields) {
        text += field + "\r\n";
        adds_from = adds_from && field_kind(field.substr(0, field.find(':'))) != FieldKind::from;
    }
    adds_from = adds_from && !request.from.is_null();
    if (adds_from) {
        text += "From: <" + request.from.text() + ">\r\n";
    }
    return text + "\r\n";
}

// One explanation under way.
class Work {
  public:
    Work(ExplainParts parts, ExplainRequest request)
        : parts_(std::move(parts))
        , request_(std::move(request)) {}

    Task<ErrorCode> run(std::string* why);

    Explanation answer;

  private:
    bool check(
        std::string stage,
        std::string subject,
        std::string name,
        const Verdict& verdict,
        std::string detail = {});
    Task<ErrorCode> log_in(std::string* why);
    void choose();
    Task<bool> ask_mail();
    Task<bool> ask_recipient(ForwardPath path);
    Task<ErrorCode> ask_message();
    void scan();
    [[nodiscard]] std::string make_trace() const;
    Task<ErrorCode> resolve(HeaderDecision decision);
    Task<void> route(Explanation::Recipient& recipient);
    Task<void> find_hosts(Explanation::Recipient& recipient);

    [[nodiscard]] SenderFacts sender() const {
        return sender_facts(rights_, account_, request_.from);
    }

    ExplainParts parts_;
    ExplainRequest request_;
    Rights rights_;
    MailRecipientPtr account_;
    std::vector<CategorizeRequest::Recipient> accepted_;
    // The message.
    std::string text_;  // header with the empty line
    std::uint64_t size_ = 0;
    ContentFacts facts_;
    ScannedHeader header_;
    bool header_too_large_ = false;
    std::map<NextHop, MxTargets> hosts_;
};

bool Work::check(
    std::string stage,
    std::string subject,
    std::string name,
    const Verdict& verdict,
    std::string detail) {
    if (!verdict.is_accepted()) {
        detail = verdict.reason;
    }
    answer.checks.push_back(
        {std::move(stage),
         std::move(subject),
         std::move(name),
         verdict.refusal,
         std::move(detail)});
    return verdict.is_accepted();
}

Task<ErrorCode> Work::run(std::string* why) {
    auto choice = choose_receive_connector(
        *parts_.organization, request_.client, request_.connector, request_.local);
    if (!choice) {
        *why = "there is no receive connector \"" + request_.connector + "\"";
        co_return Error::not_found;
    }
    auto failed = co_await log_in(why);
    if (failed) {
        co_return failed;
    }
    answer.local = choice->local.text();
    answer.why = std::move(choice->why);
    answer.losers = std::move(choice->losers);
    answer.notes.emplace_back(kNotAsked);
    if (choice->connector == nullptr) {
        check("connect", {}, "a connector", {no_service(), "no connector for this client"});
        co_return ErrorCode();
    }
    const auto& connector = *choice->connector;
    answer.connector = connector.name;
    rights_ = Rights::of(
        parts_.organization,
        connector,
        account_ == nullptr ? Standing::anonymous : Standing::authenticated);
    if (account_ != nullptr) {
        rights_.own_max_send_size = account_->limits.max_send_size;
    }
    if (account_ != nullptr && connector.auth_mechanisms == 0) {
        answer.notes.push_back(connector.name + " offers no AUTH: nobody can log in there");
    }
    if (connector.tls == TlsMode::required) {
        answer.notes.push_back(
            connector.name + " wants STARTTLS before MAIL: the client is taken to do so");
    }
    if (!check("connect", {}, "connections", check_connection(connector, request_.client, {}))) {
        co_return ErrorCode();
    }
    const bool may_send = co_await ask_mail();
    if (!may_send) {
        co_return ErrorCode();
    }
    for (const auto& path : request_.to) {
        co_await ask_recipient(path);
    }
    if (!accepted_.empty()) {
        failed = co_await ask_message();
    }
    co_return failed;
}

Task<ErrorCode> Work::log_in(std::string* why) {
    if (request_.account.empty()) {
        co_return ErrorCode();
    }
    const auto found = co_await parts_.directory.find_login(request_.account);
    if (!found) {
        co_return found.error();
    }
    if (*found == nullptr) {
        *why = "no mailbox logs in as \"" + request_.account + "\"";
        co_return Error::not_found;
    }
    account_ = *found;
    co_return ErrorCode();
}

// ---- MAIL

Task<bool> Work::ask_mail() {
    const auto subject = "<" + request_.from.text() + ">";
    bool passed =
        check("MAIL", subject, "right to submit", check_submit(rights_)) &&
        check("MAIL", subject, "declared size", check_declared_size(rights_, request_.size));
    if (passed) {
        const auto verdict =
            co_await check_reverse_path(parts_.directory, rights_, account_.get(), request_.from);
        passed = check("MAIL", subject, "sender", verdict);
    }
    co_return passed;
}

// ---- RCPT

Task<bool> Work::ask_recipient(ForwardPath path) {
    const auto subject = "<" + path.text() + ">";
    if (!check("RCPT", subject, "number", check_recipient_count(rights_, accepted_.size())) ||
        !check("RCPT", subject, "domain", check_recipient_domain(rights_, path))) {
        co_return false;
    }
    AdmitRequest request{
        .path = path,
        .sender = sender(),
        .size = request_.size.value_or(0),
        .tools = parts_.tools.get(),
        .now = parts_.lane.clock().now()};
    auto found =
        co_await admit_recipient(parts_.directory, parts_.organization, std::move(request));
    if (!found) {
        check("RCPT", subject, "recipient", check_admitted(rights_, found));
        co_return false;
    }
    const Result<ResolvedRecipient> resolved = found->resolved;
    const bool elsewhere = found->resolved.kind == ResolvedKind::external;
    const auto* const name = elsewhere ? "right to relay" : "recipient";
    auto verdict = check_admitted(rights_, found);
    // What is not refused by a restriction is refused, or not, for what it is.
    if (found->refusal && check_recipient(rights_, resolved).is_accepted()) {
        check("RCPT", subject, name, Verdict::accept(), found_text(found->resolved));
        check("RCPT", subject, "restrictions", verdict);
    } else {
        check("RCPT", subject, name, verdict, found_text(found->resolved));
    }
    const bool passed = verdict.is_accepted();
    if (passed) {
        accepted_.push_back({std::move(path), {}, std::move(found->resolved)});
    }
    co_return passed;
}

// ---- end of data

void Work::scan() {
    bool adds_from = false;
    text_ = header_text(request_, adds_from);
    if (adds_from) {
        answer.notes.emplace_back("no --header From: it is taken to be the sender");
    }
    size_ = std::max<std::uint64_t>(request_.size.value_or(0), text_.size());
    HeaderLimits limits;
    limits.max_header_size = rights_.connector->max_header_size;
    auto wishes = header_wishes(rights_, account_.get(), request_.from);
    add_categorizer_wishes(sender(), *parts_.organization, accepted_, wishes);
    HeaderScanner scanner(limits, wishes);
    scanner.feed(text_);
    facts_ = scanner.finish();
    header_too_large_ = scanner.header_too_large() || scanner.too_many_fields();
    header_ = scanner.take_header();
}

Task<ErrorCode> Work::ask_message() {
    scan();
    const auto most = rights_.max_message_size();
    const ReceivedFacts seen{
        .too_large = most && size_ > *most,
        .header_too_large = header_too_large_,
        .received_count = facts_.received_count,
        .local_received_count = facts_.local_received_count};
    constexpr const char* kStage = "end of data";
    if (!check(kStage, {}, "size and hops", check_message(rights_, seen))) {
        co_return ErrorCode();
    }
    const std::string message_id = "<explain@" + rights_.fqdn() + ">";
    const auto now = parts_.lane.clock().now();
    auto context = header_context(rights_, account_.get(), request_.from, message_id, now);
    if (must_judge_from(rights_)) {
        const auto verdict =
            co_await check_from(parts_.directory, rights_, account_.get(), header_, context);
        if (!check(kStage, {}, "From", verdict)) {
            co_return ErrorCode();
        }
    }
    auto decision = decide_header(header_, context);
    if (!check(kStage, {}, "header", header_verdict(decision))) {
        co_return ErrorCode();
    }
    const auto failed = co_await resolve(std::move(decision));
    co_return failed;
}

// ---- the recipients it comes to have

std::string Work::make_trace() const {
    ReceivedTrace trace;
    trace.helo = "[" + request_.client.text() + "]";
    trace.client = request_.client;
    trace.by = rights_.fqdn();
    trace.protocol = "ESMTP";
    return make_received(trace);
}

Task<ErrorCode> Work::resolve(HeaderDecision decision) {
    CategorizeRequest request;
    request.sender = sender();
    request.recipients = std::move(accepted_);
    request.size = size_for_limits(size_, decision);
    request.auto_submitted = auto_submitted_of(header_, request_.from);
    request.header = &header_;
    request.edits = decision.edits;
    const auto trace = make_trace();
    request.prefix = trace + decision.added;
    request.tools = parts_.tools.get();
    request.now = parts_.lane.clock().now();
    request.explain = true;
    auto found = co_await categorize(parts_.directory, parts_.organization, std::move(request));
    if (!found) {
        co_return found.error();
    }
    answer.steps = std::move(found->notes);
    if (must_refuse(rights_, *found)) {
        check("end of data", {}, "limits", refusal_of(*found->refusal, "nobody can have it"));
        co_return ErrorCode();
    }
    QueuedMessage message;
    message.envelope.reverse_path = request_.from;
    message.content.body.length = size_;
    std::move(decision).apply_to(message.content);
    message.content.edits = std::move(found->edits);
    message.content.prefix = std::move(found->prefix);
    message.variants = std::move(found->variants);
    size_ = message.content.size();
    for (auto& row : found->recipients) {
        Explanation::Recipient recipient{row, message.reverse_path_of(row)};
        const auto added = std::string_view(message.prefix_of(row)).substr(trace.size());
        recipient.header = header_changes(text_, added, message.edits_of(row));
        answer.recipients.push_back(std::move(recipient));
    }
    for (auto& recipient : answer.recipients) {
        co_await route(recipient);
    }
    co_return ErrorCode();
}

std::string waiting_reason(const NextHop& room) {
    if (room.type != DeliveryType::other_node) {
        return "no send connector matches: it waits until one does";
    }
    return "send connector " + room.connector + " sends from " + room.domain +
           ", not from this node: it waits here until the connector has this source server, too";
}

Task<void> Work::route(Explanation::Recipient& recipient) {
    const auto& row = recipient.queued;
    if (is_final(row.state)) {
        if (row.last) {
            recipient.failure = row.last->diagnostic;
        }
        co_return;
    }
    auto decision = route_recipient(row, size_, *parts_.organization);
    if (decision.failure) {
        recipient.failure = decision.failure->diagnostic;
    } else {
        recipient.hop = std::move(decision.hop);
    }
    if (row.target == RecipientTarget::mailbox) {
        co_return;
    }
    for (auto& candidate :
         explain_selection(row.address.domain_text(), size_, *parts_.organization)) {
        if (candidate.loss) {
            recipient.losers.push_back(
                {candidate.connector->name,
                 std::move(candidate.address_space),
                 to_text(*candidate.loss)});
        } else {
            recipient.send_connector = candidate.connector->name;
            recipient.address_space = std::move(candidate.address_space);
        }
    }
    if (recipient.hop && recipient.hop->is_waiting_room()) {
        recipient.failure = waiting_reason(*recipient.hop);
    }
    if (recipient.hop && !recipient.hop->is_waiting_room()) {
        co_await find_hosts(recipient);
    }
}

Task<void> Work::find_hosts(Explanation::Recipient& recipient) {
    const auto* const connector =
        parts_.organization->find_send_connector(recipient.hop->connector);
    if (connector == nullptr) {
        co_return;
    }
    recipient.tls = tls_words(*connector, *recipient.hop);
    if (recipient.hop->type == DeliveryType::smart_host) {
        recipient.hosts = "smart hosts as configured, from a random one on";
    }
    const auto known = hosts_.find(*recipient.hop);
    if (known == hosts_.end() &&
        (parts_.resolver == nullptr || hosts_.size() >= kMaxExplainedHops)) {
        recipient.hosts = "unknown: not looked up";
        co_return;
    }
    if (known == hosts_.end()) {
        HostSearch what{parts_.organization, connector, *recipient.hop, {}};
        what.rules = rules_for(parts_.rules, *connector, *parts_.organization);
        auto targets = co_await search_within_limit(parts_.lane, *parts_.resolver, std::move(what));
        hosts_[*recipient.hop] = std::move(targets);
    }
    const auto& targets = hosts_[*recipient.hop];
    recipient.targets = targets.targets;
    if (targets.failure && targets.failure->verdict == DeliveryVerdict::fail) {
        recipient.failure = targets.failure->status.diagnostic;
    } else if (targets.targets.empty()) {
        recipient.hosts = "unknown: " + (targets.failure ? targets.failure->status.diagnostic
                                                         : "the DNS does not answer in time");
    }
}

}  // namespace

Task<Result<Explanation>> explain(ExplainParts parts, ExplainRequest request, std::string* why) {
    Work work(std::move(parts), std::move(request));
    const auto failed = co_await work.run(why);
    if (failed) {
        co_return failed;
    }
    co_return std::move(work.answer);
}

}  // namespace mailflow

#include "transport/queue/dsn_generator.hpp"

#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/queue/delivery_journal.hpp"
#include "transport/queue/dsn_body.hpp"
#include "transport/queue/recipient_lookup.hpp"
#include "transport/queue/report_rules.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace mailflow {

namespace {

std::string random_text(Random& random) {
    std::array<std::byte, 16> bytes{};
    random.fill(bytes);
    return hex_encode(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

constexpr auto kNever = static_cast<std::uint8_t>(NotifyOn::never);

// Reference 10.1: who reports are from, and who reads what nobody else can.
EmailAddress postmaster_of(const Organization& organization) {
    const auto& given = organization.transport().external_postmaster_address;
    return given ? *given : EmailAddress::of("postmaster", organization.default_domain().domain);
}

const ReversePath& reader_of(const DsnOrder& order) {
    const auto& original = *order.original;
    return original.report_to(original.recipients.at(order.recipients.front().number));
}

// Whose share of reports it takes from: the postmaster's, when nobody sent the original.
EmailAddress counted_for(const DsnOrder& order) {
    const auto& reader = reader_of(order);
    return reader.is_null() ? postmaster_of(*order.organization) : reader.address();
}

ReportReaders readers_of(const DsnOrder& order) {
    ReportReaders readers;
    for (const auto& [number, status] : order.recipients) {
        const auto& recipient = order.original->recipients.at(number);
        const auto one =
            readers_of(order.kind, *order.original, recipient, status.status, *order.organization);
        readers.sender = readers.sender || one.sender;
        readers.postmaster = readers.postmaster || one.postmaster;
    }
    return readers;
}

bool shows_diagnostics(const DsnOrder& order, DsnReader reader) {
    return reader != DsnReader::sender || shows_diagnostics(reader_of(order), *order.organization);
}

// Reference 10.2.
std::string reporting_mta_of(const Organization& organization, bool with_diagnostics) {
    const auto& given = organization.transport().dsn_reporting_authority;
    if (given) {
        return given->text();
    }
    return with_diagnostics ? organization.node().fqdn
                            : organization.default_domain().domain.text();
}

// Reference 10.3.
std::string custom_text_of(
    EnhancedStatus status, const EmailAddress& reader, const Organization& organization) {
    const auto& domain = reader.domain();
    const bool internal = domain && organization.find_accepted_domain(*domain) != nullptr;
    for (const auto& message : organization.system_messages()) {
        if (message.code == status && message.internal == internal) {
            return message.text;
        }
    }
    return {};
}

// As the reader sees it: the header that the first recipient named gets, and without diagnostics
// nothing that this organization wrote into it.
DsnOriginal original_for(const DsnOrder& order, bool with_diagnostics) {
    const auto& message = *order.original;
    DsnOriginal original{order.original, message.content};
    const auto& first = message.recipients.at(order.recipients.front().number);
    original.content.edits = message.edits_of(first);
    original.content.prefix = with_diagnostics ? message.prefix_of(first) : std::string();
    return original;
}

// What a report of failure may return of the original (reference 10.2).
bool may_return_whole(
    const QueuedMessage& message, const Content& original, const Organization& organization) {
    const auto& envelope = message.envelope;
    // RFC 3461 §4.3.
    return envelope.dsn_return != DsnReturn::headers &&
           original.size() <= organization.transport().dsn_max_message_attach_size &&
           // RFC 8689 §5: what must travel protected does not come back on a way nobody chose.
           !envelope.require_tls &&
           // A report is text, and goes to hosts without BINARYMIME.
           envelope.body != BodyType::binary_mime;
}

// Octets up to and including the empty line.
std::uint64_t header_size(std::string_view text) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    const auto end = text.find(kEnd);
    return end == std::string_view::npos ? text.size() : end + kEnd.size();
}

// What the report asks of the servers on its way.
void describe_envelope(QueuedMessage& report, const DsnText& text, const QueuedMessage& original) {
    auto& envelope = report.envelope;
    envelope.body = text.eight_bit ? BodyType::eight_bit_mime : BodyType::seven_bit;
    envelope.smtputf8 = text.smtputf8;
    // RFC 8689 §5.
    envelope.require_tls = original.envelope.require_tls;
    envelope.priority = original.envelope.priority;
    report.content.facts.eight_bit = text.eight_bit;
    report.content.facts.smtputf8_header = text.smtputf8;
}

ReportMark mark_of(const DsnOrder& order) {
    ReportMark mark;
    mark.message = order.original->id;
    mark.delay = order.kind == DsnKind::delayed;
    for (const auto& recipient : order.recipients) {
        mark.recipients.push_back(recipient.number);
    }
    return mark;
}

}  // namespace

Task<DsnResult> DsnGenerator::report(DsnOrder order) {
    DsnResult result;
    auto addressees = co_await addressees_of(order);
    if (!addressees) {
        result.error = addressees.error();
        co_return result;
    }
    if (addressees->recipients.empty()) {
        drop(order, addressees->dropped);
        result.outcome = DsnOutcome::undeliverable;
        co_return result;
    }

    const auto id = parts_.ids.next();
    const bool counts = addressees->counts;
    const auto original = original_for(order, shows_diagnostics(order, addressees->reader));
    auto input = describe(order, addressees->reader, id, original.content);
    if (input.with_diagnostics &&
        (order.kind == DsnKind::failed || order.kind == DsnKind::delayed)) {
        auto header = co_await shown_header(parts_.bodies, original);
        input.original_header = std::move(header);
    }
    auto text = compose_dsn(input);
    auto body = co_await write_dsn(parts_.bodies, id, text, original, input.return_whole);
    if (!body && input.return_whole && body.error() != Error::disk_full &&
        body.error() != Error::store_failed) {
        // The original cannot be read whole: the report matters more than what it returns.
        input.return_whole = false;
        text = compose_dsn(input);
        body = co_await write_dsn(parts_.bodies, id, text, original, false);
    }
    if (!body) {
        result.error = body.error();
        co_return result;
    }

    Submission submission;
    submission.message = make_message(id, text.head, *body, std::move(*addressees));
    describe_envelope(submission.message, text, *order.original);
    auto announced = std::make_shared<const QueuedMessage>(submission.message);
    const auto ref = body->ref;
    const auto committed =
        co_await parts_.store.commit_report(std::move(submission), mark_of(order));
    if (!committed) {
        parts_.bodies.discard(id, ref);
        result.error = committed.error();
        co_return result;
    }
    if (counts) {
        limiter_.count(counted_for(order), parts_.clock.monotonic());
    }
    parts_.log.info(
        "report committed",
        {{"queue-id", order.original->id},
         {"report", id},
         {"kind", to_text(order.kind)},
         {"to", input.to.text()}});
    track(order, announced.get(), id.text());
    result.outcome = DsnOutcome::committed;
    result.report = std::move(announced);
    co_return result;
}

// ---- whom

Task<Result<DsnGenerator::Addressees>> DsnGenerator::addressees_of(const DsnOrder& order) {
    Addressees addressees;
    CategorizeRequest request;
    auto readers = readers_of(order);
    const bool has_sender = !order.original->envelope.reverse_path.is_null();
    if ((readers.sender || (readers.postmaster && !has_sender)) && is_over_limit(order)) {
        withhold(order);
        readers.sender = false;
        readers.postmaster = readers.postmaster && has_sender;
    }
    if (readers.sender) {
        const auto known =
            co_await add_path(request, order.organization, reader_of(order).address(), 0);
        if (!known) {
            co_return known.error();
        }
        addressees.counts = !request.recipients.empty();
        if (!addressees.counts) {
            // RFC 5321 §6.1: nobody is where the message says it is from.
            addressees.dropped = "report dropped: the sender does not exist here";
            addressees.reader = DsnReader::postmaster_unknown_sender;
            readers.postmaster =
                readers.postmaster ||
                (order.kind == DsnKind::failed &&
                 order.organization->transport().double_bounce == DoubleBounce::postmaster);
        }
    } else {
        addressees.reader =
            has_sender ? DsnReader::postmaster_copy : DsnReader::postmaster_no_sender;
        addressees.counts = !has_sender;
    }
    if (readers.postmaster) {
        const auto known = co_await add_path(
            request, order.organization, postmaster_of(*order.organization), kNever);
        if (!known) {
            co_return known.error();
        }
        if (request.recipients.empty()) {
            addressees.dropped = "report dropped: there is no postmaster";
        }
    }
    const auto resolved = co_await resolve(addressees, order.organization, std::move(request));
    if (!resolved) {
        co_return resolved.error();
    }
    co_return addressees;
}

Task<Result<>> DsnGenerator::add_path(
    CategorizeRequest& request,
    OrganizationPtr organization,
    EmailAddress address,
    std::uint8_t notify) {
    ForwardPath path(std::move(address));
    const auto found = co_await look_up_recipient(parts_.directory, std::move(organization), path);
    if (!found) {
        co_return found.error();
    }
    if (found->kind != ResolvedKind::unknown) {
        request.recipients.push_back(
            {.path = std::move(path), .dsn = {.notify = notify, .original_recipient = {}}});
    }
    co_return Result<>();
}

// As all mail is: to members of groups, and on to where a mailbox forwards to.
Task<Result<>> DsnGenerator::resolve(
    Addressees& addressees, OrganizationPtr organization, CategorizeRequest request) {
    if (request.recipients.empty()) {
        co_return Result<>();
    }
    // RFC 5321 §4.5.5: from nobody.
    request.sender = {.path = {}, .is_authenticated = true, .is_own_report = true};
    request.auto_submitted = AutoSubmitted::generated;
    request.now = parts_.clock.now();
    request.copies_to_always_bcc = false;
    auto found = co_await categorize(parts_.directory, std::move(organization), std::move(request));
    if (!found) {
        co_return found.error();
    }
    if (found->recipients.empty()) {
        addressees.dropped = "report dropped: mail to its reader goes to nobody";
    }
    addressees.recipients = std::move(found->recipients);
    addressees.variants = std::move(found->variants);
    co_return Result<>();
}

bool DsnGenerator::is_over_limit(const DsnOrder& order) const {
    return !limiter_.allows(
        counted_for(order),
        order.organization->transport().dsn_rate_limit,
        parts_.clock.monotonic());
}

// A notice of delay is tracked and not collected: it may be made yet, when the message is tried
// again.
void DsnGenerator::withhold(const DsnOrder& order) {
    constexpr std::string_view kWhy = "report withheld: its reader had too many within the hour";
    if (order.kind == DsnKind::delayed) {
        track(order, nullptr, kWhy);
        return;
    }
    WithheldReport report{
        .time = parts_.clock.now(),
        .kind = order.kind,
        .queue_id = order.original->id.text(),
        .reader = counted_for(order).text(),
        .recipients = {},
        .status = {}};
    for (const auto& [number, status] : order.recipients) {
        report.recipients.push_back(order.original->recipients.at(number).address.text());
        report.status = status.status.is_given() ? status.status.text() : std::string();
    }
    limiter_.collect(std::move(report), parts_.clock.monotonic());
    track(order, nullptr, kWhy);
}

// Nobody is told; tracking says why, unless it did.
void DsnGenerator::drop(const DsnOrder& order, std::string_view why) {
    if (why.empty() || order.kind == DsnKind::delayed) {
        return;
    }
    parts_.log.warning(
        why, {{"queue-id", order.original->id}, {"sender", sender_text(*order.original)}});
    track(order, nullptr, why);
}

// ---- what

DsnInput DsnGenerator::describe(
    const DsnOrder& order, DsnReader reader, QueueId id, const Content& original) {
    const auto& message = *order.original;
    const auto& organization = *order.organization;
    const auto now = parts_.clock.now();
    const auto postmaster = postmaster_of(organization);
    const auto& to = reader == DsnReader::sender ? reader_of(order).address() : postmaster;
    DsnInput input{
        .kind = order.kind,
        .reporting_mta = {},
        .from = postmaster,
        .to = to,
        .date = now,
        .message_id = new_message_id(organization, id),
        .boundary = random_text(parts_.random),
        .original = original.facts,
        .arrival = message.accepted,
        .smtputf8 = message.envelope.smtputf8,
        .envelope_id = message.envelope.envelope_id,
        .deliver_by_date = message.deadline(),
        .return_whole =
            order.kind == DsnKind::failed && may_return_whole(message, original, organization),
        .recipients = {}};
    input.reader = reader;
    input.with_diagnostics = shows_diagnostics(order, reader);
    input.reporting_mta = reporting_mta_of(organization, input.with_diagnostics);
    input.generating_server = organization.node().fqdn;
    for (const auto& [number, status] : order.recipients) {
        const auto& recipient = message.recipients.at(number);
        DsnRecipient named{
            recipient.original,
            recipient.address,
            status,
            std::nullopt,
            std::nullopt,
            recipient.dsn.original_recipient,
            custom_text_of(status.status, to, organization)};
        if (order.kind == DsnKind::delayed) {
            named.will_retry_until = order.retry_until;
        } else {
            named.last_attempt = now;
        }
        input.recipients.push_back(std::move(named));
    }
    return input;
}

std::string DsnGenerator::new_message_id(const Organization& organization, QueueId id) {
    return "<" + id.text() + "." + random_text(parts_.random).substr(0, 12) + "@" +
           organization.node().fqdn + ">";
}

QueuedMessage DsnGenerator::make_message(
    QueueId id, std::string_view head, const StoredBody& body, Addressees addressees) const {
    QueuedMessage message;
    message.id = id;
    message.accepted = parts_.clock.now();
    // RFC 5321 §4.5.5, RFC 3464 §2: reports carry the null reverse-path, so that nothing answers
    // them.
    message.envelope.reverse_path = ReversePath();
    message.origin.connector = "DSN";
    message.content.body = body.ref;
    message.content.facts.has_date = true;
    message.content.facts.has_from = true;
    message.content.facts.header_size = header_size(head);
    const HeaderBlock header(head);
    if (const auto subject = header.find("Subject")) {
        message.content.facts.subject = subject->value();
    }
    if (const auto message_id = header.find("Message-ID")) {
        message.content.facts.message_id = message_id->value();
    }
    message.recipients = std::move(addressees.recipients);
    message.variants = std::move(addressees.variants);
    message.body = body.bytes;
    return message;
}

// ---- what was withheld

Task<DsnResult> DsnGenerator::report_withheld(OrganizationPtr organization, bool at_once) {
    DsnResult result;
    result.outcome = DsnOutcome::undeliverable;
    if (!limiter_.is_due(parts_.clock.monotonic(), at_once)) {
        co_return result;
    }
    result.outcome = DsnOutcome::failed;
    Addressees addressees;
    const auto postmaster = postmaster_of(*organization);
    // What the postmaster gets is the end: when it fails, nobody is told.
    CategorizeRequest request;
    const auto known = co_await add_path(request, organization, postmaster, kNever);
    if (!known) {
        result.error = known.error();
        co_return result;
    }
    const auto resolved = co_await resolve(addressees, organization, std::move(request));
    if (!resolved) {
        result.error = resolved.error();
        co_return result;
    }
    // What comes in while this one is written waits for the next.
    const auto withheld = limiter_.take();
    if (addressees.recipients.empty()) {
        parts_.log.warning(
            "reports were withheld, and there is no postmaster", {{"reports", withheld.total}});
        result.outcome = DsnOutcome::undeliverable;
        co_return result;
    }
    const auto id = parts_.ids.next();
    const auto text = compose_dsn_digest(
        {.server = organization->node().fqdn,
         .from = postmaster,
         .to = postmaster,
         .date = parts_.clock.now(),
         .message_id = new_message_id(*organization, id)},
        withheld);
    const auto committed = co_await commit_text(id, text, std::move(addressees));
    if (!committed) {
        limiter_.put_back(withheld, parts_.clock.monotonic());
        result.error = committed.error();
        co_return result;
    }
    parts_.log.info("notice of withheld reports", {{"queue-id", id}, {"reports", withheld.total}});
    result.outcome = DsnOutcome::committed;
    result.report = *committed;
    co_return result;
}

Task<Result<QueuedMessagePtr>> DsnGenerator::commit_text(
    QueueId id, const std::string& text, Addressees addressees) {
    auto created = co_await parts_.bodies.create(id);
    if (!created) {
        co_return created.error();
    }
    if (const auto written = (*created)->write(text); !written) {
        co_return written.error();
    }
    const auto body = co_await (*created)->finish();
    if (!body) {
        co_return body.error();
    }
    Submission submission;
    submission.message = make_message(id, text, *body, std::move(addressees));
    auto announced = std::make_shared<const QueuedMessage>(submission.message);
    const auto committed = co_await parts_.store.commit(std::move(submission));
    if (!committed) {
        parts_.bodies.discard(id, body->ref);
        co_return committed.error();
    }
    co_return announced;
}

void DsnGenerator::track(
    const DsnOrder& order, const QueuedMessage* report, std::string_view detail) {
    TrackingEvent event;
    event.time = parts_.clock.now();
    event.event = TrackingEventId::dsn;
    event.queue_id = order.original->id;
    event.message_id = order.original->content.facts.message_id;
    event.sender = sender_text(*order.original);
    for (const auto& [number, status] : order.recipients) {
        event.recipients.push_back(order.original->recipients.at(number).address.text());
        event.status = status.status.is_given() ? status.status.text() : std::string();
    }
    event.detail = detail;
    event.size = report == nullptr ? 0 : report->content.size();
    parts_.tracking.append(std::move(event));
}

}  // namespace mailflow

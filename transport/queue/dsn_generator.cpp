#include "transport/queue/dsn_generator.hpp"

#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/ports/content_reader.hpp"
#include "transport/queue/delivery_journal.hpp"
#include "transport/queue/recipient_lookup.hpp"

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

// Reference 10.1: from the postmaster of the default domain.
EmailAddress postmaster_of(const Organization& organization) {
    return EmailAddress::of("postmaster", organization.default_domain().domain);
}

// The text up to the end of the last header field, without the empty line.
std::uint64_t header_octets(const Content& content) {
    constexpr std::uint64_t kEmptyLine = 2;
    const auto size = content.header_size();
    return content.facts.header_size >= kEmptyLine ? size - kEmptyLine : size;
}

// What a report of failure may return of the original (reference 10.2).
bool may_return_whole(const QueuedMessage& original, const Organization& organization) {
    const auto& envelope = original.envelope;
    // RFC 3461 §4.3.
    return envelope.dsn_return != DsnReturn::headers &&
           original.content.size() <= organization.transport().dsn_max_message_attach_size &&
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

}  // namespace

Task<DsnResult> DsnGenerator::report(DsnOrder order) {
    DsnResult result;
    const auto& sender = order.original->envelope.reverse_path.address();
    const auto resolved =
        co_await look_up_recipient(parts_.directory, order.organization, ForwardPath(sender));
    if (!resolved) {
        result.error = resolved.error();
        co_return result;
    }
    if (resolved->kind == ResolvedKind::unknown) {
        // RFC 5321 §6.1: a report that cannot be delivered is not reported on again.
        parts_.log.warning(
            "report dropped: the sender does not exist here",
            {{"queue-id", order.original->id}, {"sender", sender.text()}});
        track(order, nullptr, "report dropped: the sender does not exist here");
        result.outcome = DsnOutcome::undeliverable;
        co_return result;
    }

    const auto id = parts_.ids.next();
    auto input = describe(order, id);
    auto text = compose_dsn(input);
    auto body = co_await write(id, text, *order.original, input.return_whole);
    if (!body && input.return_whole && body.error() != Error::disk_full &&
        body.error() != Error::store_failed) {
        // The original cannot be read whole: the report matters more than what it returns.
        input.return_whole = false;
        text = compose_dsn(input);
        body = co_await write(id, text, *order.original, false);
    }
    if (!body) {
        result.error = body.error();
        co_return result;
    }

    auto submission = make_submission(order, id, text, *body, *resolved);
    submission.message.content.facts.message_id = input.message_id;
    auto announced = std::make_shared<const QueuedMessage>(submission.message);
    ReportMark mark;
    mark.message = order.original->id;
    mark.delay = order.kind == DsnKind::delayed;
    for (const auto& recipient : order.recipients) {
        mark.recipients.push_back(recipient.number);
    }
    const auto ref = body->ref;
    const auto committed =
        co_await parts_.store.commit_report(std::move(submission), std::move(mark));
    if (!committed) {
        parts_.bodies.discard(id, ref);
        result.error = committed.error();
        co_return result;
    }
    parts_.log.info(
        "report committed",
        {{"queue-id", order.original->id},
         {"report", id},
         {"kind", to_text(order.kind)},
         {"to", sender.text()}});
    track(order, announced.get(), id.text());
    result.outcome = DsnOutcome::committed;
    result.report = std::move(announced);
    co_return result;
}

DsnInput DsnGenerator::describe(const DsnOrder& order, QueueId id) {
    const auto& original = *order.original;
    const auto& organization = *order.organization;
    const auto now = parts_.clock.now();
    DsnInput input{
        .kind = order.kind,
        .reporting_mta = organization.node().fqdn,
        .from = postmaster_of(organization),
        .to = original.envelope.reverse_path.address(),
        .date = now,
        .message_id = "<" + id.text() + "." + random_text(parts_.random).substr(0, 12) + "@" +
                      organization.node().fqdn + ">",
        .boundary = random_text(parts_.random),
        .original = original.content.facts,
        .arrival = original.accepted,
        .smtputf8 = original.envelope.smtputf8,
        .envelope_id = original.envelope.envelope_id,
        .deliver_by_date = original.deadline(),
        .return_whole = order.kind == DsnKind::failed && may_return_whole(original, organization),
        .recipients = {}};
    for (const auto& [number, status] : order.recipients) {
        const auto& recipient = original.recipients.at(number);
        DsnRecipient named{
            recipient.original,
            recipient.address,
            status,
            std::nullopt,
            std::nullopt,
            recipient.dsn.original_recipient};
        if (order.kind == DsnKind::delayed) {
            named.will_retry_until = order.retry_until;
        } else {
            named.last_attempt = now;
        }
        input.recipients.push_back(std::move(named));
    }
    return input;
}

Submission DsnGenerator::make_submission(
    const DsnOrder& order,
    QueueId id,
    const DsnText& text,
    const StoredBody& body,
    const ResolvedRecipient& to) const {
    QueuedRecipient recipient{
        .number = 0,
        .target =
            to.kind == ResolvedKind::mailbox ? RecipientTarget::mailbox : RecipientTarget::remote,
        .address = to.address,
        .original = order.original->envelope.reverse_path.text(),
        .mailbox = to.mailbox,
        .next_hop = {},
        .last = std::nullopt,
        // Nothing is reported about a report.
        .dsn = {.notify = static_cast<std::uint8_t>(NotifyOn::never), .original_recipient = {}}};
    Submission submission;
    auto& message = submission.message;
    message.id = id;
    message.accepted = parts_.clock.now();
    // RFC 5321 §4.5.5, RFC 3464 §2: reports carry the null reverse-path, so that nothing answers
    // them.
    message.envelope.reverse_path = ReversePath();
    message.envelope.body = text.eight_bit ? BodyType::eight_bit_mime : BodyType::seven_bit;
    message.envelope.smtputf8 = text.smtputf8;
    // RFC 8689 §5.
    message.envelope.require_tls = order.original->envelope.require_tls;
    message.envelope.priority = order.original->envelope.priority;
    message.origin.connector = "DSN";
    message.content.body = body.ref;
    message.content.facts.eight_bit = text.eight_bit;
    message.content.facts.smtputf8_header = text.smtputf8;
    message.content.facts.has_date = true;
    message.content.facts.has_from = true;
    message.content.facts.header_size = header_size(text.head);
    if (const auto subject = HeaderBlock(text.head).find("Subject")) {
        message.content.facts.subject = subject->value();
    }
    message.recipients.push_back(std::move(recipient));
    message.body = body.bytes;
    return submission;
}

Task<Result<StoredBody>> DsnGenerator::write(
    QueueId id, const DsnText& text, const QueuedMessage& original, bool whole) {
    auto created = co_await parts_.bodies.create(id);
    if (!created) {
        co_return created.error();
    }
    auto& writer = **created;
    if (const auto written = writer.write(text.head); !written) {
        co_return written.error();
    }
    const auto octets = whole ? original.content.size() : header_octets(original.content);
    const auto copied = co_await copy_original(writer, original, octets);
    if (!copied && whole) {
        co_return copied.error();
    }
    if (const auto written = writer.write(text.tail); !written) {
        co_return written.error();
    }
    auto finished = co_await writer.finish();
    co_return finished;
}

Task<Result<>> DsnGenerator::copy_original(
    BodyWriter& writer, const QueuedMessage& original, std::uint64_t octets) {
    std::unique_ptr<BodyReader> body;
    if (original.body) {
        body = make_memory_reader(original.body);
    } else {
        auto opened = co_await parts_.bodies.open(original.id, original.content.body);
        if (!opened) {
            co_return opened.error();
        }
        body = std::move(*opened);
    }
    const auto content = make_content_reader(original.content, std::move(body));
    while (octets > 0) {
        auto piece = co_await content->next();
        if (!piece) {
            co_return piece.error();
        }
        if (piece->empty()) {
            break;
        }
        const auto part = piece->substr(0, octets);
        if (const auto written = writer.write(part); !written) {
            co_return written.error();
        }
        octets -= part.size();
    }
    co_return Result<>();
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

#include "transport/deliver/local_delivery_agent.hpp"

#include "transport/base/error.hpp"
#include "transport/deliver/maildir_format.hpp"
#include "transport/ports/content_reader.hpp"

#include <utility>

namespace mailflow {

namespace {

// Octets collected before the worker is asked: smaller messages cost one trip to it.
constexpr std::size_t kWriteSize = 256 * 1024;
// Folders remembered as made; beyond it they are looked at again.
constexpr std::size_t kMaxKnownFolders = 10'000;

// RFC 5321 §4.4: the server that makes the final delivery puts the reverse-path in front of the
// message.
std::string head_of(const QueuedMessage& message, const QueuedRecipient& recipient) {
    std::string head = "Return-Path: <" + message.reverse_path_of(recipient).text() + ">\r\n";
    head += "Delivered-To: " + recipient.address.text() + "\r\n";
    return head;
}

}  // namespace

LocalDeliveryAgent::LocalDeliveryAgent(Parts parts, LocalDeliverySettings settings)
    : parts_(parts)
    , settings_(std::move(settings))
    , started_(parts_.clock.now()) {}

// By the mailbox's name, or where its template says: absolute, or below the mail folder.
Result<LocalDeliveryAgent::Place> LocalDeliveryAgent::place_of(
    const QueuedRecipient& recipient) const {
    const auto& place = recipient.place.place;
    if (place.empty()) {
        auto folder = maildir_folder(recipient.mailbox);
        if (!folder) {
            return folder.error();
        }
        return Place{settings_.root, std::move(*folder)};
    }
    const auto path = place.front() == '/' ? place : settings_.root + '/' + place;
    const auto end = path.find_last_not_of('/');
    if (end == std::string::npos) {
        return Error::syntax;
    }
    const auto slash = path.find_last_of('/', end);
    return Place{path.substr(0, slash), path.substr(slash + 1, end - slash)};
}

Task<DeliveryReport> LocalDeliveryAgent::deliver(DeliveryJob job) {
    DeliveryReport report;
    for (const auto number : job.recipients) {
        if (report.hop_failure) {
            report.recipients.push_back({number, *report.hop_failure});
            continue;
        }
        auto one = deliver_one(*job.message, job.message->recipients.at(number));
        const auto judgement = co_await std::move(one);
        report.recipients.push_back({number, judgement.status});
        if (judgement.verdict == DeliveryVerdict::retry_hop) {
            report.hop_failure = judgement.status;
        }
    }
    co_return report;
}

Task<Judgement> LocalDeliveryAgent::deliver_one(
    const QueuedMessage& message, const QueuedRecipient& recipient) {
    const auto place = place_of(recipient);
    if (!place) {
        co_return judge_own(OwnFailure::mailbox_gone);
    }
    const auto known_as = place->root + '/' + place->folder;
    auto opening = open_content(message, recipient);
    const auto reader = co_await std::move(opening);
    if (!reader) {
        co_return judge_own(OwnFailure::body_unavailable, reader.error().message());
    }

    MaildirWriter writer(
        parts_.files,
        {.root = place->root,
         .folder = place->folder,
         .file = maildir_file_name(message.accepted, message.id, recipient.number, settings_.host),
         .folder_is_known = known_folders_.contains(known_as),
         .may_be_there = may_be_there(message, recipient)});
    const CrlfToLf lines(message.envelope.body == BodyType::binary_mime);
    auto writing = write(**reader, writer, head_of(message, recipient), lines);
    const auto written = co_await std::move(writing);
    if (written.body) {
        const auto failure = written.body == Error::corrupt ? OwnFailure::body_corrupt
                                                            : OwnFailure::body_unavailable;
        co_return judge_own(failure, written.body.message());
    }
    if (written.disk) {
        known_folders_.erase(known_as);
        co_return judge_error(DeliveryStage::local, written.disk, {});
    }
    if (known_folders_.size() >= kMaxKnownFolders) {
        known_folders_.clear();
    }
    known_folders_.insert(known_as);
    co_return delivered_locally();
}

Task<Result<std::unique_ptr<BodyReader>>> LocalDeliveryAgent::open_content(
    const QueuedMessage& message, const QueuedRecipient& recipient) {
    if (message.body) {
        co_return make_content_reader(message, recipient, make_memory_reader(message.body));
    }
    auto opening = parts_.bodies.open(message.id, message.content.body);
    auto reader = co_await std::move(opening);
    if (!reader) {
        co_return reader.error();
    }
    co_return make_content_reader(message, recipient, std::move(*reader));
}

Task<LocalDeliveryAgent::Written> LocalDeliveryAgent::write(
    BodyReader& reader, MaildirWriter& writer, std::string head, CrlfToLf lines) {
    Written written;
    std::string buffer;
    lines.convert(head, buffer);
    bool last = false;
    while (!last && !written.body && !written.disk && !writer.is_already_there()) {
        auto reading = reader.next();
        const auto piece = co_await std::move(reading);
        if (!piece) {
            written.body = piece.error();
            break;
        }
        last = piece->empty();
        lines.convert(*piece, buffer);
        if (last) {
            lines.finish(buffer);
        } else if (buffer.size() < kWriteSize) {
            continue;
        }
        const auto step = [&writer, &buffer, last] {
            const auto appended = writer.append(buffer);
            return appended && last ? writer.finish() : appended;
        };
        auto work = offload(parts_.worker, step);
        const auto done = co_await std::move(work);
        written.disk = done ? ErrorCode() : done.error();
        buffer.clear();
    }
    if (written.body || written.disk) {
        const auto clean_up = [&writer] {
            writer.abandon();
            return true;
        };
        auto work = offload(parts_.worker, clean_up);
        co_await std::move(work);
    }
    co_return written;
}

// Looking for the message in cur/ reads the whole folder, which may be large. It is needed only
// when an earlier attempt can have got through: one of an earlier run of the daemon, or one that
// failed.
bool LocalDeliveryAgent::may_be_there(
    const QueuedMessage& message, const QueuedRecipient& recipient) const noexcept {
    return recipient.attempts > 0 || message.accepted <= started_;
}

}  // namespace mailflow

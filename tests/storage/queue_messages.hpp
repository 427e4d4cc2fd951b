// Messages for tests of the queue's store: made from an id and addresses.
#pragma once

#include "storage/body_checksum.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

inline const UtcTime kTestTime{Duration{1'767'614'400'000}};

inline UtcTime after_minutes(int minutes) {
    return kTestTime + std::chrono::minutes(minutes);
}

inline BodyRef ref_of(const std::string& body) {
    BodyChecksum checksum;
    checksum.update(body);
    BodyRef ref;
    ref.length = body.size();
    ref.checksum = checksum.finish();
    return ref;
}

inline QueuedRecipient make_recipient(std::uint32_t number, const std::string& address) {
    return {
        number,
        RecipientTarget::remote,
        EmailAddress::parse(address).value(),
        address,
        "",
        RecipientState::ready,
        false,
        false,
        0,
        UtcTime{},
        "",
        std::nullopt};
}

inline Submission make_submission(
    std::uint64_t id,
    const std::vector<std::string>& recipients,
    const std::string& body = "Subject: hello\r\n\r\nworld\r\n") {
    QueuedMessage message;
    message.id = QueueId{id};
    message.accepted = kTestTime;
    message.envelope.reverse_path = ReversePath(EmailAddress::parse("alice@fabrikam.com").value());
    message.envelope.body = BodyType::eight_bit_mime;
    message.envelope.declared_size = body.size();
    message.origin = {
        "Default Frontend", "client.example", IpAddress::parse("192.0.2.7").value(), "ESMTP"};
    message.content.prefix = "Received: by test\r\n";
    message.content.facts.message_id = "<1@fabrikam.com>";
    message.content.facts.subject = "hello";
    message.content.facts.header_size = 18;
    message.content.facts.received_count = 2;
    message.content.body = ref_of(body);
    message.body = std::make_shared<const std::string>(body);
    std::uint32_t number = 0;
    for (const auto& address : recipients) {
        message.recipients.push_back(make_recipient(number++, address));
    }
    return {std::move(message)};
}

// To one recipient. An overload: GCC 12 refuses a list as default argument inside coroutines.
inline Submission make_submission(std::uint64_t id) {
    return make_submission(id, {"bob@contoso.com"});
}

inline DeliveryStatus busy_status() {
    return {
        DeliveryAction::delayed,
        {4, 5, 1},
        "451 4.5.1 busy",
        "mx1.contoso.com",
        "192.0.2.9:25",
        true};
}

inline RecipientChange change_to(
    std::uint64_t id, RecipientState state, std::uint32_t recipient = 0) {
    RecipientChange change;
    change.message = QueueId{id};
    change.recipient = recipient;
    change.state = state;
    change.attempts = 1;
    return change;
}

inline RecipientChange defer(
    std::uint64_t id, const std::string& hop, UtcTime due, std::uint32_t recipient = 0) {
    auto change = change_to(id, RecipientState::deferred, recipient);
    change.next_hop = hop;
    change.due = due;
    change.last = busy_status();
    return change;
}

inline NextHopState failing_hop(
    const std::string& key, std::uint32_t attempts, UtcTime next_retry) {
    NextHopState hop;
    hop.key = key;
    hop.attempts = attempts;
    hop.first_failure = kTestTime;
    hop.next_retry = next_retry;
    hop.last_error = "connection refused";
    return hop;
}

}  // namespace mailflow

// Messages with requests in their envelope, agents that answer them in the usual ways, and the
// reports that come of it.
#pragma once

#include "tests/transport/queue/queue_fixture.hpp"

#include <functional>
#include <string>
#include <vector>

namespace mailflow {

inline constexpr auto kNever = static_cast<std::uint8_t>(NotifyOn::never);
inline constexpr auto kSuccess = static_cast<std::uint8_t>(NotifyOn::success);
inline constexpr auto kFailure = static_cast<std::uint8_t>(NotifyOn::failure);

inline DeliveryReport refuse(const DeliveryJob& job) {
    return report_failed(job, "550 5.1.1 no such user");
}

inline DeliveryReport put_off(const DeliveryJob& job) {
    return report_deferred(job, "451 4.7.1 later");
}

inline DeliveryReport into_mailbox(const DeliveryJob& job) {
    auto report = report_delivered(job);
    for (auto& one : report.recipients) {
        one.status.action = DeliveryAction::delivered;
    }
    return report;
}

// A peer that knows what the sender asked for.
inline DeliveryReport pass_on(const DeliveryJob& job) {
    auto report = report_delivered(job);
    for (auto& one : report.recipients) {
        one.passed_on = {.dsn = true, .deliver_by = true};
    }
    return report;
}

// Texts of the reports handed to mailboxes, with the subject at the start.
inline std::vector<std::string> reports_of(const QueueFixture& f, std::string_view subject) {
    std::vector<std::string> texts;
    for (const auto& job : f.mailbox.jobs()) {
        const auto& message = *job.message;
        if (message.origin.connector == "DSN" &&
            message.content.facts.subject.starts_with(subject)) {
            texts.push_back(*message.body);
        }
    }
    return texts;
}

using Change = std::function<void(QueuedMessage&)>;

// Committed and announced, as asked.
inline QueueId send(
    QueueFixture& f, std::initializer_list<std::string_view> to, const Change& ask) {
    auto message = f.make_message("alice@contoso.com", to);
    ask(message);
    const auto id = message.id;
    f.put(message);
    f.manager->announce(std::make_shared<const QueuedMessage>(std::move(message)));
    f.lane.poll();
    return id;
}

inline Change notify(std::uint8_t on) {
    return [on](QueuedMessage& message) {
        for (auto& recipient : message.recipients) {
            recipient.dsn.notify = on;
        }
    };
}

inline Change deliver_by(std::int32_t time, bool return_late) {
    return [=](QueuedMessage& message) {
        message.envelope.deliver_by = DeliverBy{time, return_late, false};
    };
}

inline Change release_in(const QueueFixture& f, Duration time) {
    return [when = f.lane.clock.now() + time](QueuedMessage& message) {
        message.envelope.release = when;
    };
}

}  // namespace mailflow

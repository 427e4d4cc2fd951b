// A queue manager between doubles, under virtual time: what every test of the queue starts from.
#pragma once

#include "tests/support/memory_bodies.hpp"
#include "tests/support/memory_directory.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/memory_tracking.hpp"
#include "tests/support/recording_agent.hpp"
#include "tests/support/run_task.hpp"
#include "tests/transport/queue/gated_store.hpp"
#include "transport/queue/queue_manager.hpp"

#include <catch2/catch.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

inline SendConnector make_connector(std::string_view name, std::string_view space) {
    SendConnector connector;
    connector.name = name;
    connector.address_spaces.push_back(AddressSpace::parse(space).value());
    connector.source_servers.push_back("mail.contoso.com");
    return connector;
}

inline Organization::Parts organization_parts() {
    Organization::Parts parts;
    parts.node.fqdn = "mail.contoso.com";
    parts.accepted_domains.push_back(
        {"contoso.com",
         DomainName::parse("contoso.com").value(),
         false,
         AcceptedDomainType::authoritative,
         true});
    parts.send_connectors.push_back(make_connector("Internet", "smtp:*"));
    return parts;
}

struct QueueFixture {
    QueueFixture() { directory.add_mailbox("alice", {"alice@contoso.com"}); }

    ~QueueFixture() {
        // What still waits must end before its lane does.
        mailbox.hold(false);
        smtp.hold(false);
        for (auto& gate : gates) {
            gate->hold_reads(false);
        }
        lane.poll();
        manager.reset();
        lane.lane.stop();
        lane.poll();
    }

    QueueFixture(const QueueFixture&) = delete;
    QueueFixture& operator=(const QueueFixture&) = delete;

    QueueManager& start() {
        gates.push_back(std::make_unique<GatedStore>(store));
        manager = std::make_unique<QueueManager>(QueueManager::Parts{
            .lane = lane.lane,
            .store = gated(),
            .bodies = bodies,
            .tracking = tracking,
            .directory = directory,
            .ids = ids,
            .organization = std::make_shared<const Organization>(organization),
            .lanes = agents,
            .limits = limits});
        manager->start();
        lane.poll();
        return *manager;
    }

    // The process is gone and comes back; what was not synced is lost when `power` is.
    QueueManager& restart(bool power = false) {
        gated().cut();
        dead.push_back(std::move(manager));
        if (power) {
            store.crash();
        }
        return start();
    }

    [[nodiscard]] GatedStore& gated() { return *gates.back(); }

    void reconfigure() {
        manager->set_organization(std::make_shared<const Organization>(organization));
    }

    // A message as receive commits it; mailboxes are those of contoso.com.
    QueuedMessage make_message(
        std::string_view sender, std::initializer_list<std::string_view> recipients) {
        QueuedMessage message;
        message.id = ids.next();
        message.accepted = lane.clock.now();
        if (!sender.empty()) {
            message.envelope.reverse_path = ReversePath(EmailAddress::parse(sender).value());
        }
        message.content.prefix = "Received: from client\r\n";
        message.content.facts.message_id = "<" + message.id.text() + "@client>";
        message.content.facts.subject = "Lunch";
        const std::string text = "Subject: Lunch\r\nFrom: a@b\r\n\r\nToday?\r\n";
        message.content.facts.header_size = text.find("\r\n\r\n") + 4;
        auto writer = lane.run(bodies.create(message.id)).value();
        REQUIRE(writer->write(text));
        const auto stored = lane.run(writer->finish()).value();
        message.content.body = stored.ref;
        message.body = stored.bytes;
        for (const auto& text_of : recipients) {
            const auto address = EmailAddress::parse(text_of).value();
            const bool is_ours = address.domain_text() == "contoso.com";
            message.recipients.push_back(
                {.number = static_cast<std::uint32_t>(message.recipients.size()),
                 .target = is_ours ? RecipientTarget::mailbox : RecipientTarget::remote,
                 .address = address,
                 .original = std::string(text_of),
                 .mailbox = is_ours ? address.local() : std::string(),
                 .next_hop = {},
                 .last = std::nullopt});
        }
        return message;
    }

    // Committed and not announced.
    QueueId commit(std::string_view sender, std::initializer_list<std::string_view> recipients) {
        auto message = make_message(sender, recipients);
        const auto id = message.id;
        put(std::move(message));
        return id;
    }

    void put(QueuedMessage message) {
        REQUIRE(lane.run(store.commit(Submission{std::move(message)})));
    }

    // Committed and announced, and all that follows at once.
    QueueId send(std::string_view sender, std::initializer_list<std::string_view> recipients) {
        auto message = make_message(sender, recipients);
        const auto id = message.id;
        put(message);
        manager->announce(std::make_shared<const QueuedMessage>(std::move(message)));
        lane.poll();
        return id;
    }

    [[nodiscard]] bool is_gone(QueueId id) const { return !store.messages().contains(id); }

    [[nodiscard]] const QueuedRecipient& row(QueueId id, std::size_t number = 0) const {
        return store.messages().at(id).recipients.at(number);
    }

    // Reports in the store or already handed to the agents.
    [[nodiscard]] std::size_t reports() const { return tracking.count(TrackingEventId::dsn); }

    [[nodiscard]] Duration passed_since(UtcTime then) const { return lane.clock.now() - then; }

    TestLane lane;
    MemoryBodies bodies;
    MemoryStore store{&bodies};
    std::vector<std::unique_ptr<GatedStore>> gates;  // one a process
    MemoryTracking tracking;
    MemoryDirectory directory;
    QueueIdSource ids{lane.clock, 0};
    RecordingAgent mailbox;
    RecordingAgent smtp;
    std::vector<DeliveryLane> agents = {{&lane.lane, &mailbox, &smtp}};
    Organization::Parts organization = organization_parts();
    QueueLimits limits;
    std::vector<std::unique_ptr<QueueManager>> dead;
    std::unique_ptr<QueueManager> manager;
};

}  // namespace mailflow

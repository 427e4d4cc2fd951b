// A delivery agent with everything around it scripted: hosts, names, bodies, time.
#pragma once

#include "tests/support/fake_resolver.hpp"
#include "tests/support/kept_peers.hpp"
#include "tests/support/marked_secrets.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/scripted_peer.hpp"
#include "tests/transport/route/organization_maker.hpp"
#include "transport/base/error.hpp"
#include "transport/deliver/smtp_delivery_agent.hpp"

#include <initializer_list>
#include <string>
#include <utility>

namespace mailflow {

// Keeps one body "in a file" that can end in an error.
class EndingBody final : public BodyStore {
  public:
    Task<Result<std::unique_ptr<BodyWriter>>> create(QueueId) override {
        co_return ErrorCode(Error::unavailable);
    }

    Task<Result<std::unique_ptr<BodyReader>>> open(QueueId, BodyRef) override {
        if (open_error) co_return open_error;
        std::unique_ptr<BodyReader> reader = std::make_unique<Reader>(*this);
        co_return reader;
    }

    void discard(QueueId, const BodyRef&) noexcept override {}

    std::string text;
    ErrorCode open_error;
    ErrorCode end_error;

  private:
    class Reader final : public BodyReader {
      public:
        explicit Reader(EndingBody& body)
            : body_(body) {}

        Task<Result<std::string_view>> next() override {
            constexpr std::size_t kPiece = 10'000;
            const auto piece = std::string_view(body_.text).substr(position_, kPiece);
            position_ += piece.size();
            if (piece.empty() && body_.end_error) co_return body_.end_error;
            co_return piece;
        }

      private:
        EndingBody& body_;
        std::size_t position_ = 0;
    };
};

// fabrikam.com has mx1 (203.0.113.1), then mx2 (203.0.113.2).
struct SmtpFixture {
    explicit SmtpFixture(const ConnectionCache::Limits& limits = {}) {
        resolver.add_mx("fabrikam.com", 10, "mx1.fabrikam.com");
        resolver.add_mx("fabrikam.com", 20, "mx2.fabrikam.com");
        resolver.add_address("mx1.fabrikam.com", "203.0.113.1");
        resolver.add_address("mx2.fabrikam.com", "203.0.113.2");
        auto connector = make_send_connector("Internet", {"smtp:*"});
        organization = std::make_shared<const Organization>(make_organization({connector}));
        agent = std::make_unique<SmtpDeliveryAgent>(
            SmtpDeliveryAgent::Parts{
                test.lane, network, resolver, bodies, &memory, &secrets, nullptr, nullptr},
            SmtpDeliveryAgent::Settings{{}, {}, limits});
    }

    // For the deliveries to come.
    void use(SendConnector connector) {
        organization =
            std::make_shared<const Organization>(make_organization({std::move(connector)}));
    }

    void serve_mx1(PeerScript script) { network.serve(mx1, std::move(script)); }

    void serve_mx2(PeerScript script) { network.serve(mx2, std::move(script)); }

    static void add_recipient(QueuedMessage& message, std::string_view address) {
        const auto number = static_cast<std::uint32_t>(message.recipients.size());
        message.recipients.push_back(
            {number,
             RecipientTarget::remote,
             *EmailAddress::parse(address),
             {},
             {},
             {},
             {},
             {},
             {},
             {},
             {},
             {}});
    }

    // A message of alice@contoso.com; without octets of its own its body comes from `bodies`.
    static QueuedMessage message(
        std::initializer_list<const char*> recipients,
        std::string body = "Subject: x\r\n\r\nHello\r\n") {
        QueuedMessage message;
        message.id = QueueId{42};
        message.envelope.reverse_path = *ReversePath::parse("<alice@contoso.com>");
        message.content.prefix = "Received: by mail.contoso.com\r\n";
        message.content.body.length = body.size();
        if (!body.empty()) message.body = std::make_shared<const std::string>(std::move(body));
        for (const auto* recipient : recipients)
            add_recipient(message, recipient);
        return message;
    }

    DeliveryReport deliver(QueuedMessage message) {
        DeliveryJob job;
        for (const auto& recipient : message.recipients)
            job.recipients.push_back(recipient.number);
        job.message = std::make_shared<const QueuedMessage>(std::move(message));
        job.hop = {DeliveryType::dns, "fabrikam.com", "Internet"};
        job.organization = organization;
        job.max_messages_per_connection = max_messages_per_connection;
        return test.run(agent->deliver(std::move(job)));
    }

    DeliveryReport deliver(std::initializer_list<const char*> recipients) {
        return deliver(message(recipients));
    }

    [[nodiscard]] const PeerDialogue& dialogue(std::size_t number) const {
        return *network.dialogues().at(number);
    }

    // `relayed 250 2.0.0 taken`
    static std::string words(const DeliveryReport& report, std::size_t position) {
        const auto& status = report.recipients.at(position).status;
        return std::string(to_text(status.action)) + ' ' + status.diagnostic;
    }

    const Endpoint mx1 = {*IpAddress::parse("203.0.113.1"), 25};
    const Endpoint mx2 = {*IpAddress::parse("203.0.113.2"), 25};
    TestLane test;
    ScriptedNetwork network;
    FakeResolver resolver;
    EndingBody bodies;
    KeptPeers memory;
    MarkedSecrets secrets;
    OrganizationPtr organization;
    std::optional<std::uint32_t> max_messages_per_connection;  // of the destination's policy
    std::unique_ptr<SmtpDeliveryAgent> agent;
};

}  // namespace mailflow

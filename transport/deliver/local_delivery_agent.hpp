// Local delivery: the recipients of a job into their Maildirs, one after the other. Lives on a lane
// and is called on it; the disk is touched on a worker only. Owned by the daemon.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/deliver/delivery_agent.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/deliver/maildir_format.hpp"
#include "transport/deliver/maildir_writer.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/files.hpp"

#include <memory>
#include <string>
#include <unordered_set>

namespace mailflow {

struct LocalDeliverySettings {
    // The mailboxes' folder: <root>/<mailbox>/{tmp,new,cur}. Made on demand; its parent is there,
    // and on stable storage, before.
    std::string root;
    std::string host;  // the node's FQDN, part of file names; the same from start to start
};

class LocalDeliveryAgent final : public DeliveryAgent {
  public:
    // All of them outlive the agent. `worker` runs what blocks.
    struct Parts {
        Files& files;
        BodyStore& bodies;
        TaskRunner& worker;
        const Clock& clock;
    };

    LocalDeliveryAgent(Parts parts, LocalDeliverySettings settings);

    Task<DeliveryReport> deliver(DeliveryJob job) override;

    void close_idle() noexcept override {}

  private:
    // Outcome of writing one copy.
    struct Written {
        ErrorCode body;  // the stored body could not be read
        ErrorCode disk;  // the Maildir could not be written
    };

    Task<Judgement> deliver_one(const QueuedMessage& message, const QueuedRecipient& recipient);

    // A Maildir: its folder in the folder `root`.
    struct Place {
        std::string root;
        std::string folder;
    };

    [[nodiscard]] Result<Place> place_of(const QueuedRecipient& recipient) const;
    Task<Result<std::unique_ptr<BodyReader>>> open_content(
        const QueuedMessage& message, const QueuedRecipient& recipient);
    Task<Written> write(
        BodyReader& reader, MaildirWriter& writer, std::string head, CrlfToLf lines);
    [[nodiscard]] bool may_be_there(
        const QueuedMessage& message, const QueuedRecipient& recipient) const noexcept;

    Parts parts_;
    LocalDeliverySettings settings_;
    UtcTime started_;
    std::unordered_set<std::string> known_folders_;
};

}  // namespace mailflow

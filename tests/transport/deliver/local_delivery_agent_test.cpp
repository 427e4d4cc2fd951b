#include "transport/deliver/local_delivery_agent.hpp"

#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_files.hpp"
#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

namespace mailflow {

namespace {

// Gives a body in small pieces and can fail at its end.
class PieceReader final : public BodyReader {
  public:
    PieceReader(std::string body, ErrorCode end)
        : body_(std::move(body))
        , end_(end) {}

    Task<Result<std::string_view>> next() override {
        constexpr std::size_t kPiece = 1000;
        const auto piece = std::string_view(body_).substr(position_, kPiece);
        position_ += piece.size();
        if (piece.empty() && end_) {
            co_return end_;
        }
        co_return piece;
    }

  private:
    std::string body_;
    ErrorCode end_;
    std::size_t position_ = 0;
};

// One body, in a "file".
class OneBody final : public BodyStore {
  public:
    Task<Result<std::unique_ptr<BodyWriter>>> create(QueueId) override {
        co_return Error::unavailable;
    }

    Task<Result<std::unique_ptr<BodyReader>>> open(QueueId, BodyRef) override {
        if (open_error) {
            co_return open_error;
        }
        co_return std::make_unique<PieceReader>(body, end_error);
    }

    void discard(QueueId, const BodyRef&) noexcept override {}

    std::string body = "Subject: hello\r\n\r\nHello.\r\n";
    ErrorCode open_error;
    ErrorCode end_error;
};

// A disk, a body and an agent that can be started again, as after a crash of the daemon.
struct World {
    World() {
        // The state directory is the daemon's: made and synced before any mail.
        REQUIRE(files.make_directory("/var").has_value());
        REQUIRE(files.sync_directory("/").has_value());
        start();
    }

    void start() {
        agent.emplace(
            LocalDeliveryAgent::Parts{files, bodies, worker, clock},
            LocalDeliverySettings{"/var/mail", "mail.contoso.com"});
        clock.advance(std::chrono::milliseconds(1000));
    }

    QueuedMessage message(std::initializer_list<const char*> mailboxes) {
        QueuedMessage result;
        result.id = QueueId{99};
        result.accepted = clock.now();
        result.envelope.reverse_path = ReversePath::parse("<bob@example.org>").value();
        result.content.prefix = "Received: from a\r\n\tby b; now\r\n";
        for (const auto* mailbox : mailboxes) {
            const auto number = static_cast<std::uint32_t>(result.recipients.size());
            result.recipients.push_back(
                {number,
                 RecipientTarget::mailbox,
                 EmailAddress::parse("u" + std::to_string(number) + "@contoso.com").value(),
                 "",
                 mailbox,
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {}});
        }
        return result;
    }

    DeliveryReport deliver(QueuedMessage what) {
        DeliveryJob job;
        job.hop = {DeliveryType::mailbox, "maildir", ""};
        for (const auto& recipient : what.recipients) {
            job.recipients.push_back(recipient.number);
        }
        job.message = std::make_shared<const QueuedMessage>(std::move(what));
        return run_task(context, agent->deliver(std::move(job)));
    }

    // Files whose path holds `part`.
    std::map<std::string, std::string> files_in(const std::string& part) const {
        auto result = files.contents();
        std::erase_if(result, [&part](const auto& file) {
            return file.first.find(part) == std::string::npos;
        });
        return result;
    }

    asio::io_context context;
    FoldedRunner worker{context};
    ManualClock clock;
    MemoryFiles files;
    OneBody bodies;
    std::optional<LocalDeliveryAgent> agent;
};

std::string expected_copy(const char* address) {
    return "Return-Path: <bob@example.org>\nDelivered-To: " + std::string(address) +
           "\nReceived: from a\n\tby b; now\nSubject: hello\n\nHello.\n";
}

}  // namespace

TEST_CASE(
    "A message arrives in new/ of its mailbox, whole, and survives a power loss",
    "[deliver][local]") {
    World world;

    const auto report = world.deliver(world.message({"alice"}));
    world.files.crash();

    REQUIRE(report.recipients.size() == 1);
    CHECK(report.recipients[0].status.action == DeliveryAction::delivered);
    CHECK(report.recipients[0].status.status.text() == "2.1.5");
    CHECK_FALSE(report.hop_failure);
    const auto files = world.files.contents();
    REQUIRE(files.size() == 1);
    CHECK(
        files.begin()->first ==
        "/var/mail/alice/new/1767614401." + QueueId{99}.text() + ".0.mail.contoso.com");
    CHECK(files.begin()->second == expected_copy("u0@contoso.com"));
}

TEST_CASE("A message arrives with the edits of its header", "[deliver][local]") {
    World world;
    auto message = world.message({"alice"});
    message.content.edits = {{9, 5, "bye"}};
    const bool in_memory = GENERATE(true, false);
    if (in_memory) {
        message.body = std::make_shared<const std::string>(world.bodies.body);
    }

    world.deliver(std::move(message));

    CHECK(world.files.contents().begin()->second.ends_with("now\nSubject: bye\n\nHello.\n"));
}

TEST_CASE("RFC 3030: binary content arrives octet by octet", "[deliver][local]") {
    World world;
    auto message = world.message({"alice"});
    message.envelope.body = BodyType::binary_mime;
    const std::string body("Subject: x\r\n\r\n\r\n\0\n\r\xff\r\n", 22);
    message.body = std::make_shared<const std::string>(body);

    world.deliver(message);

    const auto files = world.files_in("/alice/new/");
    REQUIRE(files.size() == 1);
    CHECK(files.begin()->second.ends_with("Received: from a\r\n\tby b; now\r\n" + body));
}

TEST_CASE("The null sender's Return-Path is <>", "[deliver][local]") {
    World world;
    auto message = world.message({"alice"});
    message.envelope.reverse_path = ReversePath();

    world.deliver(std::move(message));

    CHECK(world.files.contents().begin()->second.starts_with("Return-Path: <>\nDelivered-To: "));
}

TEST_CASE(
    "Dots, 8-bit text, 998-octet lines and large bodies arrive octet for octet",
    "[deliver][local]") {
    World world;
    std::string wire = "Subject: x\r\n\r\n.\r\n..\r\n.leading\r\n" + std::string(998, 'x') +
                       "\r\ncaf\xe9 \xff\r\n";
    while (wire.size() < 700'000) {
        wire += "line " + std::to_string(wire.size()) + " " + std::string(wire.size() % 900, 'y') +
                "\r\n";
    }
    auto disk = wire;
    for (auto at = disk.find("\r\n"); at != std::string::npos; at = disk.find("\r\n", at)) {
        disk.erase(at, 1);
    }
    world.bodies.body = wire;
    auto in_memory = world.message({"alice"});
    in_memory.body = std::make_shared<const std::string>(wire);

    world.deliver(world.message({"bob"}));
    world.deliver(std::move(in_memory));

    for (const auto& [path, content] : world.files.contents()) {
        INFO(path);
        CHECK(content.ends_with("\tby b; now\n" + disk));
    }
    CHECK(world.files.contents().size() == 2);
}

TEST_CASE("Each recipient of a job gets a copy of its own", "[deliver][local]") {
    World world;

    const auto report = world.deliver(world.message({"alice", "bob", "../etc", "alice"}));

    REQUIRE(report.recipients.size() == 4);
    CHECK(world.files_in("/var/mail/alice/new/").size() == 2);
    CHECK(world.files_in("/var/mail/bob/new/").begin()->second == expected_copy("u1@contoso.com"));
    CHECK(world.files_in("/var/mail/%2E.%2Fetc/new/").size() == 1);
    CHECK(report.recipients[2].recipient == 2);
}

TEST_CASE(
    "A mailbox without a possible folder fails with 5.1.1, the others are served",
    "[deliver][local]") {
    World world;

    const auto report = world.deliver(world.message({"", "bob"}));

    CHECK(report.recipients[0].status.action == DeliveryAction::failed);
    CHECK(report.recipients[0].status.status.text() == "5.1.1");
    CHECK(report.recipients[1].status.action == DeliveryAction::delivered);
}

TEST_CASE(
    "A repeated attempt finds its copy, also read and flagged, and does not double",
    "[deliver][local]") {
    World world;
    const auto message = world.message({"alice"});
    world.deliver(message);
    const auto path = world.files.contents().begin()->first;
    std::string moved = path;
    moved.replace(moved.find("/new/"), 5, "/cur/");

    world.start();
    const auto again = world.deliver(message);
    CHECK(world.files.contents().size() == 1);
    REQUIRE(world.files.rename(path, moved + ":2,S").has_value());
    const auto once_more = world.deliver(message);

    CHECK(again.recipients[0].status.action == DeliveryAction::delivered);
    CHECK(once_more.recipients[0].status.action == DeliveryAction::delivered);
    CHECK(world.files.contents().size() == 1);
    CHECK(world.files.contents().begin()->first == moved + ":2,S");
}

TEST_CASE(
    "Whichever step of the disk fails: delayed, nothing half, and the next attempt delivers once",
    "[deliver][local][steps]") {
    bool failed = true;
    std::uint64_t step = 0;
    while (failed) {
        ++step;
        INFO("step " << step);
        World world;
        auto message = world.message({"alice"});

        world.files.fail_call(step, make_error_code(boost::system::errc::io_error));
        const auto report = world.deliver(message);
        failed = world.files.has_failed();

        const auto& status = report.recipients.at(0).status;
        CHECK((status.action == DeliveryAction::delayed) == failed);
        CHECK(world.files_in("/tmp/").empty());
        CHECK(world.files_in("/new/").size() == (failed ? 0 : 1));
        if (failed) {
            CHECK(status.status.text() == "4.2.0");
            CHECK_FALSE(report.hop_failure);
            message.recipients[0].attempts = 1;
            CHECK(
                world.deliver(message).recipients.at(0).status.action == DeliveryAction::delivered);
        }
        world.files.crash();
        REQUIRE(world.files.contents().size() == 1);
        CHECK(world.files.contents().begin()->second == expected_copy("u0@contoso.com"));
    }
    // Three folders and three syncs, create, append, sync, rename, sync.
    CHECK(step >= 11);
}

TEST_CASE(
    "After a power loss at any step the next start delivers exactly once",
    "[deliver][local][crash]") {
    bool failed = true;
    for (std::uint64_t step = 1; failed; ++step) {
        INFO("step " << step);
        World world;
        const auto message = world.message({"alice"});

        world.files.fail_call(step, make_error_code(boost::system::errc::io_error));
        world.deliver(message);
        failed = world.files.has_failed();
        world.files.fail_call(0, {});
        world.files.crash();
        world.start();
        const auto report = world.deliver(message);

        CHECK(report.recipients.at(0).status.action == DeliveryAction::delivered);
        world.files.crash();
        REQUIRE(world.files_in("/new/").size() == 1);
        CHECK(world.files_in("/new/").begin()->second == expected_copy("u0@contoso.com"));
    }
}

TEST_CASE("What a crash left in tmp/ is replaced", "[deliver][local][crash]") {
    World world;
    const auto message = world.message({"alice"});
    world.deliver(message);
    const auto path = world.files.contents().begin()->first;
    std::string left = path;
    left.replace(left.find("/new/"), 5, "/tmp/");
    REQUIRE(world.files.rename(path, left).has_value());

    world.start();
    world.deliver(message);

    REQUIRE(world.files.contents().size() == 1);
    CHECK(world.files.contents().begin()->first == path);
    CHECK(world.files.contents().begin()->second == expected_copy("u0@contoso.com"));
}

TEST_CASE(
    "A full disk stops the job: 4.3.1 for the hop and for all that were left", "[deliver][local]") {
    World world;
    world.deliver(world.message({"alice", "bob", "carol"}));
    auto message = world.message({"alice", "bob", "carol"});
    message.id = QueueId{100};

    world.files.fail_call(6, Error::disk_full);
    const auto report = world.deliver(message);

    REQUIRE(report.recipients.size() == 3);
    CHECK(report.recipients[0].status.action == DeliveryAction::delivered);
    CHECK(report.recipients[1].status.status.text() == "4.3.1");
    CHECK(report.recipients[2].status.status.text() == "4.3.1");
    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->diagnostic == "452 4.3.1 Insufficient system resources");
}

TEST_CASE("A body that cannot be read or is damaged is never delivered", "[deliver][local]") {
    World unreadable;
    unreadable.bodies.open_error = Error::unavailable;
    World damaged;
    damaged.bodies.end_error = Error::corrupt;
    damaged.bodies.body = "Subject: x\r\n\r\n" + std::string(600'000, 'x');

    for (auto* world : {&unreadable, &damaged}) {
        const auto report = world->deliver(world->message({"alice"}));
        CHECK(report.recipients.at(0).status.action == DeliveryAction::delayed);
        CHECK(report.recipients.at(0).status.status.text() == "4.3.0");
        CHECK_FALSE(report.hop_failure);
        CHECK(world->files.contents().empty());
    }
}

}  // namespace mailflow

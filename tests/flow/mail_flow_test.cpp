#include "tests/flow/blocking_client.hpp"
#include "tests/flow/running_flow.hpp"
#include "tests/support/temp_directory.hpp"

#include <catch2/catch.hpp>

#include <future>
#include <thread>

using namespace mailflow;

namespace {

constexpr std::size_t kClients = 4;
constexpr std::size_t kMessagesEach = 25;

// What the clients were told, one reply for each message.
std::vector<std::string> send_from_threads(std::uint16_t port, const std::string& to) {
    std::vector<std::future<std::vector<std::string>>> clients;
    for (std::size_t i = 0; i < kClients; ++i) {
        clients.push_back(std::async(std::launch::async, [port, to] {
            std::vector<std::string> replies;
            BlockingClient client(port);
            client.say("EHLO client.example.com");
            for (std::size_t n = 0; n < kMessagesEach; ++n) {
                replies.push_back(client.send("alice@example.com", to, "Subject: x\r\n\r\nhello"));
            }
            return replies;
        }));
    }
    std::vector<std::string> all;
    for (auto& client : clients) {
        auto replies = client.get();
        all.insert(all.end(), replies.begin(), replies.end());
    }
    return all;
}

}  // namespace

TEST_CASE("Mail from several threads reaches a Maildir while the configuration changes", "[flow]") {
    TempDirectory folder;
    RunningFlow flow(folder.path());
    const auto port = flow.port("Default Frontend mail.contoso.com");

    auto sending = std::async(
        std::launch::async, [port] { return send_from_threads(port, "postmaster@contoso.com"); });
    for (int i = 0; i < 10; ++i) {
        flow.change(
            "mailbox", "user " + std::to_string(i), {{"alias", "user" + std::to_string(i)}});
    }
    const auto replies = sending.get();

    for (const auto& reply : replies) {
        REQUIRE(reply.rfind("250 2.6.0", 0) == 0);
    }
    CHECK(wait_until([&folder] {
        return files_in(folder.path() + "/mail/postmaster/new") == kClients * kMessagesEach;
    }));
}

TEST_CASE("Mail from several threads leaves by MX over both lanes", "[flow]") {
    TempDirectory folder;
    BlockingSink sink;
    const auto port = BlockingSink().port();  // free again
    RunningFlow flow(folder.path());
    flow.change(
        "receive-connector",
        "Local applications",
        {{"bindings", {"127.0.0.1:" + std::to_string(port)}},
         {"remote_ranges", {"127.0.0.0/8"}},
         {"permission_groups", {"anonymous"}},
         {"permissions", {"any-recipient"}}});
    flow.change("send-connector", "Internet", {{"address_spaces", {"*"}}, {"port", sink.port()}});
    REQUIRE(wait_until([&flow] { return flow.port("Local applications") != 0; }));

    const auto replies = send_from_threads(port, "bob@fabrikam.com");

    for (const auto& reply : replies) {
        REQUIRE(reply.rfind("250 2.6.0", 0) == 0);
    }
    CHECK(wait_until([&sink] { return sink.messages() == kClients * kMessagesEach; }));
    CHECK(wait_until([&flow] { return flow.statistics().messages == 0; }));
}

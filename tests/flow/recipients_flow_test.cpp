// Whom a message comes to, and under which addresses, as the hosts see it that it is handed to.
#include "tests/flow/blocking_client.hpp"
#include "tests/flow/running_flow.hpp"
#include "tests/support/temp_directory.hpp"

#include <algorithm>

using namespace mailflow;

namespace {

constexpr const char* kText = "Subject: x\r\nFrom: Green <d.green@contoso.com>\r\n\r\nhello";

// Two hosts outside, each with the send connector that leads to it, and a client that is trusted.
struct Company {
    explicit Company(BlockingSink::Script script = {})
        : fabrikam(std::move(script))
        , flow(folder.path()) {
        flow.change(
            "receive-connector",
            "Local applications",
            {{"bindings", {"127.0.0.1:" + std::to_string(port)}},
             {"remote_ranges", {"127.0.0.0/8"}},
             {"permission_groups", {"anonymous", "trusted"}},
             {"permissions", {"any-recipient"}}});
        flow.change(
            "send-connector",
            "Fabrikam",
            {{"address_spaces", {"fabrikam.com"}}, {"port", fabrikam.port()}});
        flow.change(
            "send-connector",
            "Litware",
            {{"address_spaces", {"litware.com"}}, {"port", litware.port()}});
        REQUIRE(wait_until([this] { return flow.port("Local applications") != 0; }));
    }

    void send(const std::string& from, const std::vector<std::string>& to) {
        BlockingClient client(port);
        client.say("EHLO client.example.com");
        REQUIRE(client.say("MAIL FROM:<" + from + ">").starts_with("250"));
        for (const auto& recipient : to)
            REQUIRE(client.say("RCPT TO:<" + recipient + ">").starts_with("250"));
        REQUIRE(client.say("DATA").starts_with("354"));
        REQUIRE(client.say(std::string(kText) + "\r\n.").starts_with("250 2.6.0"));
    }

    void wait_until_empty() {
        CHECK(wait_until([this] { return flow.statistics().messages == 0; }));
    }

    [[nodiscard]] std::size_t delivered(const std::string& mailbox) const {
        return files_in(folder.path() + "/mail/" + mailbox + "/new");
    }

    TempDirectory folder;
    std::uint16_t port = BlockingSink().port();  // free again
    BlockingSink fabrikam;
    BlockingSink litware;
    RunningFlow flow;
};

std::string first_with(const BlockingSink& sink, const std::string& beginning) {
    for (const auto& line : sink.lines()) {
        if (line.starts_with(beginning)) return line;
    }
    return {};
}

}  // namespace

TEST_CASE("A group goes to two next hops, and one that refuses harms no other", "[flow]") {
    Company company([](const std::string& line) {
        return line.starts_with("RCPT") ? std::string("550 5.1.1 not here") : std::string();
    });
    company.flow.change("mailbox", "erin", {});
    company.flow.change("contact", "dora", {{"external_address", "dora@fabrikam.com"}});
    company.flow.change("contact", "carl", {{"external_address", "carl@litware.com"}});
    company.flow.change(
        "group",
        "staff",
        {{"members", {"erin", "dora", "carl"}}, {"require_authenticated_sender", false}});

    company.send("boss@litware.com", {"staff@contoso.com"});

    company.wait_until_empty();
    CHECK(company.delivered("erin") == 1);
    CHECK(company.fabrikam.times_heard("RCPT TO:<dora@fabrikam.com>") == 1);
    CHECK(company.fabrikam.messages() == 0);
    CHECK(company.litware.times_heard("RCPT TO:<carl@litware.com>") == 1);
    // The report about the one who failed, and about nobody else.
    CHECK(company.litware.times_heard("RCPT TO:<boss@litware.com>") == 1);
    CHECK(company.litware.messages() == 2);
    CHECK(company.litware.times_heard("Final-Recipient:") == 1);
    CHECK(company.litware.has_heard("Final-Recipient: rfc822; dora@fabrikam.com"));
}

TEST_CASE("Forwarded mail leaves with a reverse-path that leads back to its sender", "[flow]") {
    Company company;
    company.flow.change("mailbox", "erin", {{"forwarding_address", "erin@fabrikam.com"}});

    company.send("boss@litware.com", {"erin@contoso.com"});

    company.wait_until_empty();
    const auto mail = first_with(company.fabrikam, "MAIL FROM:<SRS0=");
    CHECK(mail.find("=litware.com=boss@contoso.com>") != std::string::npos);
    CHECK(company.delivered("erin") == 0);

    // A report to that address is the sender's.
    const auto begin = mail.find('<') + 1;
    company.send("", {mail.substr(begin, mail.find('>') - begin)});

    company.wait_until_empty();
    CHECK(company.litware.times_heard("RCPT TO:<boss@litware.com>") == 1);
}

TEST_CASE("What is sent is copied to the journal, once for each message", "[flow]") {
    Company company;
    company.flow.change("mailbox", "journal", {});
    company.flow.change("mailbox", "erin", {});
    company.flow.set("transport-config", {{"always_bcc", "journal@contoso.com"}});

    company.send("boss@litware.com", {"erin@contoso.com", "dora@fabrikam.com"});
    company.send("boss@litware.com", {"journal@contoso.com"});

    company.wait_until_empty();
    CHECK(company.delivered("erin") == 1);
    CHECK(company.fabrikam.messages() == 1);
    CHECK(company.delivered("journal") == 2);
}

TEST_CASE("Fact 15: ORCPT of a relayed recipient keeps the address that was named", "[flow]") {
    Company company;
    company.flow.change(
        "contact",
        "dora",
        {{"external_address", "dora@fabrikam.com"},
         {"addresses", {"SMTP:dora@contoso.com", "smtp:d.white@contoso.com"}}});

    company.send("boss@litware.com", {"d.white@contoso.com"});

    company.wait_until_empty();
    CHECK(
        company.fabrikam.has_heard("RCPT TO:<dora@fabrikam.com> ORCPT=rfc822;d.white@contoso.com"));
}

TEST_CASE("RFC 2033 section 4.2: LMTP answers for each recipient behind the text", "[flow]") {
    BlockingSink store([](const std::string& line) {
        return line.starts_with(". RCPT TO:<full@contoso.com>") ? std::string("552 5.2.2 full")
                                                                : std::string();
    });
    Company company;
    const auto target = "lmtp:127.0.0.1:" + std::to_string(store.port());
    company.flow.change("mailbox", "erin", {{"delivery_target", target}});
    company.flow.change("mailbox", "full", {{"delivery_target", target}});

    company.send("boss@litware.com", {"erin@contoso.com", "full@contoso.com"});

    company.wait_until_empty();
    CHECK(store.times_heard("LHLO") == 1);
    CHECK(store.times_heard("EHLO") == 0);
    CHECK(store.messages() == 1);
    CHECK(company.litware.times_heard("Final-Recipient:") == 1);
    CHECK(company.litware.has_heard("Final-Recipient: rfc822; full@contoso.com"));
}

TEST_CASE("A host outside sees the primary address in MAIL FROM and From", "[flow]") {
    Company company;
    company.flow.change(
        "mailbox",
        "david",
        {{"addresses", {"SMTP:david@contoso.com", "smtp:d.green@contoso.com"}}});
    company.flow.change("mailbox", "erin", {});

    company.send("d.green@contoso.com", {"dora@fabrikam.com", "erin@contoso.com"});

    company.wait_until_empty();
    CHECK(first_with(company.fabrikam, "MAIL FROM:").starts_with("MAIL FROM:<david@contoso.com>"));
    CHECK(company.fabrikam.has_heard("From: Green <david@contoso.com>"));
    CHECK(company.delivered("erin") == 1);
}

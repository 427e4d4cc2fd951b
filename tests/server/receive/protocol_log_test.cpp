#include "server/receive/protocol_log.hpp"

#include "tests/support/held_runner.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_files.hpp"
#include "tests/support/memory_log.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

using namespace mailflow;

namespace {

struct Fixture {
    MemoryFiles disk;
    ManualClock clock;
    HeldRunner writer;
    MemoryLog daemon_log;
    ProtocolLog log{"log", {writer, disk, clock, Log(daemon_log)}};
    ReceiveConnector connector = verbose("Printers");

    static ReceiveConnector verbose(const std::string& name) {
        ReceiveConnector result;
        result.name = name;
        result.protocol_log = ProtocolLogging::verbose;
        return result;
    }

    std::unique_ptr<ProtocolLogSession> session() {
        return log.open_session(
            connector, *Endpoint::parse("127.0.0.1:25"), *Endpoint::parse("192.0.2.9:4711"));
    }

    void write() {
        log.flush();
        writer.run();
    }

    std::vector<ProtocolLogLine> lines() {
        write();
        return log.files().last("", 1000).value().lines;
    }

    // `<EHLO x`, `+`, …
    std::vector<std::string> said() {
        std::vector<std::string> result;
        for (const auto& line : lines()) {
            result.push_back(line.event + line.data);
        }
        return result;
    }
};

using Said = std::vector<std::string>;

}  // namespace

TEST_CASE("A connector that keeps no protocol log has no log session", "[protocol-log]") {
    Fixture fixture;
    fixture.connector.protocol_log = ProtocolLogging::none;

    CHECK(fixture.session() == nullptr);
}

TEST_CASE("A session is logged from connect to disconnect", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();

    session->connected();
    session->sent("220 mail.contoso.com ESMTP\r\n");
    session->received("EHLO client.example");
    session->sent("250-mail.contoso.com Hello\r\n250 SIZE 100\r\n");
    session->note("TLSv1.3 TLS_AES_256_GCM_SHA384", "resumed");
    session->received_content(4711);
    session->disconnected("quit");

    CHECK(
        fixture.said() == Said{
                              "+",
                              ">220 mail.contoso.com ESMTP",
                              "<EHLO client.example",
                              ">250-mail.contoso.com Hello",
                              ">250 SIZE 100",
                              "*TLSv1.3 TLS_AES_256_GCM_SHA384",
                              "<<4711 octets of message content>",
                              "-"});
    const auto lines = fixture.lines();
    for (std::size_t i = 0; i < lines.size(); ++i) {
        CHECK(lines[i].sequence == i);
        CHECK(lines[i].connector == "Printers");
        CHECK(lines[i].session == session->id());
        CHECK(lines[i].local == "127.0.0.1:25");
        CHECK(lines[i].remote == "192.0.2.9:4711");
        CHECK(lines[i].date_time == "2026-01-05T12:00:00.000Z");
    }
    CHECK(lines[5].context == "resumed");
    CHECK(lines.back().context == "quit");
}

TEST_CASE("Sessions are told apart, restarts included", "[protocol-log]") {
    Fixture fixture;
    std::set<std::string> ids;

    for (int i = 0; i < 100; ++i) {
        const auto session = fixture.session();
        ids.insert(std::string(session->id()));
    }
    fixture.clock.advance(std::chrono::seconds(1));
    ProtocolLog again("log", {fixture.writer, fixture.disk, fixture.clock, Log()});
    const auto later = again.open_session(fixture.connector, {}, {});
    ids.insert(std::string(later->id()));

    CHECK(ids.size() == 101);
    CHECK(ids.begin()->size() == 16);
}

TEST_CASE("What AUTH carries is never written", "[protocol-log]") {
    const std::string secret = "AGFsaWNlAHNlY3JldA==";
    const std::vector<std::pair<std::string, std::string>> table = {
        {"AUTH PLAIN " + secret, "<AUTH PLAIN <secret>"},
        {"auth plain " + secret, "<auth plain <secret>"},
        {"AUTH\tPLAIN\t" + secret, "<AUTH PLAIN <secret>"},
        {"  AUTH PLAIN " + secret, "<  AUTH PLAIN <secret>"},
        {"AUTH " + secret, "<AUTH <secret>"},
        {"AUTH PLAIN " + secret + " " + secret, "<AUTH PLAIN <secret>"},
        {"AUTH LOGIN", "<AUTH LOGIN"},
        {"AUTH", "<AUTH"},
        // Another line end hides a second command.
        {"NOOP\nAUTH PLAIN " + secret, "<NOOP\\x0aAUTH PLAIN <secret>"},
        {"NOOP\r AUTH PLAIN " + secret, "<NOOP\\x0d AUTH PLAIN <secret>"},
        // No AUTH at all.
        {"MAIL FROM:<a@b> AUTH=<>", "<MAIL FROM:<a@b> AUTH=<>"},
        {"AUTHOR", "<AUTHOR"}};

    for (const auto& [given, wanted] : table) {
        Fixture fixture;
        const auto session = fixture.session();
        session->received(given);
        CHECK(fixture.said() == Said{wanted});
    }
}

TEST_CASE("Answers to challenges are never written, nor the challenges", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();

    session->received("AUTH LOGIN");
    session->sent("334 VXNlcm5hbWU6\r\n");
    session->received("YWxpY2U=");
    session->sent("334 UGFzc3dvcmQ6\r\n");
    session->received("c2VjcmV0");
    session->sent("235 2.7.0 Authentication successful\r\n");
    session->received("MAIL FROM:<>");

    CHECK(
        fixture.said() == Said{
                              "<AUTH LOGIN",
                              ">334 <challenge>",
                              "<<secret>",
                              ">334 <challenge>",
                              "<<secret>",
                              ">235 2.7.0 Authentication successful",
                              "<MAIL FROM:<>"});
}

TEST_CASE("A secret that comes as if it were a command is not written", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();

    session->received("AUTH LOGIN");
    session->sent("538 5.7.11 Encryption required\r\n");
    session->received("YWxpY2U=");
    session->sent("500 5.5.1 Unknown command\r\n");
    session->received("c2VjcmV0");
    session->sent("500 5.5.1 Unknown command\r\n");
    session->received("QUIT");
    session->received("XYZZY");

    const auto said = fixture.said();
    CHECK(said[2] == "<<secret>");
    CHECK(said[4] == "<<secret>");
    CHECK(said[6] == "<QUIT");
    CHECK(said[7] == "<XYZZY");
}

TEST_CASE("An exchange that is given up shows so", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();

    session->received("AUTH SCRAM-SHA-256");
    session->sent("334 \r\n");
    session->received("*");

    CHECK(fixture.said().back() == "<*");
}

// Attack case 27.
TEST_CASE("Attack case 27: a client cannot forge a line of the protocol log", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();

    session->received("EHLO x\r\n2026-01-05T12:00:00.000Z,Printers,0,0,a,b,<,QUIT,\r\n");
    session->received("NOOP \",\"\",\"\n\"");

    const auto lines = fixture.lines();
    REQUIRE(lines.size() == 2);
    CHECK(
        lines[0].data ==
        "EHLO x\\x0d\\x0a2026-01-05T12:00:00.000Z,Printers,0,0,a,b,<,QUIT,\\x0d\\x0a");
    CHECK(lines[1].data == "NOOP \",\"\",\"\\x0a\"");
}

TEST_CASE("A line costs its lane no job of the writer", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();

    session->connected();
    CHECK(fixture.writer.waiting() == 0);
    fixture.log.flush();
    CHECK(fixture.writer.waiting() == 1);
    for (int i = 0; i < 5000; ++i) {
        session->received("NOOP");
    }
    fixture.log.flush();

    CHECK(fixture.writer.waiting() == 1);
    CHECK(fixture.lines().size() == 1000);
}

TEST_CASE("Lines beyond the bound are dropped, counted and said", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();
    const std::string noop = "NOOP " + std::string(4000, 'x');

    for (int i = 0; i < 3000; ++i) {
        session->received(noop);
    }
    fixture.write();

    const auto kept = ProtocolLog::kMaxGathered / (noop.size() + 80);
    CHECK(fixture.log.lost() > 0);
    CHECK(3000 - fixture.log.lost() <= kept + 50);
    CHECK(fixture.daemon_log.count("protocol log lines lost") == 1);
    session->received("RSET");
    CHECK(fixture.said().back() == "<RSET");
}

TEST_CASE("A full disk loses lines and says so once a minute", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();

    for (int i = 0; i < 3; ++i) {
        fixture.disk.fail_call(1, Error::disk_full);
        session->received("NOOP");
        fixture.write();
    }
    CHECK(fixture.log.lost() == 3);
    CHECK(fixture.daemon_log.count("protocol log lines lost") == 1);

    fixture.clock.advance(std::chrono::minutes(2));
    session->received("RSET");
    CHECK(fixture.said() == Said{"<RSET"});
    CHECK(fixture.daemon_log.count("protocol log lines lost count=2") == 1);
}

TEST_CASE("A closed protocol log has written all and asks for nothing more", "[protocol-log]") {
    Fixture fixture;
    const auto session = fixture.session();
    session->connected();

    fixture.log.close();
    CHECK(fixture.writer.run() == 1);
    session->disconnected();
    fixture.log.flush();
    fixture.log.sweep();

    CHECK(fixture.writer.waiting() == 0);
    CHECK(fixture.log.files().last("", 10).value().lines.size() == 1);
}

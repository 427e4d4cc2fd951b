#include "tests/lab/smtp_sink.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace mailflow::lab {

namespace {

constexpr std::chrono::milliseconds kPatience{20'000};

struct Fixture {
    explicit Fixture(std::string_view items = {}, std::string folder = {})
        : journal(std::move(folder))
        , sink(ports(items), journal) {}

    static std::vector<SmtpSink::Port> ports(std::string_view items) {
        return {{Endpoint{IpAddress::v4(0x7f00'0001), 0}, parse_behaviour(items, ',').value()}};
    }

    [[nodiscard]] Endpoint endpoint() const { return sink.endpoints().front(); }

    SinkJournal journal;
    SmtpSink sink;
};

// Says lines, hears codes.
class Client {
  public:
    explicit Client(const Endpoint& server)
        : socket_(LineSocket::connect(server, kPatience).value()) {}

    // The code of the reply; 0 when the connection ended instead.
    int reply() {
        last.clear();
        while (auto line = socket_.read_line(4096)) {
            last += *line + "\n";
            if (line->size() < 4 || (*line)[3] != '-') return std::stoi(*line);
        }
        return 0;
    }

    int say(const std::string& line) {
        socket_.write(line + "\r\n");
        return reply();
    }

    void write(const std::string& bytes) { socket_.write(bytes); }

    // Greeting to the reply to the final dot, or the first that is no success.
    int send(
        const std::string& to,
        const std::string& text = "Subject: x\r\n\r\nhello\r\n",
        const std::string& from = "a@b") {
        if (!greeted_) {
            const int greeting = reply();
            if (greeting != 220) return greeting;
            const int hello = say("EHLO client");
            if (hello != 250) return hello;
            greeted_ = true;
        }
        for (const auto& line : {"MAIL FROM:<" + from + ">", "RCPT TO:<" + to + ">"}) {
            const int code = say(line);
            if (code != 250) return code;
        }
        const int code = say("DATA");
        if (code != 354) return code;
        write(text + ".\r\n");
        return reply();
    }

    std::string last;

  private:
    LineSocket socket_;
    bool greeted_ = false;
};

}  // namespace

TEST_CASE("The sink takes a message and keeps it, byte for byte", "[lab][sink]") {
    Fixture lab;
    Client client(lab.endpoint());

    const int code =
        client.send("bob@example.com", "Subject: x\r\n\r\n..dot\r\n\xff\r\n", "alice@example.com");

    CHECK(code == 250);
    REQUIRE(lab.journal.messages().size() == 1);
    const auto message = lab.journal.messages()[0];
    CHECK(message.from == "alice@example.com");
    CHECK(message.to == std::vector<std::string>{"bob@example.com"});
    CHECK(message.content == "Subject: x\r\n\r\n.dot\r\n\xff\r\n");
    CHECK(message.acknowledged);
}

TEST_CASE("The sink writes messages and an index to its folder", "[lab][sink]") {
    const auto folder =
        std::filesystem::temp_directory_path() / ("mailflow-sink-" + std::to_string(::getpid()));
    {
        Fixture lab({}, folder.string());
        Client client(lab.endpoint());
        CHECK(client.send("\"b>b\"@example.com") == 250);
        CHECK(client.say("QUIT") == 221);
        CHECK(lab.journal.wait_for_sessions(1, kPatience));
    }

    std::ifstream message(folder / "000001.eml");
    std::ifstream index(folder / "messages.jsonl");
    std::ifstream sessions(folder / "sessions.jsonl");
    const auto whole = [](std::ifstream& file) {
        return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    };
    CHECK(whole(message) == "Subject: x\r\n\r\nhello\r\n");
    CHECK_THAT(
        whole(index),
        Catch::Contains(R"("to":["\"b>b\"@example.com"])") && Catch::Contains("000001.eml"));
    CHECK_THAT(
        whole(sessions),
        Catch::Contains(R"("ended":"quit")") && Catch::Contains(R"("messages":1)"));
    std::filesystem::remove_all(folder);
}

TEST_CASE("A recipient's local part fails as it says, so often, then works", "[lab][sink]") {
    Fixture lab;

    for (const auto& [address, code] : std::vector<std::pair<std::string, int>>{
             {"451-rcpt-2@x", 451}, {"452-data-2@x", 452}, {"450-dot-2@x", 450}}) {
        INFO(address);
        CHECK(Client(lab.endpoint()).send(address) == code);
        CHECK(Client(lab.endpoint()).send(address) == code);
        CHECK(Client(lab.endpoint()).send(address) == 250);
    }
    CHECK(Client(lab.endpoint()).send("451-rcpt-2@other") == 451);
    CHECK(Client(lab.endpoint()).send("550-rcpt@x") == 550);
    CHECK(Client(lab.endpoint()).send("550-rcpt@x") == 550);
    CHECK(Client(lab.endpoint()).send("bob@x", "\r\n", "451-mail-1@y") == 451);
    CHECK(Client(lab.endpoint()).send("bob@x", "\r\n", "451-mail-1@y") == 250);
    CHECK(lab.journal.message_count() == 4);
}

TEST_CASE("A port fails at every stage it is told to", "[lab][sink]") {
    const struct {
        const char* items;
        int code;
    } rows[] = {
        {"554-connect", 554},
        {"421-connect-1", 421},
        {"502-ehlo", 502},
        {"451-mail", 451},
        {"550-rcpt", 550},
        {"451-data", 451},
        {"554-dot", 554},
        {"drop-connect", 0},
        {"drop-ehlo", 0},
        {"drop-mail", 0},
        {"drop-rcpt", 0},
        {"drop-data", 0},
        {"drop-dot", 0},
    };

    for (const auto& row : rows) {
        INFO(row.items);
        Fixture lab(row.items);
        CHECK(Client(lab.endpoint()).send("bob@example.com") == row.code);
    }
}

TEST_CASE(
    "A drop after the final dot keeps the message, unacknowledged; one in the text does not",
    "[lab][sink]") {
    Fixture lab;

    CHECK(Client(lab.endpoint()).send("drop-dot-1@x") == 0);
    CHECK(Client(lab.endpoint()).send("drop-data-1@x") == 0);
    CHECK(Client(lab.endpoint()).send("drop-dot-1@x") == 250);

    const auto messages = lab.journal.messages();
    REQUIRE(messages.size() == 2);
    CHECK_FALSE(messages[0].acknowledged);
    CHECK(messages[1].acknowledged);
}

TEST_CASE("The sink announces and keeps its size limit", "[lab][sink]") {
    Fixture lab("size-1000");
    Client client(lab.endpoint());

    CHECK(client.send("bob@x", std::string(2000, 'x') + "\r\n") == 552);
    CHECK(client.say("MAIL FROM:<a@b> SIZE=1001") == 552);
    CHECK(client.say("MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME") == 250);
    Client other(lab.endpoint());
    CHECK(other.reply() == 220);
    CHECK(other.say("EHLO x") == 250);
    CHECK_THAT(other.last, Catch::Contains("250-SIZE 1000\n"));
}

TEST_CASE(
    "Pipelined commands work, and are refused where PIPELINING is not offered", "[lab][sink]") {
    Fixture with;
    Fixture without("no-pipelining");
    const std::string flight = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nNOOP\r\n";

    Client pipelining(with.endpoint());
    CHECK(pipelining.reply() == 220);
    CHECK(pipelining.say("EHLO x") == 250);
    CHECK_THAT(pipelining.last, Catch::Contains("PIPELINING"));
    pipelining.write(flight);
    for (int i = 0; i < 3; ++i)
        CHECK(pipelining.reply() == 250);

    Client refused(without.endpoint());
    CHECK(refused.reply() == 220);
    CHECK(refused.say("EHLO x") == 250);
    CHECK_THAT(refused.last, !Catch::Contains("PIPELINING"));
    refused.write(flight);
    CHECK(refused.reply() == 503);
}

TEST_CASE("Limits of recipients and messages are kept", "[lab][sink]") {
    Fixture lab("recipients-2,messages-1");
    Client client(lab.endpoint());

    CHECK(client.reply() == 220);
    CHECK(client.say("EHLO x") == 250);
    CHECK(client.say("MAIL FROM:<>") == 250);
    CHECK(client.say("RCPT TO:<a@x>") == 250);
    CHECK(client.say("RCPT TO:<b@x>") == 250);
    CHECK(client.say("RCPT TO:<c@x>") == 452);
    CHECK(client.say("DATA") == 354);
    CHECK(client.say(".") == 250);
    CHECK(client.say("MAIL FROM:<>") == 421);
    CHECK(client.reply() == 0);
}

TEST_CASE("A slow sink waits before each reply", "[lab][sink]") {
    Fixture lab("slow-30");
    const auto start = std::chrono::steady_clock::now();

    CHECK(Client(lab.endpoint()).send("bob@x") == 250);

    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(6 * 30));
}

TEST_CASE("Commands out of order and unknown ones are refused", "[lab][sink]") {
    Fixture lab;
    Client client(lab.endpoint());

    CHECK(client.reply() == 220);
    CHECK(client.say("MAIL FROM:<a@b>") == 503);
    CHECK(client.say("HELO x") == 250);
    CHECK(client.say("RCPT TO:<a@b>") == 503);
    CHECK(client.say("DATA") == 503);
    CHECK(client.say("MAIL FROM:a@b") == 501);
    CHECK(client.say("BREW coffee") == 500);
    CHECK(client.say("VRFY x") == 252);
}

TEST_CASE("A sink ends while clients are connected", "[lab][sink]") {
    auto lab = std::make_unique<Fixture>();
    Client client(lab->endpoint());
    CHECK(client.reply() == 220);

    lab.reset();

    CHECK(client.reply() == 0);
}

}  // namespace mailflow::lab

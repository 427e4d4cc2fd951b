#include "tests/lab/sender.hpp"

#include "tests/lab/smtp_sink.hpp"
#include "tests/lab/test_message.hpp"
#include "tests/lab/verifier.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace mailflow::lab {

namespace {

namespace fs = std::filesystem;

struct Workplace {
    Workplace()
        : path(fs::temp_directory_path() / ("mailflow-send-" + std::to_string(::getpid()))) {
        fs::remove_all(path);
        fs::create_directories(path);
    }

    ~Workplace() { fs::remove_all(path); }

    Workplace(const Workplace&) = delete;
    Workplace& operator=(const Workplace&) = delete;

    [[nodiscard]] std::string file(const std::string& name) const { return (path / name).string(); }

    fs::path path;
};

std::vector<SmtpSink::Port> port(std::string_view items) {
    return {{Endpoint{IpAddress::v4(0x7f00'0001), 0}, parse_behaviour(items, ',').value()}};
}

SendSettings settings_for(const SmtpSink& sink, std::uint64_t count) {
    SendSettings settings;
    settings.server = sink.endpoints().front();
    settings.from = "a@example.com";
    settings.to = {"b@example.com"};
    settings.count = count;
    settings.sessions = 3;
    return settings;
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("What send writes, verify finds, whatever was put in front", "[lab][send]") {
    const auto text = make_test_message("id-1", "a@b", "c@d", 5000);

    CHECK(text.size() == Approx(5000).margin(3));
    CHECK(find_test_message(text)->id == "id-1");
    CHECK(find_test_message(text)->whole);
    CHECK(find_test_message("Received: from x\r\n by y\r\n" + text)->whole);
    CHECK(find_test_message(make_test_message("x", "a@b", "c@d", 0))->whole);
    CHECK_FALSE(find_test_message(text.substr(0, text.size() - 10))->whole);
    CHECK_FALSE(find_test_message("Subject: other\r\n\r\nX-Lab-Id: no\r\n"));
}

TEST_CASE(
    "Every message is acknowledged once, through drops and temporary refusals", "[lab][send]") {
    const Workplace place;
    SinkJournal journal(place.file("out"));
    const SmtpSink sink(
        port("421-connect-1,451-mail-2,452-rcpt-2,drop-data-2,450-dot-2,drop-dot-3,messages-7"),
        journal);
    Interrupt stop;

    AckedFile acked(place.file("acked"));
    const auto report = send_messages(settings_for(sink, 50), acked, stop);

    CHECK(report.acknowledged == 50);
    CHECK(report.refused == 0);
    CHECK(report.attempts >= 50 + 2 + 2 + 2 + 2 + 3);
    const auto ids = AckedFile::read(place.file("acked"));
    CHECK(ids.size() == 50);
    const auto verified = verify_delivery(ids, {place.file("out")});
    CHECK(verified.holds());
    CHECK(verified.text() == "acknowledged 50, delivered 50, lost 0, duplicates 3");
}

TEST_CASE("A message refused for good is not sent again", "[lab][send]") {
    SinkJournal journal("");
    const SmtpSink sink(port(""), journal);
    Interrupt stop;
    auto settings = settings_for(sink, 4);
    settings.to = {"550-rcpt@x", "b@x"};

    AckedFile nowhere("");
    const auto report = send_messages(settings, nowhere, stop);

    CHECK(report.acknowledged == 2);
    CHECK(report.refused == 2);
}

TEST_CASE("Without a server the sender gives up when its patience ends", "[lab][send]") {
    SendSettings settings;
    settings.server = listen_tcp({IpAddress::v4(0x7f00'0001), 0}).endpoint;
    settings.from = "a@b";
    settings.to = {"c@d"};
    settings.count = 2;
    settings.patience = std::chrono::milliseconds(1);
    Interrupt stop;

    AckedFile nowhere("");
    const auto report = send_messages(settings, nowhere, stop);

    CHECK(report.given_up == 2);
}

TEST_CASE("Verify sees what is lost, damaged and doubled", "[lab][verify]") {
    const Workplace place;
    fs::create_directories(place.path / "box/new");
    fs::create_directories(place.path / "box/tmp");
    const auto message = [](const std::string& id) {
        return make_test_message(id, "a@b", "c@d", 300);
    };
    write(place.file("box/new/1"), "Return-Path: <>\r\n" + message("one"));
    write(place.file("box/new/2"), message("one"));
    write(place.file("box/new/3"), message("two").substr(0, 200));
    write(place.file("box/new/4"), message("stray"));
    write(place.file("box/tmp/5"), message("three"));

    const auto report = verify_delivery({"one", "two", "three", "one"}, {place.file("box")});

    CHECK(report.text() == "acknowledged 3, delivered 1, lost 2, duplicates 1");
    CHECK(report.lost == std::vector<std::string>{"three", "two"});
    CHECK(report.damaged == 1);
    CHECK(report.unacknowledged == 1);
    CHECK_FALSE(report.holds());
}

}  // namespace mailflow::lab

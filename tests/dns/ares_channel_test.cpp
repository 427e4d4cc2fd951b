// The resolver over real sockets: against the lab's name server, and against one that lies.
#include "dns/ares_channel.hpp"

#include "dns/caching_resolver.hpp"
#include "tests/dns/packet.hpp"
#include "tests/lab/dns_server.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <functional>
#include <sys/socket.h>
#include <thread>

namespace mailflow {

namespace {

using dns::testing::Packet;

constexpr std::string_view kZone = R"(
$ORIGIN contoso.com.
@         MX 10 mail
@         MX 20 backup
@         TXT "v=spf1 mx -all"
mail      A 192.0.2.1
mail      AAAA 2001:db8::1
www       CNAME mail
null      MX 0 .
broken    SERVFAIL
refused   REFUSED
silent    DROP
cut       TRUNCATE
cut       MX 10 mail
big       TXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789"
)";

const Endpoint kAnyPort{IpAddress::v4(0x7f00'0001), 0};

// A lane in real time on the test's thread, and a resolver that asks the servers given.
struct Client {
    explicit Client(
        std::vector<std::string> servers, Duration try_timeout = std::chrono::seconds(5))
        : lane({context, clock, random, Log()})
        , resolver(make(std::move(servers), try_timeout)) {}

    ~Client() {
        resolver->stop();
        lane.stop();
        context.restart();
        context.run();
    }

    std::unique_ptr<CachingResolver> make(std::vector<std::string> servers, Duration try_timeout) {
        DnsSettings settings;
        settings.servers = std::move(servers);
        settings.try_timeout = try_timeout;
        settings.tries = 1;
        settings.trust_ad = DnsSettings::TrustAd::none;  // or it would probe
        return make_resolver(lane, settings).value();
    }

    DnsAnswer<MxRecord> mx(std::string_view name) {
        return run_task(context, resolver->find_mx(DomainName::parse(name).value()));
    }

    DnsAnswer<IpAddress> ipv4(std::string_view name) {
        return run_task(context, resolver->find_ipv4(DomainName::parse(name).value()));
    }

    DnsAnswer<std::string> txt(std::string_view name) {
        return run_task(context, resolver->find_txt(std::string(name)));
    }

    asio::io_context context{1};
    SystemClock clock;
    SystemRandom random;
    Lane lane;
    std::unique_ptr<CachingResolver> resolver;
};

// Answers each query over UDP with what the function makes of it: any number of packets.
class LyingServer {
  public:
    using Lie = std::function<std::vector<std::string>(const std::string& query)>;

    explicit LyingServer(Lie lie)
        : lie_(std::move(lie))
        , bound_(lab::bind_udp(kAnyPort))
        , thread_([this] { serve(); }) {}

    ~LyingServer() {
        stop_.set();
        thread_.join();
    }

    [[nodiscard]] std::string address() const { return bound_.endpoint.text(); }

  private:
    void serve() {
        const int socket = bound_.socket.number();
        std::array<char, 2048> octets;
        while (lab::wait_for(socket, lab::Direction::read, std::chrono::milliseconds(-1), &stop_) ==
               lab::Waited::ready) {
            sockaddr_storage peer{};
            socklen_t length = sizeof peer;
            auto* const from = reinterpret_cast<sockaddr*>(&peer);
            const auto count = ::recvfrom(socket, octets.data(), octets.size(), 0, from, &length);
            if (count <= 0) continue;
            for (const auto& packet :
                 lie_(std::string(octets.data(), static_cast<std::size_t>(count)))) {
                ::sendto(socket, packet.data(), packet.size(), 0, from, length);
            }
        }
    }

    Lie lie_;
    lab::Interrupt stop_;
    lab::Bound bound_;
    std::thread thread_;
};

std::string answer_with_address(const std::string& query, std::uint32_t address) {
    return Packet::answer_to(query, 0x8180, 1).pointer(12).record(1, 60, 4).u32(address).octets();
}

}  // namespace

TEST_CASE("The resolver reads every record type from a name server", "[dns][ares]") {
    const lab::DnsServer server(lab::Zone::parse(kZone), kAnyPort);
    Client client({server.endpoint().text()});

    CHECK(
        client.mx("contoso.com").records ==
        std::vector{MxRecord{10, "mail.contoso.com"}, MxRecord{20, "backup.contoso.com"}});
    CHECK(client.ipv4("mail.contoso.com").records.at(0).text() == "192.0.2.1");
    const auto ipv6 = run_task(
        client.context, client.resolver->find_ipv6(DomainName::parse("mail.contoso.com").value()));
    CHECK(ipv6.records.at(0).text() == "2001:db8::1");
    CHECK(client.txt("contoso.com").records == std::vector<std::string>{"v=spf1 mx -all"});
    CHECK(client.ipv4("www.contoso.com").records.at(0).text() == "192.0.2.1");
    CHECK(client.mx("null.contoso.com").records == std::vector{MxRecord{0, ""}});
    CHECK(client.mx("nowhere.contoso.com").status == DnsStatus::no_such_name);
    CHECK(client.mx("mail.contoso.com").status == DnsStatus::no_such_data);
    CHECK(server.queries().size() == 8);
}

TEST_CASE("An answer of 600 octets comes by UDP, because the query has EDNS", "[dns][ares]") {
    const lab::DnsServer server(lab::Zone::parse(kZone), kAnyPort);
    Client client({server.endpoint().text()});

    const auto answer = client.txt("big.contoso.com");

    CHECK(answer.records.at(0).size() == 540);
    CHECK(server.queries() == std::vector<std::string>{"udp TXT big.contoso.com"});
}

TEST_CASE("A truncated answer is asked for again by TCP", "[dns][ares]") {
    const lab::DnsServer server(lab::Zone::parse(kZone), kAnyPort);
    Client client({server.endpoint().text()});

    CHECK(client.mx("cut.contoso.com").records == std::vector{MxRecord{10, "mail.contoso.com"}});
    CHECK(
        server.queries() ==
        std::vector<std::string>{"udp MX cut.contoso.com", "tcp MX cut.contoso.com"});
}

TEST_CASE("SERVFAIL, REFUSED and silence are temporary, and say who failed how", "[dns][ares]") {
    const lab::DnsServer server(lab::Zone::parse(kZone), kAnyPort);
    const auto address = server.endpoint().text();
    Client client({address}, std::chrono::milliseconds(50));

    const auto broken = client.mx("broken.contoso.com");
    const auto refused = client.mx("refused.contoso.com");
    const auto silent = client.mx("silent.contoso.com");

    CHECK(broken.status == DnsStatus::temporary);
    CHECK(broken.detail == "SERVFAIL from " + address);
    CHECK(refused.detail == "REFUSED from " + address);
    CHECK(silent.status == DnsStatus::temporary);
    CHECK(silent.detail == "no answer from " + address);
}

TEST_CASE("The next name server is asked when one fails", "[dns][ares]") {
    const lab::DnsServer broken(lab::Zone::parse("contoso.com. SERVFAIL"), kAnyPort);
    const lab::DnsServer whole(lab::Zone::parse(kZone), kAnyPort);
    Client client({broken.endpoint().text(), whole.endpoint().text()});

    CHECK(client.mx("contoso.com").status == DnsStatus::found);
    CHECK(broken.queries().size() == 1);
    CHECK(whole.queries().size() == 1);
}

TEST_CASE("A name server that is not there is passed over", "[dns][ares]") {
    std::string closed;
    {
        const auto bound = lab::bind_udp(kAnyPort);
        closed = bound.endpoint.text();
    }
    const lab::DnsServer whole(lab::Zone::parse(kZone), kAnyPort);
    Client client({closed, whole.endpoint().text()}, std::chrono::milliseconds(100));

    CHECK(client.mx("contoso.com").status == DnsStatus::found);
}

TEST_CASE(
    "An answer with a wrong id or to another question is ignored; the right one is taken",
    "[dns][ares]") {
    const LyingServer liar([](const std::string& query) {
        auto wrong_id = answer_with_address(query, 0x0a000001);
        wrong_id[0] = static_cast<char>(wrong_id[0] ^ 1);
        auto wrong_question = answer_with_address(query, 0x0a000002);
        wrong_question[13] = 'x';
        return std::vector{wrong_id, wrong_question, answer_with_address(query, 0xc0000201)};
    });
    Client client({liar.address()});

    const auto answer = client.ipv4("contoso.com");

    REQUIRE(answer.records.size() == 1);
    CHECK(answer.records[0].text() == "192.0.2.1");
}

TEST_CASE("An answer that differs in the case of the question is not believed", "[dns][ares]") {
    const LyingServer liar([](const std::string& query) {
        auto packet = answer_with_address(query, 0x0a000001);
        packet[13] = 'C';
        return std::vector{packet};
    });
    Client client({liar.address()});

    CHECK(client.ipv4("contoso.com").status == DnsStatus::temporary);
}

TEST_CASE("A name server that does not know EDNS is asked without it", "[dns][ares][rfc6891]") {
    const LyingServer old([](const std::string& query) {
        if (query[11] != 0) return std::vector{Packet::answer_to(query, 0x8181, 0).octets()};
        return std::vector{answer_with_address(query, 0xc0000201)};
    });
    Client client({old.address()});

    for (const auto* const name : {"a.example", "b.example"}) {
        INFO(name);
        CHECK(client.ipv4(name).status == DnsStatus::found);
    }
}

TEST_CASE("A malformed answer is temporary", "[dns][ares]") {
    const LyingServer liar([](const std::string& query) {
        return std::vector{
            Packet::answer_to(query, 0x8180, 1).pointer(12).record(1, 60, 5).u32(1).octets()};
    });
    Client client({liar.address()});

    const auto answer = client.ipv4("contoso.com");

    CHECK(answer.status == DnsStatus::temporary);
    CHECK(answer.detail.starts_with("malformed answer"));
}

TEST_CASE("A whole query ends at its time limit, whatever c-ares still tries", "[dns][ares]") {
    const LyingServer silent([](const std::string&) { return std::vector<std::string>(); });
    asio::io_context context{1};
    SystemClock clock;
    SystemRandom random;
    Lane lane({context, clock, random, Log()});
    dns::AresChannel channel(
        lane,
        {{Endpoint::parse(silent.address()).value()},
         std::chrono::seconds(30),
         4,
         std::chrono::milliseconds(20)});

    const auto reply = run_task(context, channel.ask({"contoso.com", dns::RecordType::a}));

    CHECK_FALSE(reply.answered);
    CHECK(channel.in_flight() == 1);
    lane.stop();
    context.run();
    CHECK(channel.in_flight() == 0);
}

TEST_CASE("Stopping ends look-ups under way, and later ones do not start", "[dns][ares]") {
    const LyingServer silent([](const std::string&) { return std::vector<std::string>(); });
    asio::io_context context{1};
    SystemClock clock;
    SystemRandom random;
    Lane lane({context, clock, random, Log()});
    dns::AresChannel channel(lane, {{Endpoint::parse(silent.address()).value()}});
    lane.post([&channel] { channel.stop(); });

    const auto reply = run_task(context, channel.ask({"contoso.com", dns::RecordType::a}));
    const auto later = run_task(context, channel.ask({"contoso.com", dns::RecordType::a}));
    context.run();

    CHECK(reply.failure == "the resolver is stopped");
    CHECK(later.failure == "the resolver is stopped");
    CHECK(lane.tasks().live() == 0);
}

TEST_CASE("Many look-ups at once are all answered over one channel", "[dns][ares]") {
    const lab::DnsServer server(lab::Zone::parse("*.example A 192.0.2.7"), kAnyPort);
    Client client({server.endpoint().text()});
    int found = 0;

    struct LookUp {
        static Task<void> run(Resolver& resolver, DomainName name, int& found) {
            const auto answer = co_await resolver.find_ipv4(std::move(name));
            if (answer.status == DnsStatus::found) ++found;
        }
    };

    for (int i = 0; i < 200; ++i) {
        const auto name = DomainName::parse("n" + std::to_string(i) + ".example").value();
        client.lane.spawn("test", LookUp::run(*client.resolver, name, found));
    }
    while (found < 200 && client.context.run_one() > 0) {
    }

    CHECK(found == 200);
}

}  // namespace mailflow

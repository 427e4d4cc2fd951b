#include "dns/caching_resolver.hpp"

#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

#include <deque>

namespace mailflow {

namespace {

using dns::Answer;
using dns::CanonicalName;
using dns::ChannelReply;
using dns::Question;
using dns::RecordType;
using dns::ResourceRecord;
using dns::ResponseCode;
using dns::StartOfAuthority;
using std::chrono::seconds;

// Replies as the test wrote them down, in order, after a while; the last one again and again.
class ScriptedChannel final : public dns::Channel {
  public:
    explicit ScriptedChannel(Lane& lane)
        : lane_(lane) {}

    Task<ChannelReply> ask(Question question) override {
        asked.push_back(question.name + " " + name_of(question.type));
        const auto when = lane_.clock().monotonic() + Duration(10);
        co_await lane_.sleep_until(when);
        auto reply = replies.front();
        if (replies.size() > 1) replies.pop_front();
        co_return reply;
    }

    void stop() override {}

    std::deque<ChannelReply> replies;
    std::vector<std::string> asked;

  private:
    Lane& lane_;
};

DomainName domain(std::string_view text) {
    return DomainName::parse(text).value();
}

ResourceRecord mx(
    std::string name, std::uint16_t preference, std::string exchange, seconds ttl = seconds(300)) {
    return {std::move(name), RecordType::mx, ttl, MxRecord{preference, std::move(exchange)}};
}

ResourceRecord cname(std::string name, std::string target, seconds ttl = seconds(300)) {
    return {std::move(name), RecordType::cname, ttl, CanonicalName{std::move(target)}};
}

ResourceRecord address(std::string name, std::string_view text, seconds ttl = seconds(300)) {
    return {std::move(name), RecordType::a, ttl, IpAddress::parse(text).value()};
}

ResourceRecord soa(seconds ttl, seconds minimum) {
    return {"com", RecordType::soa, ttl, StartOfAuthority{minimum}};
}

ChannelReply reply(
    std::vector<ResourceRecord> answers,
    ResponseCode code = ResponseCode::no_error,
    std::vector<ResourceRecord> authority = {}) {
    ChannelReply made;
    made.answered = true;
    made.answer.code = code;
    made.answer.answers = std::move(answers);
    made.answer.authority = std::move(authority);
    return made;
}

ChannelReply silence(std::string why) {
    ChannelReply made;
    made.failure = std::move(why);
    return made;
}

struct Fixture {
    explicit Fixture(std::deque<ChannelReply> replies)
        : resolver(make()) {
        channel->replies = std::move(replies);
    }

    std::unique_ptr<CachingResolver> make() {
        auto made = std::make_unique<ScriptedChannel>(home.lane);
        channel = made.get();
        return std::make_unique<CachingResolver>(home.lane, std::move(made));
    }

    DnsAnswer<MxRecord> mx_of(std::string_view name) {
        return home.run(resolver->find_mx(domain(name)));
    }

    DnsAnswer<IpAddress> ipv4_of(std::string_view name) {
        return home.run(resolver->find_ipv4(domain(name)));
    }

    TestLane home;
    ScriptedChannel* channel = nullptr;
    std::unique_ptr<CachingResolver> resolver;
};

Task<void> look_up(Resolver& resolver, DomainName name, std::vector<DnsStatus>& statuses) {
    const auto answer = co_await resolver.find_mx(std::move(name));
    statuses.push_back(answer.status);
}

}  // namespace

TEST_CASE("An answer is asked for once while its TTL lasts", "[dns][resolver]") {
    Fixture dns({reply(
        {mx("contoso.com", 10, "a.contoso.com"),
         mx("contoso.com", 20, "b.contoso.com", seconds(60))})});

    const auto first = dns.mx_of("Contoso.com");
    dns.home.advance(seconds(59));
    const auto second = dns.mx_of("contoso.com");
    const auto asked_before = dns.channel->asked.size();
    dns.home.advance(seconds(2));
    const auto third = dns.mx_of("contoso.com");

    CHECK(first.status == DnsStatus::found);
    CHECK(
        first.records == std::vector{MxRecord{10, "a.contoso.com"}, MxRecord{20, "b.contoso.com"}});
    CHECK(first.ttl == seconds(60));
    CHECK(second.records == first.records);
    CHECK(asked_before == 1);
    CHECK(third.status == DnsStatus::found);
    CHECK(dns.channel->asked.size() == 2);
}

TEST_CASE("TTLs are kept within bounds", "[dns][resolver]") {
    Fixture zero({reply({mx("contoso.com", 10, "a.contoso.com", seconds(0))})});
    Fixture year({reply({mx("contoso.com", 10, "a.contoso.com", seconds(31'536'000))})});

    CHECK(zero.mx_of("contoso.com").ttl == dns::kMinTtl);
    CHECK(year.mx_of("contoso.com").ttl == dns::kMaxTtl);
}

TEST_CASE(
    "A name that does not exist is remembered as long as the SOA says",
    "[dns][resolver][rfc2308]") {
    const struct {
        std::vector<ResourceRecord> authority;
        seconds kept;
    } rows[] = {
        {{soa(seconds(300), seconds(60))}, seconds(60)},
        {{soa(seconds(30), seconds(60))}, seconds(30)},
        {{soa(seconds(86'400), seconds(86'400))}, dns::kMaxNegativeTtl},
        {{}, seconds(0)},
    };

    for (const auto& row : rows) {
        for (const auto code : {ResponseCode::no_such_name, ResponseCode::no_error}) {
            Fixture dns({reply({}, code, row.authority)});

            const auto answer = dns.mx_of("contoso.com");
            dns.mx_of("contoso.com");

            const bool exists = code == ResponseCode::no_error;
            CHECK(answer.status == (exists ? DnsStatus::no_such_data : DnsStatus::no_such_name));
            CHECK(answer.ttl == row.kept);
            CHECK_FALSE(answer.detail.empty());
            CHECK(dns.channel->asked.size() == (row.kept > seconds(0) ? 1 : 2));
        }
    }
}

TEST_CASE(
    "A failure is said to be temporary, with its reason, and asked again", "[dns][resolver]") {
    for (const auto code :
         {ResponseCode::server_failure,
          ResponseCode::refused,
          ResponseCode::format_error,
          ResponseCode::not_implemented}) {
        Fixture dns({reply({}, code), reply({mx("contoso.com", 10, "a.contoso.com")})});

        const auto first = dns.mx_of("contoso.com");
        const auto second = dns.mx_of("contoso.com");

        CHECK(first.status == DnsStatus::temporary);
        CHECK(first.detail == name_of(code) + " for contoso.com");
        CHECK(second.status == DnsStatus::found);
    }
    Fixture silent({silence("no answer from 192.0.2.1:53")});
    CHECK(silent.mx_of("contoso.com").detail == "no answer from 192.0.2.1:53");
}

TEST_CASE("A referral is a failure of the server, not a name without data", "[dns][resolver]") {
    const ResourceRecord ns{"com", RecordType::ns, seconds(300), {}};
    Fixture dns({reply({}, ResponseCode::no_error, {ns})});

    CHECK(dns.mx_of("contoso.com").status == DnsStatus::temporary);
}

TEST_CASE("Equal look-ups under way share one query, and all get its answer", "[dns][resolver]") {
    Fixture dns({reply({mx("contoso.com", 10, "a.contoso.com")})});
    std::vector<DnsStatus> statuses;

    for (int i = 0; i < 20; ++i) {
        dns.home.lane.spawn("test", look_up(*dns.resolver, domain("contoso.com"), statuses));
    }
    dns.home.lane.spawn("test", look_up(*dns.resolver, domain("fabrikam.com"), statuses));
    dns.home.advance(seconds(1));

    CHECK(statuses.size() == 21);
    CHECK(dns.channel->asked == std::vector<std::string>{"contoso.com MX", "fabrikam.com MX"});
    CHECK(dns.resolver->counters().joined == 19);
}

TEST_CASE("Types of one name are looked up apart", "[dns][resolver]") {
    Fixture dns(
        {reply({address("contoso.com", "192.0.2.1"), mx("contoso.com", 5, "a.contoso.com")})});

    CHECK(dns.mx_of("contoso.com").records.size() == 1);
    CHECK(dns.ipv4_of("contoso.com").records.size() == 1);
    CHECK(dns.channel->asked == std::vector<std::string>{"contoso.com MX", "contoso.com A"});
}

TEST_CASE(
    "A CNAME chain inside one answer is followed, records of other names are left",
    "[dns][resolver]") {
    Fixture dns({reply(
        {address("stray.example", "192.0.2.66"),
         cname("www.contoso.com", "a.example", seconds(30)),
         cname("a.example", "b.example"),
         address("b.example", "192.0.2.1")})});

    const auto answer = dns.ipv4_of("www.contoso.com");

    CHECK(answer.records == std::vector{IpAddress::parse("192.0.2.1").value()});
    CHECK(answer.ttl == seconds(30));
    CHECK(dns.channel->asked.size() == 1);
}

TEST_CASE("A CNAME whose target is not in the answer is asked for next", "[dns][resolver]") {
    Fixture dns(
        {reply({cname("www.contoso.com", "a.example")}),
         reply({address("a.example", "192.0.2.1")})});

    CHECK(dns.ipv4_of("www.contoso.com").status == DnsStatus::found);
    CHECK(dns.channel->asked == std::vector<std::string>{"www.contoso.com A", "a.example A"});
}

TEST_CASE("A CNAME to nowhere ends as its target does", "[dns][resolver]") {
    Fixture gone({reply({cname("www.contoso.com", "a.example")}, ResponseCode::no_such_name)});
    Fixture empty({reply(
        {cname("www.contoso.com", "a.example")},
        ResponseCode::no_error,
        {soa(seconds(60), seconds(60))})});

    CHECK(gone.ipv4_of("www.contoso.com").status == DnsStatus::no_such_name);
    CHECK(empty.ipv4_of("www.contoso.com").status == DnsStatus::no_such_data);
    CHECK(empty.channel->asked.size() == 1);
}

TEST_CASE("CNAME loops and long chains end as a failure", "[dns][resolver]") {
    Fixture loop({reply({cname("a.example", "b.example"), cname("b.example", "a.example")})});
    Fixture self({reply({cname("a.example", "a.example")})});
    std::deque<ChannelReply> links;
    for (int i = 0; i < 20; ++i) {
        links.push_back(reply({cname(
            "n" + std::to_string(i) + ".example", "n" + std::to_string(i + 1) + ".example")}));
    }
    Fixture chain(std::move(links));

    CHECK(loop.ipv4_of("a.example").status == DnsStatus::temporary);
    CHECK(self.ipv4_of("a.example").status == DnsStatus::temporary);
    CHECK(chain.ipv4_of("n0.example").status == DnsStatus::temporary);
    CHECK(chain.channel->asked.size() == dns::kMaxCnameDepth + 1);
}

TEST_CASE("TXT records may stand under names that no host has", "[dns][resolver]") {
    const ResourceRecord txt{
        "_dmarc.contoso.com", RecordType::txt, seconds(60), std::string("v=DMARC1")};
    Fixture dns({reply({txt})});

    const auto answer = dns.home.run(dns.resolver->find_txt("_DMARC.Contoso.com."));

    CHECK(answer.records == std::vector<std::string>{"v=DMARC1"});
}

}  // namespace mailflow

// What of DNSSEC the resolver believes, and whom.
#include "dns/caching_resolver.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

#include <map>

namespace mailflow {

namespace {

using dns::ChannelReply;
using dns::judge_server;
using dns::Question;
using dns::RecordType;
using dns::ResponseCode;
using dns::ServerProof;
using std::chrono::seconds;

ChannelReply answered(ResponseCode code, bool authentic) {
    ChannelReply reply;
    reply.answered = true;
    reply.answer.code = code;
    reply.answer.authentic = authentic;
    return reply;
}

ChannelReply unanswered(std::string failure) {
    ChannelReply reply;
    reply.failure = std::move(failure);
    return reply;
}

const auto kSecure = answered(ResponseCode::no_error, true);
const auto kInsecure = answered(ResponseCode::no_error, false);
const auto kBogus = unanswered("SERVFAIL from 127.0.0.1:53");
const auto kSilence = unanswered("no answer from 127.0.0.1:53");

// Answers at once, by name.
class TableChannel final : public dns::Channel {
  public:
    Task<ChannelReply> ask(Question question) override {
        asked.push_back(question.name + " " + name_of(question.type));
        auto reply = table[question.name];
        co_return reply;
    }

    void stop() override {}

    std::map<std::string, ChannelReply> table;
    std::vector<std::string> asked;
};

ChannelReply record(dns::ResourceRecord record, bool authentic) {
    auto reply = answered(ResponseCode::no_error, authentic);
    reply.answer.answers.push_back(std::move(record));
    return reply;
}

struct Fixture {
    TestLane test;
    TableChannel* channel = nullptr;
    TableChannel* probed = nullptr;
    std::unique_ptr<CachingResolver> resolver;

    Fixture() {
        auto own = std::make_unique<TableChannel>();
        channel = own.get();
        resolver = std::make_unique<CachingResolver>(test.lane, std::move(own));
    }

    void prove(ChannelReply secure, ChannelReply bogus) {
        auto own = std::make_unique<TableChannel>();
        probed = own.get();
        probed->table = {{"good.example", std::move(secure)}, {"bad.example", std::move(bogus)}};
        std::vector<std::unique_ptr<dns::Channel>> servers;
        servers.push_back(std::move(own));
        resolver->prove_dnssec(std::make_unique<dns::DnssecProver>(
            test.lane, std::move(servers), dns::ProbeZones{"good.example", "bad.example"}));
        test.poll();
    }

    DnsAnswer<TlsaRecord> tlsa(const std::string& name) {
        return test.run(resolver->find_tlsa(name));
    }
};

const TlsaRecord kRecord{3, 1, 1, std::string(32, 'a')};

}  // namespace

TEST_CASE("A server validates when good has AD and bad is refused", "[dns][dnssec]") {
    struct Row {
        ChannelReply secure;
        ChannelReply bogus;
        ServerProof expected;
    };

    const std::vector<Row> table{
        {kSecure, kBogus, ServerProof::validates},
        {kSecure, answered(ResponseCode::server_failure, false), ServerProof::validates},
        {kInsecure, kBogus, ServerProof::accepts_anything},
        {kSecure, kInsecure, ServerProof::accepts_anything},
        {kSecure, kSecure, ServerProof::accepts_anything},
        {kInsecure, kInsecure, ServerProof::accepts_anything},
        {kSecure, kSilence, ServerProof::silent},
        {kSecure, answered(ResponseCode::no_such_name, true), ServerProof::silent},
        {kSilence, kSilence, ServerProof::silent},
        {kBogus, kBogus, ServerProof::silent},
    };

    for (std::size_t i = 0; i < table.size(); ++i) {
        INFO("row " << i);
        CHECK(judge_server(table[i].secure, table[i].bogus) == table[i].expected);
    }
}

TEST_CASE("Nobody's AD counts until the servers are proven", "[dns][dnssec]") {
    Fixture f;
    f.channel->table["_25._tcp.mail.contoso.com"] =
        record({"_25._tcp.mail.contoso.com", RecordType::tlsa, seconds(300), kRecord}, true);

    CHECK(f.resolver->dnssec() == DnssecTrust::untrusted);
    CHECK(!f.tlsa("_25._tcp.mail.contoso.com").authentic);
    CHECK(!f.resolver->dnssec_detail().empty());
    f.prove(kInsecure, kBogus);
    CHECK(f.resolver->dnssec() == DnssecTrust::unproven);
    CHECK(!f.tlsa("_25._tcp.mail.contoso.com").authentic);

    f.probed->table["good.example"] = kSecure;
    f.test.advance(seconds(6));

    CHECK(f.resolver->dnssec() == DnssecTrust::proven);
    CHECK(f.resolver->dnssec_detail().empty());
    const auto answer = f.tlsa("_25._tcp.mail.contoso.com");
    CHECK(answer.authentic);
    CHECK(answer.records == std::vector{kRecord});
    CHECK(answer.canonical_name.empty());
    f.resolver->stop();
    f.test.lane.stop();
    f.test.poll();
}

TEST_CASE("Proof is asked for again, sooner after a failure", "[dns][dnssec]") {
    Fixture f;
    f.prove(kSecure, kBogus);
    REQUIRE(f.resolver->dnssec() == DnssecTrust::proven);
    f.probed->table["bad.example"] = kInsecure;

    f.test.advance(seconds(60));
    CHECK(f.resolver->dnssec() == DnssecTrust::proven);
    f.channel->table["_25._tcp.gone.example"] = kBogus;
    CHECK(f.tlsa("_25._tcp.gone.example").status == DnsStatus::temporary);
    f.test.advance(seconds(61));

    CHECK(f.resolver->dnssec() == DnssecTrust::unproven);
    f.resolver->stop();
    f.test.lane.stop();
    f.test.poll();
}

TEST_CASE("A chain is authentic when each of its answers is", "[dns][dnssec]") {
    for (const bool all : {true, false}) {
        Fixture f;
        f.prove(kSecure, kBogus);
        f.channel->table["alias.contoso.com"] = record(
            {"alias.contoso.com",
             RecordType::cname,
             seconds(300),
             dns::CanonicalName{"mail.fabrikam.com"}},
            true);
        f.channel->table["mail.fabrikam.com"] = record(
            {"mail.fabrikam.com",
             RecordType::a,
             seconds(300),
             IpAddress::parse("192.0.2.1").value()},
            all);

        const auto answer =
            f.test.run(f.resolver->find_ipv4(DomainName::parse("alias.contoso.com").value()));

        CHECK(answer.authentic == all);
        CHECK(answer.canonical_name == "mail.fabrikam.com");
        const auto again =
            f.test.run(f.resolver->find_ipv4(DomainName::parse("alias.contoso.com").value()));
        CHECK(again.authentic == all);
        CHECK(again.canonical_name == "mail.fabrikam.com");
        f.resolver->stop();
        f.test.lane.stop();
        f.test.poll();
    }
}

}  // namespace mailflow

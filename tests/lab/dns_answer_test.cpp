// Read back by the product's decoder: two programs written apart that must agree.
#include "tests/lab/dns_answer.hpp"

#include "dns/message.hpp"

#include <catch2/catch.hpp>

namespace mailflow::lab {

namespace {

const Zone& zone() {
    static const auto kZone = Zone::parse(
        "contoso.com MX 10 mail.contoso.com\n"
        "contoso.com MX 20 backup.contoso.com\n"
        "null.test MX 0 .\n"
        "mail.contoso.com A 192.0.2.1\n"
        "www.contoso.com CNAME alias.contoso.com\n"
        "alias.contoso.com CNAME mail.contoso.com\n"
        "lost.contoso.com CNAME nowhere.contoso.com\n"
        "loop.contoso.com CNAME loop.contoso.com\n"
        "bad.test SERVFAIL\nno.test REFUSED\nquiet.test DROP\ncut.test TRUNCATE\ncut.test A "
        "192.0.2.1\n");
    return kZone;
}

std::string query(std::string_view name, dns::RecordType type, dns::Edns edns = dns::Edns::with) {
    return dns::encode_query(7, {std::string(name), type}, edns).value();
}

dns::Answer ask(std::string_view name, dns::RecordType type, Transport transport = Transport::udp) {
    const auto packet = query(name, type);
    const auto answer = answer_query(zone(), packet, transport);
    REQUIRE(answer);
    return dns::decode_answer(*answer, packet).value();
}

}  // namespace

TEST_CASE("The lab answers with what its zone holds", "[lab][dns]") {
    const auto mx = ask("contoso.com", dns::RecordType::mx);

    REQUIRE(mx.answers.size() == 2);
    CHECK(std::get<MxRecord>(mx.answers[1].data) == MxRecord{20, "backup.contoso.com"});
    CHECK(mx.has_edns);
    CHECK(std::get<MxRecord>(ask("null.test", dns::RecordType::mx).answers.at(0).data)
              .exchange.empty());
}

TEST_CASE("The lab gives whole CNAME chains, and the code of their end", "[lab][dns]") {
    const auto found = ask("www.contoso.com", dns::RecordType::a);
    const auto lost = ask("lost.contoso.com", dns::RecordType::a);

    REQUIRE(found.answers.size() == 3);
    CHECK(found.answers[2].name == "mail.contoso.com");
    CHECK(lost.code == dns::ResponseCode::no_such_name);
    CHECK(lost.answers.size() == 1);
    CHECK(ask("loop.contoso.com", dns::RecordType::a).answers.size() > 1);
    CHECK(ask("www.contoso.com", dns::RecordType::cname).answers.size() == 1);
}

TEST_CASE("A negative answer of the lab has a SOA", "[lab][dns]") {
    const auto absent = ask("nowhere.test", dns::RecordType::a);
    const auto empty = ask("mail.contoso.com", dns::RecordType::mx);

    CHECK(absent.code == dns::ResponseCode::no_such_name);
    CHECK(absent.authority.at(0).type == dns::RecordType::soa);
    CHECK(empty.code == dns::ResponseCode::no_error);
    CHECK(empty.authority.at(0).type == dns::RecordType::soa);
}

TEST_CASE("Markers of the zone become codes, silence and truncation", "[lab][dns]") {
    CHECK(ask("bad.test", dns::RecordType::a).code == dns::ResponseCode::server_failure);
    CHECK(ask("no.test", dns::RecordType::a).code == dns::ResponseCode::refused);
    CHECK_FALSE(answer_query(zone(), query("quiet.test", dns::RecordType::a), Transport::udp));
    CHECK(ask("cut.test", dns::RecordType::a).truncated);
    CHECK(ask("cut.test", dns::RecordType::a, Transport::tcp).answers.size() == 1);
}

TEST_CASE("An answer larger than the querier takes is truncated by UDP", "[lab][dns]") {
    std::string text;
    for (int i = 0; i < 60; ++i)
        text += "many.test A 192.0.2." + std::to_string(i) + "\n";
    const auto many = Zone::parse(text);
    const auto flags_of = [&many](dns::Edns edns, Transport transport) {
        const auto packet = query("many.test", dns::RecordType::a, edns);
        return dns::decode_answer(*answer_query(many, packet, transport), packet).value();
    };

    CHECK(flags_of(dns::Edns::without, Transport::udp).truncated);
    CHECK(flags_of(dns::Edns::with, Transport::udp).answers.size() == 60);
    CHECK(flags_of(dns::Edns::without, Transport::tcp).answers.size() == 60);
}

TEST_CASE("What is no query gets no answer, or FORMERR", "[lab][dns]") {
    const auto packet = query("contoso.com", dns::RecordType::a);

    for (std::size_t length = 0; length < packet.size(); ++length) {
        static_cast<void>(
            answer_query(zone(), std::string_view(packet).substr(0, length), Transport::udp));
    }
    auto response = packet;
    response[2] = static_cast<char>(0x80);
    CHECK_FALSE(answer_query(zone(), response, Transport::udp));
    CHECK_FALSE(answer_query(zone(), "", Transport::udp));
    CHECK((answer_query(zone(), packet.substr(0, 14), Transport::udp)->at(3) & 0xf) == 1);
}

}  // namespace mailflow::lab

#include "dns/message.hpp"

#include "dns/limits.hpp"
#include "tests/dns/packet.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

namespace mailflow::dns {

namespace {

using testing::Packet;

constexpr unsigned kAnswer = 0x8180;  // response, recursion desired and available
constexpr unsigned kQuestionName = 12;

std::string query_for(std::string_view name, RecordType type) {
    return encode_query(0x1234, Question{std::string(name), type}).value();
}

// MX 10 mail.contoso.com, and its address as an additional record that nobody asked for.
std::string mx_answer(std::string_view query) {
    auto packet = Packet::answer_to(query, kAnswer, 1, 0, 2);
    packet.pointer(kQuestionName)
        .record(15, 300, 9)
        .u16(10)
        .u8(4)
        .raw("MAIL")
        .pointer(kQuestionName);
    packet.name("mail.contoso.com").record(1, 300, 4).u32(0xc0000201);
    packet.u8(0).u16(41).u16(1232).u32(0).u16(0);
    return packet.octets();
}

ErrorCode error_of(const std::string& packet, const std::string& query) {
    const auto decoded = decode_answer(packet, query);
    return decoded ? ErrorCode() : decoded.error();
}

// An answer with one record at the end, whose data is given.
std::string one_record(std::string_view query, RecordType type, std::string_view data) {
    auto packet = Packet::answer_to(query, kAnswer, 1);
    packet.pointer(kQuestionName).record(static_cast<unsigned>(type), 60, data.size()).raw(data);
    return packet.octets();
}

}  // namespace

TEST_CASE("A query asks one question, with recursion, and ends with the OPT record", "[dns]") {
    const auto query = encode_query(0xabcd, Question{"Contoso.com", RecordType::mx}).value();

    Packet expected;
    expected.u16(0xabcd).u16(0x0120).u16(1).u16(0).u16(0).u16(1);
    expected.name("Contoso.com").u16(15).u16(1);
    expected.u8(0).u16(41).u16(1232).u32(0).u16(0);
    CHECK(query == expected.octets());
}

TEST_CASE("Without EDNS a query ends with its question", "[dns]") {
    const auto with = encode_query(1, Question{"contoso.com", RecordType::a}).value();
    const auto without =
        encode_query(1, Question{"contoso.com", RecordType::a}, Edns::without).value();

    CHECK(without.size() == with.size() - 11);
    CHECK(without.substr(12) == with.substr(12, without.size() - 12));
    CHECK(without[11] == 0);
}

TEST_CASE("What is no domain name cannot be asked for", "[dns]") {
    const std::string longest_label(63, 'a');
    const std::string four = longest_label + "." + longest_label + "." + longest_label;

    CHECK(encode_query(1, {longest_label + ".com", RecordType::a}));
    CHECK(encode_query(1, {"_dmarc.contoso.com.", RecordType::txt}));
    CHECK(encode_query(1, {four + "." + std::string(61, 'a'), RecordType::a}));
    CHECK_FALSE(encode_query(1, {four + "." + std::string(62, 'a'), RecordType::a}));
    CHECK_FALSE(encode_query(1, {longest_label + "a.com", RecordType::a}));
    CHECK_FALSE(encode_query(1, {"a..com", RecordType::a}));
    CHECK_FALSE(encode_query(1, {"", RecordType::a}));
    CHECK_FALSE(encode_query(1, {std::string("a\0b", 3), RecordType::a}));
}

TEST_CASE("An answer yields its records with names in lower case", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::mx);

    const auto answer = decode_answer(mx_answer(query), query).value();

    CHECK(answer.code == ResponseCode::no_error);
    CHECK(answer.has_edns);
    CHECK_FALSE(answer.truncated);
    REQUIRE(answer.answers.size() == 1);
    CHECK(answer.answers[0].name == "contoso.com");
    CHECK(answer.answers[0].ttl == std::chrono::seconds(300));
    CHECK(std::get<MxRecord>(answer.answers[0].data) == MxRecord{10, "mail.contoso.com"});
}

TEST_CASE("Each record type is read as its RFC says", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::a);
    const auto data_of = [&query](RecordType type, const Packet& data) {
        return decode_answer(one_record(query, type, data.octets()), query)
            .value()
            .answers.at(0)
            .data;
    };

    CHECK(
        std::get<IpAddress>(data_of(RecordType::a, Packet().u32(0xc0000207))).text() ==
        "192.0.2.7");
    CHECK(
        std::get<IpAddress>(
            data_of(RecordType::aaaa, Packet().u32(0x20010db8).u32(0).u32(0).u32(1)))
            .text() == "2001:db8::1");
    CHECK(
        std::get<CanonicalName>(data_of(RecordType::cname, Packet().name("Other.Example")))
            .target == "other.example");
    CHECK(
        std::get<std::string>(
            data_of(RecordType::txt, Packet().u8(3).raw("v=s").u8(0).u8(2).raw("pf"))) == "v=spf");
    CHECK(std::get<MxRecord>(data_of(RecordType::mx, Packet().u16(0).u8(0))) == MxRecord{0, ""});
    const auto soa =
        data_of(RecordType::soa, Packet().name("ns").u8(0).u32(1).u32(2).u32(3).u32(4).u32(77));
    CHECK(std::get<StartOfAuthority>(soa).minimum == std::chrono::seconds(77));
    CHECK(std::holds_alternative<std::monostate>(
        data_of(RecordType::ns, Packet().name("ns.contoso.com"))));
    CHECK(std::holds_alternative<std::monostate>(
        data_of(static_cast<RecordType>(65), Packet().raw("anything"))));
}

TEST_CASE("A TTL with its top bit set is zero", "[dns][rfc2181]") {
    const auto query = query_for("contoso.com", RecordType::a);
    auto packet = Packet::answer_to(query, kAnswer, 1);
    packet.pointer(kQuestionName).record(1, 0x8000'0001, 4).u32(0xc0000201);

    const auto answer = decode_answer(packet.octets(), query).value();

    CHECK(answer.answers[0].ttl == std::chrono::seconds(0));
}

TEST_CASE("An answer to something else is not taken", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::mx);
    const auto right = mx_answer(query);
    const auto changed = [&right](std::size_t at, char to) {
        auto packet = right;
        packet[at] = to;
        return packet;
    };

    CHECK_FALSE(error_of(right, query));
    const auto other_id = static_cast<char>(right[1] ^ 1);
    CHECK(error_of(changed(1, other_id), query) == Error::conflict);     // id
    CHECK(error_of(changed(13, 'C'), query) == Error::conflict);         // byte for byte: case too
    CHECK(error_of(changed(14, 'x'), query) == Error::conflict);         // name
    CHECK(error_of(changed(12 + 13 + 1, 1), query) == Error::conflict);  // type
    CHECK(error_of(changed(12 + 13 + 3, 3), query) == Error::conflict);  // class
    CHECK(error_of(changed(2, 0x01), query) == Error::conflict);         // a query
    CHECK(
        error_of(changed(2, static_cast<char>(0xa1)), query) == Error::conflict);  // another opcode
    CHECK(error_of(changed(5, 0), query) == Error::conflict);                      // no question
    CHECK(error_of(changed(5, 2), query) == Error::conflict);                      // two
}

TEST_CASE("An answer cut off at any octet is refused, never misread", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::mx);
    const auto whole = mx_answer(query);

    for (std::size_t length = 0; length < whole.size(); ++length) {
        INFO(length);
        CHECK_FALSE(decode_answer(std::string_view(whole).substr(0, length), query).has_value());
    }
    CHECK(decode_answer(whole, query).has_value());
}

TEST_CASE("An answer with any one octet changed is read or refused, within bounds", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::mx);
    const auto whole = mx_answer(query);

    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (unsigned octet = 0; octet < 256; ++octet) {
            auto packet = whole;
            packet[at] = static_cast<char>(octet);
            const auto answer = decode_answer(packet, query);
            if (answer && !answer->answers.empty()) {
                CHECK(answer->answers.size() <= kMaxRecords);
            }
        }
    }
}

TEST_CASE("Compression pointers that do not lead back are refused", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::a);
    const auto head = Packet::answer_to(query, kAnswer, 1);
    const auto owner_at = static_cast<unsigned>(head.octets().size());
    const auto with_owner = [&head](const Packet& owner) {
        auto packet = head;
        return packet.raw(owner.octets()).record(1, 60, 4).u32(0).octets();
    };

    CHECK_FALSE(error_of(with_owner(Packet().pointer(kQuestionName)), query));
    CHECK(error_of(with_owner(Packet().pointer(owner_at)), query) == Error::corrupt);  // to itself
    CHECK(
        error_of(with_owner(Packet().pointer(owner_at + 2)), query) == Error::corrupt);  // forward
    CHECK(
        error_of(with_owner(Packet().u8(1).raw("a").pointer(owner_at)), query) ==
        Error::corrupt);                                                             // a loop
    CHECK(error_of(with_owner(Packet().pointer(0x3fff)), query) == Error::corrupt);  // outside
    CHECK(
        error_of(with_owner(Packet().u8(0x80).u8(0)), query) ==
        Error::corrupt);  // RFC 1035: reserved
    CHECK(error_of(with_owner(Packet().u8(0x40).u8(0)), query) == Error::corrupt);
}

TEST_CASE("A name longer than 255 octets after decompression is refused", "[dns]") {
    const std::string label(63, 'a');
    const auto query = query_for(label + "." + label + "." + label, RecordType::a);
    auto packet = Packet::answer_to(query, kAnswer, 1);
    packet.u8(63).raw(label).pointer(kQuestionName).record(1, 60, 4).u32(0);

    CHECK(error_of(packet.octets(), query) == Error::corrupt);
}

TEST_CASE("Record data that does not fill its length is refused", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::a);

    const struct {
        RecordType type;
        Packet data;
    } bad[] = {
        {RecordType::a, Packet().u16(1)},
        {RecordType::a, Packet().u32(1).u8(0)},
        {RecordType::aaaa, Packet().u32(1)},
        {RecordType::mx, Packet().u8(0)},
        {RecordType::mx, Packet().u16(10)},
        {RecordType::mx, Packet().u16(10).u8(0).u8(0)},
        {RecordType::cname, Packet().u8(3).raw("ab")},
        {RecordType::txt, Packet().u8(3).raw("ab")},
        {RecordType::soa, Packet().u8(0).u8(0).u32(1)},
    };

    for (const auto& row : bad) {
        INFO(name_of(row.type));
        CHECK(error_of(one_record(query, row.type, row.data.octets()), query) == Error::corrupt);
    }
}

TEST_CASE("Of very many records only the first hundred are kept", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::a);
    auto packet = Packet::answer_to(query, kAnswer, 1000);
    for (unsigned i = 0; i < 1000; ++i)
        packet.pointer(kQuestionName).record(1, 60, 4).u32(i);

    const auto answer = decode_answer(packet.octets(), query).value();

    CHECK(answer.answers.size() == kMaxRecords);
}

TEST_CASE("A TXT record over its bound is refused", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::txt);
    Packet data;
    for (std::size_t octets = 0; octets <= kMaxTextOctets; octets += 255)
        data.u8(255).raw(std::string(255, 't'));

    CHECK(error_of(one_record(query, RecordType::txt, data.octets()), query) == Error::corrupt);
}

TEST_CASE("Octets that are no text are written so that names stay different", "[dns]") {
    const auto query = query_for("contoso.com", RecordType::cname);
    const auto target = [&query](std::string_view label) {
        const auto data = Packet().u8(static_cast<unsigned>(label.size())).raw(label).u8(0);
        const auto answer =
            decode_answer(one_record(query, RecordType::cname, data.octets()), query).value();
        return std::get<CanonicalName>(answer.answers.at(0).data).target;
    };

    CHECK(target("a.b") == "a\\046b");
    CHECK(target("a\\b") == "a\\092b");
    CHECK(target(std::string_view("a\0b", 3)) == "a\\000b");
    CHECK(target("a b\x7f") == "a\\032b\\127");
}

TEST_CASE("The response code is whole with the bits of the OPT record", "[dns][rfc6891]") {
    const auto query = query_for("contoso.com", RecordType::a);
    auto packet = Packet::answer_to(query, kAnswer | 3, 0, 0, 1);
    packet.u8(0).u16(41).u16(1232).u32(0x0100'0000).u16(0);

    const auto answer = decode_answer(packet.octets(), query).value();

    CHECK(static_cast<unsigned>(answer.code) == 0x13);
    CHECK(name_of(answer.code) == "RCODE19");
}

TEST_CASE("A TLSA record has three octets and what they are about", "[dns][rfc6698]") {
    const auto query = query_for("_25._tcp.mail.contoso.com", RecordType::tlsa);
    const std::string digest(32, '\xaa');

    const auto answer = decode_answer(
        one_record(query, RecordType::tlsa, std::string("\x03\x01\x01", 3) + digest), query);

    REQUIRE(answer.has_value());
    REQUIRE(answer->answers.size() == 1);
    CHECK(std::get<TlsaRecord>(answer->answers[0].data) == TlsaRecord{3, 1, 1, digest});
    CHECK(name_of(RecordType::tlsa) == "TLSA");
}

TEST_CASE("TLSA data too short or beyond all measure is malformed", "[dns][rfc6698]") {
    const auto query = query_for("_25._tcp.mail.contoso.com", RecordType::tlsa);
    const std::string head("\x03\x01\x01", 3);

    CHECK(
        error_of(one_record(query, RecordType::tlsa, head.substr(0, 2)), query) == Error::corrupt);
    CHECK(!error_of(one_record(query, RecordType::tlsa, head), query));
    const std::string most(kMaxTlsaOctets, 'x');
    CHECK(!error_of(one_record(query, RecordType::tlsa, head + most), query));
    CHECK(
        error_of(one_record(query, RecordType::tlsa, head + most + "x"), query) == Error::corrupt);
}

}  // namespace mailflow::dns

#include "dns/message.hpp"

#include "dns/limits.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace mailflow::dns {

namespace {

constexpr std::size_t kHeaderOctets = 12;
constexpr std::uint16_t kClassIn = 1;

// RFC 1035 §4.1.1, RFC 4035 §3.2.3.
constexpr std::uint16_t kFlagResponse = 0x8000;
constexpr std::uint16_t kFlagTruncated = 0x0200;
constexpr std::uint16_t kFlagRecursionDesired = 0x0100;
constexpr std::uint16_t kFlagAuthentic = 0x0020;
constexpr std::uint16_t kMaskOpcode = 0x7800;
constexpr std::uint16_t kMaskResponseCode = 0x000f;

void put16(std::string& out, unsigned value) {
    out.push_back(static_cast<char>((value >> 8) & 0xff));
    out.push_back(static_cast<char>(value & 0xff));
}

bool put_name(std::string& out, std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    const auto start = out.size();
    for (const auto label : ascii::split(name, '.')) {
        if (label.empty() || label.size() > kMaxLabelOctets || label.find('\0') != label.npos)
            return false;
        out.push_back(static_cast<char>(label.size()));
        out.append(label);
    }
    out.push_back('\0');
    return out.size() - start <= kMaxNameOctets;
}

// Appends one label as text. A dot inside a label or an octet that is not printable becomes \DDD
// (RFC 1035 §5.1), so that no two different names have one text.
void append_label(std::string& out, std::string_view label) {
    for (const char c : label) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet > 0x20 && octet < 0x7f && c != '.' && c != '\\') {
            out.push_back(ascii::to_lower(c));
            continue;
        }
        out.push_back('\\');
        out.push_back(static_cast<char>('0' + octet / 100));
        out.push_back(static_cast<char>('0' + octet / 10 % 10));
        out.push_back(static_cast<char>('0' + octet % 10));
    }
}

// Walks over a packet; the first read past its end makes every later one fail.
class Reader {
  public:
    explicit Reader(std::string_view packet, std::size_t at = 0) noexcept
        : packet_(packet)
        , at_(at) {}

    [[nodiscard]] bool failed() const noexcept { return failed_; }

    [[nodiscard]] std::size_t at() const noexcept { return at_; }

    std::uint16_t take16() noexcept {
        const auto bytes = take(2);
        if (failed_) return 0;
        return static_cast<std::uint16_t>((octet(bytes[0]) << 8) | octet(bytes[1]));
    }

    std::uint32_t take32() noexcept {
        const std::uint32_t high = take16();
        return (high << 16) | take16();
    }

    std::string_view take(std::size_t count) noexcept {
        if (failed_ || count > packet_.size() - at_) {
            failed_ = true;
            return {};
        }
        const auto bytes = packet_.substr(at_, count);
        at_ += count;
        return bytes;
    }

    std::string take_name();

  private:
    static unsigned octet(char c) noexcept { return static_cast<unsigned char>(c); }

    std::string_view packet_;
    std::size_t at_;
    bool failed_ = false;
};

// RFC 1035 §4.1.4. A pointer must point before the name it stands in, each one further back than
// the last: so a chain of pointers ends, whatever they say.
std::string Reader::take_name() {
    std::string text;
    std::size_t octets = 1;
    std::size_t position = at_;
    std::size_t lowest = at_;
    std::optional<std::size_t> after;
    while (!failed_) {
        if (position >= packet_.size()) break;
        const unsigned length = octet(packet_[position]);
        if (length == 0) {
            at_ = after.value_or(position + 1);
            return text;
        }
        if ((length & 0xc0) == 0xc0) {
            if (position + 1 >= packet_.size()) break;
            const std::size_t target = ((length & 0x3f) << 8) | octet(packet_[position + 1]);
            if (target >= lowest) break;
            if (!after) after = position + 2;
            lowest = target;
            position = target;
            continue;
        }
        octets += length + 1;
        if (length > kMaxLabelOctets || octets > kMaxNameOctets) break;
        if (packet_.size() - position - 1 < length) break;
        if (!text.empty()) text.push_back('.');
        append_label(text, packet_.substr(position + 1, length));
        position += length + 1;
    }
    failed_ = true;
    return {};
}

// RFC 2181 §8: a TTL with the top bit set is zero.
std::chrono::seconds ttl_of(std::uint32_t wire) noexcept {
    return std::chrono::seconds((wire & 0x8000'0000U) != 0 ? 0 : wire);
}

IpAddress address_of(std::string_view data) {
    if (data.size() == 4) {
        std::uint32_t value = 0;
        for (const char c : data)
            value = (value << 8) | static_cast<unsigned char>(c);
        return IpAddress::v4(value);
    }
    IpAddress::Bytes bytes{};
    std::transform(data.begin(), data.end(), bytes.begin(), [](char c) {
        return static_cast<std::uint8_t>(c);
    });
    return IpAddress::v6(bytes);
}

// RFC 1035 §3.3.14: one or more character-strings; what mail keeps in TXT is their concatenation
// (RFC 7208 §3.3).
std::optional<RecordData> text_of(std::string_view data) {
    std::string text;
    while (!data.empty()) {
        const std::size_t length = static_cast<unsigned char>(data.front());
        if (data.size() - 1 < length || text.size() + length > kMaxTextOctets) return std::nullopt;
        text.append(data.substr(1, length));
        data.remove_prefix(length + 1);
    }
    return RecordData(std::move(text));
}

// RFC 6698 §2.1: three octets, and what the certificate is compared with.
std::optional<RecordData> tlsa_of(std::string_view data) {
    constexpr std::size_t kFixedOctets = 3;
    if (data.size() < kFixedOctets || data.size() - kFixedOctets > kMaxTlsaOctets) {
        return std::nullopt;
    }
    TlsaRecord record;
    record.usage = static_cast<std::uint8_t>(data[0]);
    record.selector = static_cast<std::uint8_t>(data[1]);
    record.matching = static_cast<std::uint8_t>(data[2]);
    record.data = data.substr(kFixedOctets);
    return RecordData(std::move(record));
}

// The data of a record, which lies in packet[start, end). Nothing when it does not fill its length
// exactly.
std::optional<RecordData> data_of(
    RecordType type, std::string_view packet, std::size_t start, std::size_t end) {
    // Names inside may point anywhere before, but nothing may be read behind the record's end.
    const auto whole = packet.substr(0, end);
    Reader reader(whole, start);
    std::optional<RecordData> data;
    switch (type) {
        case RecordType::a:
        case RecordType::aaaa: {
            const std::size_t length = type == RecordType::a ? 4 : 16;
            if (end - start != length) return std::nullopt;
            return RecordData(address_of(reader.take(length)));
        }
        case RecordType::mx: {
            MxRecord mx;
            mx.preference = reader.take16();
            mx.exchange = reader.take_name();
            data.emplace(std::move(mx));
            break;
        }
        case RecordType::cname: data.emplace(CanonicalName{reader.take_name()}); break;
        case RecordType::soa: {
            reader.take_name();
            reader.take_name();
            reader.take(16);  // serial, refresh, retry, expire
            data.emplace(StartOfAuthority{ttl_of(reader.take32())});
            break;
        }
        case RecordType::txt: return text_of(reader.take(end - start));
        case RecordType::tlsa: return tlsa_of(reader.take(end - start));
        default: return RecordData();
    }
    if (reader.failed() || reader.at() != end) return std::nullopt;
    return data;
}

enum class Section { answer, authority, additional };

// RFC 1035 §4.1.3. False when the packet is malformed.
bool take_record(Reader& reader, std::string_view packet, Section section, Answer& answer) {
    ResourceRecord record;
    record.name = reader.take_name();
    record.type = static_cast<RecordType>(reader.take16());
    const auto record_class = reader.take16();
    const auto ttl = reader.take32();
    const std::size_t length = reader.take16();
    const auto start = reader.at();
    reader.take(length);
    if (reader.failed()) return false;
    if (section == Section::additional) {
        if (record.type != RecordType::opt) return true;
        // RFC 6891 §6.1.3: the upper eight bits of the response code.
        answer.has_edns = true;
        answer.code =
            static_cast<ResponseCode>(static_cast<unsigned>(answer.code) | ((ttl >> 24) << 4));
        return true;
    }
    if (record_class != kClassIn || record.type == RecordType::opt) return true;
    auto data = data_of(record.type, packet, start, start + length);
    if (!data) return false;
    auto& records = section == Section::answer ? answer.answers : answer.authority;
    if (records.size() >= kMaxRecords) return true;
    record.ttl = ttl_of(ttl);
    record.data = std::move(*data);
    records.push_back(std::move(record));
    return true;
}

bool answers_query(std::string_view packet, std::string_view query, std::uint16_t flags) noexcept {
    if (packet.substr(0, 2) != query.substr(0, 2)) return false;
    if ((flags & kFlagResponse) == 0 || (flags & kMaskOpcode) != 0) return false;
    if (packet.substr(4, 2) != std::string_view("\0\1", 2)) return false;
    // The question of a query: the rest of it but for the OPT record, whose name is the root.
    const auto name_end = query.find('\0', kHeaderOctets);
    if (name_end == std::string_view::npos) return false;
    const auto question = query.substr(kHeaderOctets, name_end + 5 - kHeaderOctets);
    return packet.substr(kHeaderOctets, question.size()) == question;
}

}  // namespace

std::string name_of(RecordType type) {
    switch (type) {
        case RecordType::a: return "A";
        case RecordType::ns: return "NS";
        case RecordType::cname: return "CNAME";
        case RecordType::soa: return "SOA";
        case RecordType::mx: return "MX";
        case RecordType::txt: return "TXT";
        case RecordType::aaaa: return "AAAA";
        case RecordType::opt: return "OPT";
        case RecordType::tlsa: return "TLSA";
    }
    return "TYPE" + std::to_string(static_cast<unsigned>(type));
}

std::string name_of(ResponseCode code) {
    switch (code) {
        case ResponseCode::no_error: return "NOERROR";
        case ResponseCode::format_error: return "FORMERR";
        case ResponseCode::server_failure: return "SERVFAIL";
        case ResponseCode::no_such_name: return "NXDOMAIN";
        case ResponseCode::not_implemented: return "NOTIMP";
        case ResponseCode::refused: return "REFUSED";
    }
    return "RCODE" + std::to_string(static_cast<unsigned>(code));
}

Result<std::string> encode_query(std::uint16_t id, const Question& question, Edns edns) {
    std::string out;
    put16(out, id);
    put16(out, kFlagRecursionDesired | kFlagAuthentic);
    put16(out, 1);
    put16(out, 0);
    put16(out, 0);
    put16(out, edns == Edns::with ? 1 : 0);
    if (!put_name(out, question.name)) return make_error_code(Error::syntax);
    put16(out, static_cast<unsigned>(question.type));
    put16(out, kClassIn);
    if (edns == Edns::with) {
        // RFC 6891 §6.1.2: root name, type, payload size in place of the class, no flags, no
        // options.
        out.push_back('\0');
        put16(out, static_cast<unsigned>(RecordType::opt));
        put16(out, kEdnsPayloadOctets);
        put16(out, 0);
        put16(out, 0);
        put16(out, 0);
    }
    return out;
}

Result<Answer> decode_answer(std::string_view packet, std::string_view query) {
    if (packet.size() > kMaxMessageOctets) return make_error_code(Error::too_large);
    if (packet.size() < kHeaderOctets || query.size() < kHeaderOctets)
        return make_error_code(Error::corrupt);
    Reader reader(packet, 2);
    const auto flags = reader.take16();
    if (!answers_query(packet, query, flags)) return make_error_code(Error::conflict);

    Answer answer;
    answer.code = static_cast<ResponseCode>(flags & kMaskResponseCode);
    answer.truncated = (flags & kFlagTruncated) != 0;
    answer.authentic = (flags & kFlagAuthentic) != 0;
    reader.take16();
    const std::array<std::uint16_t, 3> counts{reader.take16(), reader.take16(), reader.take16()};
    reader.take_name();
    reader.take(4);
    constexpr std::array kSections{Section::answer, Section::authority, Section::additional};
    for (std::size_t i = 0; i < kSections.size(); ++i) {
        for (unsigned n = 0; n < counts[i]; ++n) {
            if (!take_record(reader, packet, kSections[i], answer))
                return make_error_code(Error::corrupt);
        }
    }
    return answer;
}

}  // namespace mailflow::dns

#include "tests/lab/dns_answer.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace mailflow::lab {

namespace {

constexpr std::size_t kHeaderOctets = 12;
constexpr std::size_t kPlainUdpOctets = 512;
constexpr std::size_t kMaxUdpOctets = 4096;
constexpr int kMaxChain = 16;
constexpr unsigned kNoError = 0;
constexpr unsigned kFormatError = 1;
constexpr unsigned kServerFailure = 2;
constexpr unsigned kNameError = 3;
constexpr unsigned kNotImplemented = 4;
constexpr unsigned kRefused = 5;

unsigned get16(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned>(static_cast<unsigned char>(bytes[at]) << 8) |
           static_cast<unsigned char>(bytes[at + 1]);
}

void put16(std::string& out, unsigned value) {
    out.push_back(static_cast<char>(value >> 8 & 0xff));
    out.push_back(static_cast<char>(value & 0xff));
}

void put32(std::string& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffff);
}

struct Query {
    std::string name;
    Type type = Type::a;
    std::size_t question_end = 0;
    std::size_t udp_octets = kPlainUdpOctets;
    bool edns = false;
};

// The question (queries do not compress) and the OPT record right behind it, if there is one.
std::optional<Query> parse(std::string_view packet) {
    Query query;
    std::size_t at = kHeaderOctets;
    for (;;) {
        if (at >= packet.size()) return std::nullopt;
        const auto length = static_cast<unsigned char>(packet[at]);
        if (length == 0) break;
        if (length > 63 || at + 1 + length > packet.size()) return std::nullopt;
        if (!query.name.empty()) query.name.push_back('.');
        query.name += ascii::to_lower(packet.substr(at + 1, length));
        at += length + 1U;
    }
    if (at + 5 > packet.size()) return std::nullopt;
    query.type = static_cast<Type>(get16(packet, at + 1));
    query.question_end = at + 5;
    const auto rest = packet.substr(query.question_end);
    if (get16(packet, 10) > 0 && rest.size() >= 11 && rest[0] == '\0' &&
        get16(rest, 1) == static_cast<unsigned>(Type::opt)) {
        query.edns = true;
        query.udp_octets = std::clamp<std::size_t>(get16(rest, 3), kPlainUdpOctets, kMaxUdpOctets);
    }
    return query;
}

// Writes records with names compressed against all that was written before (RFC 1035 §4.1.4).
class Writer {
  public:
    explicit Writer(std::string_view head)
        : out_(head) {}

    void name(std::string_view text) {
        while (!text.empty()) {
            if (const auto known = offsets_.find(text); known != offsets_.end()) {
                put16(out_, 0xc000U | known->second);
                return;
            }
            if (out_.size() < 0x4000) offsets_.emplace(text, static_cast<unsigned>(out_.size()));
            const auto label = text.substr(0, text.find('.'));
            out_.push_back(static_cast<char>(label.size()));
            out_.append(label);
            text.remove_prefix(std::min(text.size(), label.size() + 1));
        }
        out_.push_back('\0');
    }

    void know(std::string_view text, unsigned offset) { offsets_.emplace(text, offset); }

    void record(std::string_view owner, const Record& record) {
        name(owner);
        put16(out_, static_cast<unsigned>(record.type));
        put16(out_, 1);
        put32(out_, record.ttl);
        const auto length_at = out_.size();
        put16(out_, 0);
        data(record);
        const auto length = out_.size() - length_at - 2;
        out_[length_at] = static_cast<char>(length >> 8);
        out_[length_at + 1] = static_cast<char>(length & 0xff);
    }

    void opt() {
        out_.push_back('\0');
        put16(out_, static_cast<unsigned>(Type::opt));
        put16(out_, kMaxUdpOctets);
        put32(out_, 0);
        put16(out_, 0);
    }

    std::string& out() { return out_; }

  private:
    void data(const Record& record) {
        switch (record.type) {
            case Type::mx:
                put16(out_, record.preference);
                name(record.name);
                break;
            case Type::cname:
            case Type::ns: name(record.name); break;
            case Type::soa:
                name(record.name);
                name("hostmaster");
                for (const std::uint32_t value : {1U, 3600U, 600U, 86'400U})
                    put32(out_, value);
                put32(out_, record.minimum);
                break;
            default: out_.append(record.bytes);
        }
    }

    std::string out_;
    std::map<std::string, unsigned, std::less<>> offsets_;
};

struct Collected {
    unsigned code = kNoError;
    bool drop = false;
    bool truncate = false;
    std::vector<std::pair<std::string, Record>> answers;
    std::string last_name;  // the end of the CNAME chain
    bool negative = false;
};

// As a resolver would: the whole chain in one answer, the code that of its end (RFC 2308 §2.1).
Collected collect(const Zone& zone, const Query& query) {
    Collected result;
    result.last_name = query.name;
    for (int depth = 0; depth < kMaxChain; ++depth) {
        const auto found = zone.find(result.last_name, query.type);
        switch (found.misbehaviour) {
            case Misbehaviour::servfail: result.code = kServerFailure; return result;
            case Misbehaviour::refused: result.code = kRefused; return result;
            case Misbehaviour::drop: result.drop = true; return result;
            case Misbehaviour::truncate: result.truncate = true; break;
            case Misbehaviour::nxdomain:
            case Misbehaviour::none: break;
        }
        if (!found.exists || found.misbehaviour == Misbehaviour::nxdomain) {
            result.code = kNameError;
            result.negative = true;
            return result;
        }
        std::string target;
        for (const auto& record : found.records) {
            result.answers.emplace_back(result.last_name, record);
            if (record.type == Type::cname && query.type != Type::cname) target = record.name;
        }
        result.negative = found.records.empty();
        if (target.empty()) return result;
        result.last_name = target;
    }
    return result;  // a loop: as much of it as anybody needs to see
}

}  // namespace

std::optional<std::string> answer_query(
    const Zone& zone, std::string_view packet, Transport transport) {
    if (packet.size() < kHeaderOctets) return std::nullopt;
    const auto flags = get16(packet, 2);
    if ((flags & 0x8000) != 0) return std::nullopt;
    const auto query = parse(packet);
    // Authoritative, recursion available (the answers are whole), recursion desired as asked.
    const auto header =
        [&](unsigned code, bool truncated, std::size_t answers, std::size_t authority) {
            std::string out(packet.substr(0, 2));
            put16(out, 0x8480U | (flags & 0x0100U) | (truncated ? 0x0200U : 0U) | code);
            put16(out, query ? 1 : 0);
            put16(out, static_cast<unsigned>(answers));
            put16(out, static_cast<unsigned>(authority));
            put16(out, query && query->edns ? 1 : 0);
            if (query)
                out.append(packet.substr(kHeaderOctets, query->question_end - kHeaderOctets));
            return out;
        };
    const auto without_records = [&](unsigned code, bool truncated) {
        Writer writer(header(code, truncated, 0, 0));
        if (query && query->edns) writer.opt();
        return std::move(writer.out());
    };
    if (!query || get16(packet, 4) != 1)
        return header(kFormatError, false, 0, 0).substr(0, kHeaderOctets);
    if ((flags & 0x7800) != 0) return without_records(kNotImplemented, false);

    const auto collected = collect(zone, *query);
    if (collected.drop) return std::nullopt;
    if (collected.code == kServerFailure || collected.code == kRefused)
        return without_records(collected.code, false);
    Writer writer(
        header(collected.code, false, collected.answers.size(), collected.negative ? 1 : 0));
    if (!query->name.empty()) writer.know(query->name, kHeaderOctets);
    for (const auto& [owner, record] : collected.answers)
        writer.record(owner, record);
    if (collected.negative) {
        const auto [owner, soa] = zone.authority(collected.last_name);
        writer.record(owner, soa);
    }
    if (query->edns) writer.opt();
    if (transport == Transport::udp &&
        (collected.truncate || writer.out().size() > query->udp_octets)) {
        return without_records(kNoError, true);
    }
    return std::move(writer.out());
}

}  // namespace mailflow::lab

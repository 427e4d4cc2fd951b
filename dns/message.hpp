// DNS messages as octets (RFC 1035 §4): a query out, an answer in. Written here because c-ares 1.18
// shows neither the AD bit nor TLSA. Pure functions; every offset, count and length of an answer is
// checked against dns/limits.hpp.
#pragma once

#include "transport/base/result.hpp"
#include "transport/ports/records/dns_records.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mailflow::dns {

enum class RecordType : std::uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    soa = 6,
    mx = 15,
    txt = 16,
    aaaa = 28,
    opt = 41,
    tlsa = 52
};

// `A`, `MX`, …; `TYPE65` for those without a name here.
[[nodiscard]] std::string name_of(RecordType type);

enum class ResponseCode : std::uint16_t {
    no_error = 0,
    format_error = 1,
    server_failure = 2,
    no_such_name = 3,
    not_implemented = 4,
    refused = 5,
};

[[nodiscard]] std::string name_of(ResponseCode code);

struct Question {
    std::string name;  // without trailing dot
    RecordType type = RecordType::a;

    friend bool operator==(const Question&, const Question&) = default;
};

struct CanonicalName {
    std::string target;
};

// RFC 1035 §3.3.13; only what negative caching needs.
struct StartOfAuthority {
    std::chrono::seconds minimum{0};
};

// monostate: a type that is not looked into (NS and all others).
using RecordData = std::variant<
    std::monostate,
    IpAddress,
    MxRecord,
    std::string,
    CanonicalName,
    StartOfAuthority,
    TlsaRecord>;

struct ResourceRecord {
    std::string name;  // lower case; octets that are no host name's are written \DDD
    RecordType type = RecordType::a;
    std::chrono::seconds ttl{0};
    RecordData data;
};

struct Answer {
    ResponseCode code = ResponseCode::no_error;
    bool truncated = false;
    bool authentic = false;  // AD: the server says that it has validated all of it
    bool has_edns = false;
    std::vector<ResourceRecord> answers;    // class IN, at most kMaxRecords
    std::vector<ResourceRecord> authority;  // likewise
};

enum class Edns { with, without };

// Recursion desired, and to be told whether the answer was validated (RFC 6840 §5.7: AD in a query
// asks for AD, without the signatures that DO would bring). With EDNS the OPT record is the last
// thing in the packet: c-ares cuts it off there when a server does not know it. Error::syntax when
// the name is none (empty label, too long).
[[nodiscard]] Result<std::string> encode_query(
    std::uint16_t id, const Question& question, Edns edns = Edns::with);

// `query` is what was sent: the id must be its id, and the question section its question, byte for
// byte. Error::conflict when the packet answers something else, Error::corrupt when it is
// malformed, Error::too_large.
[[nodiscard]] Result<Answer> decode_answer(std::string_view packet, std::string_view query);

}  // namespace mailflow::dns

// What the lab's DNS server knows: records by name, read from a zone file. One server answers for
// every name there is, as a resolver would; a name that is not in the file does not exist.
// Immutable once parsed; any thread.
//
// A line is `NAME [TTL] [IN] TYPE DATA`; `;` starts a comment, parentheses join lines, `@`,
// `$ORIGIN`, `$TTL` and names without trailing dot work as in RFC 1035 §5.1. Types: A, AAAA, MX,
// TXT, CNAME, NS, SOA. A name may begin with `*` (RFC 4592). Further lines make a name misbehave,
// for all types or for those listed behind:
//   NAME SERVFAIL [TYPE…]   NAME REFUSED [TYPE…]   NAME NXDOMAIN   NAME DROP [TYPE…] (no answer at
//   all) NAME TRUNCATE (UDP answers are empty with TC set, TCP's are whole)
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::lab {

enum class Type : std::uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    soa = 6,
    mx = 15,
    txt = 16,
    aaaa = 28,
    opt = 41,
    any = 255
};

// Names are lower case, without trailing dot; the root is empty.
struct Record {
    Type type = Type::a;
    std::uint32_t ttl = 0;
    std::string bytes;             // A, AAAA: the address; TXT: character-strings as on the wire
    std::uint16_t preference = 0;  // MX
    std::string name;              // MX, CNAME, NS: the other name; SOA: the primary server
    std::uint32_t minimum = 0;     // SOA
};

enum class Misbehaviour : std::uint8_t { none, servfail, refused, nxdomain, drop, truncate };

class Zone {
  public:
    struct Found {
        bool exists = false;          // false: NXDOMAIN
        std::vector<Record> records;  // of the type asked for, or the one CNAME
        Misbehaviour misbehaviour = Misbehaviour::none;
    };

    // Throws std::runtime_error naming the line.
    [[nodiscard]] static Zone parse(std::string_view text);
    [[nodiscard]] static Zone load(const std::string& path);

    [[nodiscard]] Found find(std::string_view name, Type type) const;

    // The SOA to put into a negative answer about `name`, and its owner: the file's closest one, or
    // one made up for the root.
    [[nodiscard]] std::pair<std::string, Record> authority(std::string_view name) const;

  private:
    struct Node {
        std::vector<Record> records;
        Misbehaviour misbehaviour = Misbehaviour::none;
        std::vector<Type> misbehaves_for;  // empty: all
    };

    friend class ZoneParser;
    [[nodiscard]] const Node* find_node(std::string_view name, bool& exists) const;
    // The name itself, or something below it, is in the zone.
    [[nodiscard]] bool has_name(std::string_view name) const;

    // By labels from the right (`com.contoso.mail`), so that what is below a name follows it.
    std::map<std::string, Node, std::less<>> nodes_;
};

[[nodiscard]] std::optional<Type> parse_type(std::string_view text);

}  // namespace mailflow::lab

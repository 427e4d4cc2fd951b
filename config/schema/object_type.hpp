// What an administrator can configure, described once: object types and their fields. The
// description drives the command line's flags and help, JSON, TOML, validation and its messages,
// and the reference page. Immutable; any thread. smtpctl links this library, so it knows nothing of
// the mail flow.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::schema {

// How a value is written. Elements of a list have one kind.
enum class ValueKind : std::uint8_t {
    text,
    boolean,
    integer,
    size,      // octets: `64 KB`
    duration,  // `90s`, `10m`, `2d`, `hh:mm:ss`
    choice,    // one of Field::choices
    endpoint,  // `192.0.2.1:25`, `[::]:25`
    ip_range,  // address, `a-b` or CIDR
    ip_address,
    domain,  // a domain name; the kinds from here on are checked in full by config, which knows the
             // grammar
    domain_space,      // a domain name or `*.` and one
    address_space,     // `smtp:*.contoso.com;5`
    smart_host,        // host name or `[address]`
    proxy_address,     // `SMTP:` (primary) or `smtp:` and an address
    any_domain_space,  // `*`, a domain name, or `*.` and one
    email_address,     // `alice@contoso.com`
    address_pattern,   // an address, a domain name, or `*.` and one
    address_template,  // `SMTP:` (primary) or `smtp:` and a template, `%g.%s@contoso.com`
    recipient_filter,  // `Department -eq 'Sales'`
    recipient,         // name, alias or an address of a recipient
    delivery_target,   // `maildir`, `lmtp:unix:/path`, `smtp:host`
    status_code,       // `5.7.1`
    secret,  // written, never shown; smtpctl asks for it, so that it is in no list of processes
};

// Another way to write a choice.
struct Synonym {
    std::string_view word;  // in lower case
    std::string_view choice;
};

struct Field {
    std::string_view name = {};  // in TOML and JSON; plural for lists: `remote_ranges`
    std::string flag = {};       // on the command line, without dashes; singular: `remote-range`
    ValueKind kind = ValueKind::text;
    bool list = false;
    // Canonical text; empty: no value, or the one `default_note` names.
    std::vector<std::string_view> defaults = {};
    std::string_view default_note = {};  // what rules when nothing is given and no fixed value does
    std::uint64_t minimum = 0;           // integers; octets of sizes; milliseconds of durations
    // Of texts: characters.
    std::uint64_t maximum = UINT64_MAX;
    bool may_be_unlimited = false;
    std::string_view word = {};  // an integer may be this word instead: `lowest`
    std::vector<std::string_view> choices = {};
    std::vector<Synonym> synonyms = {};
    bool required = false;
    bool create_only = false;       // cannot be set later
    bool read_only = false;         // the program's to set: shown, in no flag and no export
    std::string_view doc = {};      // one line
    std::string_view heading = {};  // help and reference page begin a part here
};

struct ObjectType {
    std::string_view name;         // `receive-connector`, also the noun of smtpctl
    std::string_view plural;       // `receive-connectors`, for people
    std::string_view toml_name;    // `receive_connector`
    std::string_view doc;          // one line
    bool single = false;           // exactly one, nameless for people: `transport-config`
    bool can_be_disabled = false;  // has `enabled`: the verbs enable and disable make sense
    bool is_recipient = false;     // kept in the recipient store, not among the objects
    std::vector<Field> fields;
    std::string_view example;  // a `create` or `set` command line
};

// In the order in which `config export` writes them.
[[nodiscard]] std::span<const ObjectType> object_types();
// Null when there is none.
[[nodiscard]] const ObjectType* find_type(std::string_view name);
[[nodiscard]] const Field* find_field(const ObjectType& type, std::string_view name);
// Null for read-only fields, which have no flag.
[[nodiscard]] const Field* find_flag(const ObjectType& type, std::string_view flag);

// Name under which the one object of a single type is stored.
constexpr std::string_view kSingleName = "default";
// Reference 2.8: names are at most this many characters.
constexpr std::size_t kMaxNameLength = 64;

}  // namespace mailflow::schema

// `mailflowd.toml`: the few settings needed before the store opens. Every key is checked: unknown
// keys, wrong types and values out of range are errors that name file and line. The command line's
// overrides are the caller's (the daemon's), which also makes missing folders. Used once at start
// and at SIGHUP, on the main thread.
#pragma once

#include "transport/base/ip_range.hpp"
#include "transport/base/log.hpp"
#include "transport/ports/files.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

enum class LogTarget : std::uint8_t { standard_error, journal, file };
enum class LogFormat : std::uint8_t { text, json };
// What a `250` promises: the message survives power loss, or only the end of the process.
enum class DurabilityLevel : std::uint8_t { power_loss, process_crash };

[[nodiscard]] const char* to_text(DurabilityLevel level) noexcept;

struct Bootstrap {
    std::string state_dir = "/var/lib/mailflow";

    struct Node {
        std::string fqdn;  // empty: the host's FQDN
        std::string site = "default";
        std::string domain;  // first start only; empty: the domain part of the FQDN
    } node;

    // First start only: bindings of the default connectors. Port 0 picks a free one.
    struct Listen {
        std::vector<IpAddress> addresses;  // empty: 0.0.0.0 and [::]
        std::uint16_t smtp = 25;
        std::uint16_t submission = 587;
        std::uint16_t submissions = 465;
        std::uint16_t https = 443;
        std::optional<std::uint16_t> http;  // none: closed
    } listen;

    struct Admin {
        std::string socket;  // empty: see `admin_socket`
    } admin;

    struct Dns {
        std::vector<Endpoint> servers;  // empty: the system's resolvers
        // Whose word on DNSSEC counts; none given: loopback, and DANE is not counted on.
        enum class TrustAd : std::uint8_t { loopback, list, none };
        std::optional<TrustAd> trust_ad;
        std::vector<IpAddress> trusted;  // of `list`
        std::string probe_secure;        // zones to probe with; empty: public ones
        std::string probe_bogus;
    } dns;

    struct Deliver {
        std::vector<IpRange> allow_destinations;
    } deliver;

    struct Process {
        std::string user;  // empty: stays as started
    } process;

    // None: max(1, cores / 2) lanes and workers, two readers.
    struct Threads {
        std::optional<unsigned> lanes;
        std::optional<unsigned> workers;
        std::optional<unsigned> store_readers;
    } threads;

    struct LogSettings {
        LogTarget target = LogTarget::standard_error;
        std::string file;  // with LogTarget::file
        LogLevel level = LogLevel::info;
        LogFormat format = LogFormat::text;
    } log;

    struct Storage {
        std::string key_file;  // empty: `secret.key` in the state directory
    } storage;

    struct Durability {
        DurabilityLevel level = DurabilityLevel::power_loss;
    } durability;

    // The socket of the admin API: as configured, else `admin.sock` in the state directory.
    [[nodiscard]] std::string admin_socket() const;
    [[nodiscard]] std::string key_file() const;
    // Where the default connectors listen: `addresses`, or every address of both families.
    [[nodiscard]] std::vector<IpAddress> listen_addresses() const;
};

struct BootstrapResult {
    Bootstrap settings;
    std::vector<std::string> errors;  // `mailflowd.toml:12: unknown key …`; empty: fine

    [[nodiscard]] bool ok() const noexcept { return errors.empty(); }
};

constexpr std::string_view kDefaultBootstrapFile = "/etc/mailflow/mailflowd.toml";
// A file larger than this is no bootstrap file.
constexpr std::uint64_t kMaxBootstrapSize = 1024ULL * 1024;

// `file` stands in messages, and relative paths in the text are relative to its folder.
[[nodiscard]] BootstrapResult parse_bootstrap(std::string_view text, const std::string& file);
// Reads and parses. With an empty path: the default file if it is there, else the defaults.
[[nodiscard]] BootstrapResult load_bootstrap(Files& files, const std::string& path);

}  // namespace mailflow

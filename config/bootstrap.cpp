#include "config/bootstrap.hpp"

#include "config/schema/suggestion.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/domain_name.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <toml++/toml.h>
#include <utility>

namespace mailflow {

namespace {

constexpr const char* kDefaultStateDir = "/var/lib/mailflow";
constexpr const char* kDefaultSocket = "/run/mailflow/admin.sock";
constexpr std::uint16_t kDnsPort = 53;
constexpr std::int64_t kMaxThreads = 256;
constexpr std::int64_t kMaxPort = 65535;

// One error, with the line it is about, so that all of them can be told in the file's order.
struct LineError {
    std::uint32_t line = 0;
    std::string text;
};

// The folder paths in the file are relative to.
std::string folder_of(const std::string& file) {
    const auto slash = file.rfind('/');
    return slash == std::string::npos ? std::string() : file.substr(0, slash + 1);
}

class BootstrapReader {
  public:
    explicit BootstrapReader(const std::string& file)
        : file_(file)
        , folder_(folder_of(file)) {}

    BootstrapResult read(std::string_view text);

  private:
    using Setter = std::function<void(const toml::node&)>;
    // In the order of the documentation; a suggestion is drawn from them.
    using Keys = std::vector<std::pair<std::string_view, Setter>>;

    void read_table(const toml::table& table, const std::string& name, const Keys& keys);
    [[nodiscard]] Keys top_keys();
    [[nodiscard]] Keys node_keys();
    [[nodiscard]] Keys listen_keys();
    [[nodiscard]] Keys thread_keys();
    [[nodiscard]] Keys log_keys();
    [[nodiscard]] Keys dns_keys();
    Setter section(std::string name, Keys keys);
    Setter one_key(std::string section_name, std::string_view key, Setter setter);

    void fail(const toml::node& node, const std::string& text);
    std::optional<std::string> string_of(const toml::node& node);
    std::optional<std::int64_t> number_of(
        const toml::node& node, std::int64_t minimum, std::int64_t maximum);
    // Every string of an array, or the one string.
    void each_string(
        const toml::node& node,
        const std::function<bool(const std::string&)>& take,
        const char* allowed);
    void choose(
        const toml::node& node,
        std::span<const std::string_view> words,
        const std::function<void(std::size_t)>& take);

    Setter path(std::string& target);
    Setter domain(std::string& target);
    Setter text(std::string& target);
    Setter port(std::uint16_t& target);
    Setter threads(std::optional<unsigned>& target);
    [[nodiscard]] std::string resolved(const std::string& path) const;
    void log_target(const toml::node& node);

    const std::string& file_;
    std::string folder_;
    Bootstrap settings_;
    std::vector<LineError> errors_;
};

void BootstrapReader::fail(const toml::node& node, const std::string& text) {
    errors_.push_back({node.source().begin.line, text});
}

std::string BootstrapReader::resolved(const std::string& path) const {
    return path.empty() || path.starts_with('/') ? path : folder_ + path;
}

std::optional<std::string> BootstrapReader::string_of(const toml::node& node) {
    auto value = node.value_exact<std::string>();
    if (!value) {
        fail(node, "a text in quotes is needed here");
    } else if (std::any_of(value->begin(), value->end(), ascii::is_control)) {
        fail(node, "a control character is not allowed here");
        return std::nullopt;
    }
    return value;
}

std::optional<std::int64_t> BootstrapReader::number_of(
    const toml::node& node, std::int64_t minimum, std::int64_t maximum) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < minimum || *value > maximum) {
        fail(
            node,
            "a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum) +
                " is needed here");
        return std::nullopt;
    }
    return value;
}

void BootstrapReader::each_string(
    const toml::node& node,
    const std::function<bool(const std::string&)>& take,
    const char* allowed) {
    if (const auto* array = node.as_array()) {
        for (const auto& element : *array) {
            const auto value = string_of(element);
            if (value && !take(*value)) fail(element, "\"" + *value + "\" is not " + allowed);
        }
        return;
    }
    const auto value = string_of(node);
    if (value && !take(*value)) fail(node, "\"" + *value + "\" is not " + allowed);
}

void BootstrapReader::choose(
    const toml::node& node,
    std::span<const std::string_view> words,
    const std::function<void(std::size_t)>& take) {
    const auto value = string_of(node);
    if (!value) {
        return;
    }
    const auto found = std::find(words.begin(), words.end(), *value);
    if (found != words.end()) {
        take(static_cast<std::size_t>(found - words.begin()));
        return;
    }
    std::string allowed;
    for (const auto word : words) {
        allowed += (allowed.empty() ? "\"" : ", \"") + std::string(word) + "\"";
    }
    fail(node, "\"" + *value + "\" is not one of " + allowed);
}

BootstrapReader::Setter BootstrapReader::text(std::string& target) {
    return [this, &target](const toml::node& node) {
        if (auto value = string_of(node)) target = std::move(*value);
    };
}

BootstrapReader::Setter BootstrapReader::path(std::string& target) {
    return [this, &target](const toml::node& node) {
        const auto value = string_of(node);
        if (value && value->empty()) {
            fail(node, "a path is needed here");
        } else if (value) {
            target = resolved(*value);
        }
    };
}

BootstrapReader::Setter BootstrapReader::domain(std::string& target) {
    return [this, &target](const toml::node& node) {
        const auto value = string_of(node);
        if (!value) {
            return;
        }
        const auto name = DomainName::parse(*value);
        if (!name) {
            fail(node, "\"" + *value + "\" is not a domain name such as mail.contoso.com");
            return;
        }
        target = name->text();
    };
}

BootstrapReader::Setter BootstrapReader::port(std::uint16_t& target) {
    return [this, &target](const toml::node& node) {
        if (const auto number = number_of(node, 0, kMaxPort)) {
            target = static_cast<std::uint16_t>(*number);
        }
    };
}

BootstrapReader::Setter BootstrapReader::threads(std::optional<unsigned>& target) {
    return [this, &target](const toml::node& node) {
        if (const auto number = number_of(node, 1, kMaxThreads)) {
            target = static_cast<unsigned>(*number);
        }
    };
}

BootstrapReader::Setter BootstrapReader::section(std::string name, Keys keys) {
    return [this, name = std::move(name), keys = std::move(keys)](const toml::node& node) {
        const auto* table = node.as_table();
        if (table == nullptr) {
            fail(node, name + " is a table: write [" + name + "]");
            return;
        }
        read_table(*table, name, keys);
    };
}

BootstrapReader::Setter BootstrapReader::one_key(
    std::string section_name, std::string_view key, Setter setter) {
    Keys keys;
    keys.emplace_back(key, std::move(setter));
    return section(std::move(section_name), std::move(keys));
}

BootstrapReader::Keys BootstrapReader::node_keys() {
    return {
        {"fqdn", domain(settings_.node.fqdn)},
        {"site", text(settings_.node.site)},
        {"domain", domain(settings_.node.domain)},
    };
}

BootstrapReader::Keys BootstrapReader::listen_keys() {
    auto& listen = settings_.listen;
    const auto addresses = [this, &listen](const toml::node& node) {
        const auto take = [&listen](const std::string& written) {
            // Brackets as in the documentation of the default, `[::]`.
            const bool bracketed = written.starts_with('[') && written.ends_with(']');
            const auto address =
                IpAddress::parse(bracketed ? written.substr(1, written.size() - 2) : written);
            if (address) listen.addresses.push_back(*address);
            return address.has_value();
        };
        each_string(node, take, "an IP address such as 127.0.0.1 or ::1");
    };
    const auto http = [this, &listen](const toml::node& node) {
        if (const auto number = number_of(node, 0, kMaxPort)) {
            listen.http = static_cast<std::uint16_t>(*number);
        }
    };
    return {
        {"address", addresses},
        {"smtp", port(listen.smtp)},
        {"submission", port(listen.submission)},
        {"submissions", port(listen.submissions)},
        {"https", port(listen.https)},
        {"http", http},
    };
}

BootstrapReader::Keys BootstrapReader::thread_keys() {
    return {
        {"lanes", threads(settings_.threads.lanes)},
        {"workers", threads(settings_.threads.workers)},
        {"store_readers", threads(settings_.threads.store_readers)},
    };
}

void BootstrapReader::log_target(const toml::node& node) {
    constexpr std::string_view kFile = "file:";
    const auto value = string_of(node);
    if (!value) {
        return;
    }
    auto& log = settings_.log;
    if (*value == "stderr") {
        log.target = LogTarget::standard_error;
    } else if (*value == "journal") {
        log.target = LogTarget::journal;
    } else if (value->starts_with(kFile) && value->size() > kFile.size()) {
        log.target = LogTarget::file;
        log.file = resolved(value->substr(kFile.size()));
    } else {
        fail(node, "\"" + *value + "\" is not one of \"stderr\", \"journal\", \"file:PATH\"");
    }
}

BootstrapReader::Keys BootstrapReader::log_keys() {
    const auto level = [this](const toml::node& node) {
        static constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error"};
        choose(node, kLevels, [this](std::size_t index) {
            settings_.log.level = static_cast<LogLevel>(index);
        });
    };
    const auto format = [this](const toml::node& node) {
        static constexpr std::string_view kFormats[] = {"text", "json"};
        choose(node, kFormats, [this](std::size_t index) {
            settings_.log.format = static_cast<LogFormat>(index);
        });
    };
    return {
        {"target",
         [this](const toml::node& node) {
             log_target(node);
         }},
        {"level", level},
        {"format", format},
    };
}

BootstrapReader::Keys BootstrapReader::dns_keys() {
    const auto servers = [this](const toml::node& node) {
        const auto take = [this](const std::string& written) {
            auto server = Endpoint::parse(written);
            if (const auto address = IpAddress::parse(written); !server && address) {
                server = Endpoint{*address, kDnsPort};
            }
            if (server && server->port != 0) settings_.dns.servers.push_back(*server);
            return server && server->port != 0;
        };
        each_string(node, take, "a name server such as 192.0.2.53, 127.0.0.1:5353 or [::1]:53");
    };
    // `loopback`, `none`, or the addresses themselves.
    const auto trust_ad = [this](const toml::node& node) {
        using TrustAd = Bootstrap::Dns::TrustAd;
        auto& dns = settings_.dns;
        dns.trust_ad = TrustAd::list;
        const auto take = [&dns, &node](const std::string& written) {
            const auto address = IpAddress::parse(written);
            if (address) {
                dns.trusted.push_back(*address);
            } else if (!node.is_array() && written == "loopback") {
                dns.trust_ad = TrustAd::loopback;
            } else if (!node.is_array() && written == "none") {
                dns.trust_ad = TrustAd::none;
            } else {
                return false;
            }
            return true;
        };
        each_string(
            node, take, "\"loopback\", \"none\" or a list of addresses such as [\"192.0.2.53\"]");
    };
    return {
        {"servers", servers},
        {"trust_ad", trust_ad},
        {"probe_secure", domain(settings_.dns.probe_secure)},
        {"probe_bogus", domain(settings_.dns.probe_bogus)},
    };
}

BootstrapReader::Keys BootstrapReader::top_keys() {
    const auto destinations = [this](const toml::node& node) {
        const auto take = [this](const std::string& written) {
            const auto range = IpRange::parse(written);
            if (range) settings_.deliver.allow_destinations.push_back(*range);
            return range.has_value();
        };
        each_string(node, take, "an address, a range a-b or a network such as 127.0.0.0/8");
    };
    const auto durability = [this](const toml::node& node) {
        static constexpr std::string_view kLevels[] = {"power-loss", "process-crash"};
        choose(node, kLevels, [this](std::size_t index) {
            settings_.durability.level = static_cast<DurabilityLevel>(index);
        });
    };
    return {
        {"state_dir", path(settings_.state_dir)},
        {"node", section("node", node_keys())},
        {"listen", section("listen", listen_keys())},
        {"admin", one_key("admin", "socket", path(settings_.admin.socket))},
        {"dns", section("dns", dns_keys())},
        {"deliver", one_key("deliver", "allow_destinations", destinations)},
        {"process", one_key("process", "user", text(settings_.process.user))},
        {"threads", section("threads", thread_keys())},
        {"log", section("log", log_keys())},
        {"storage", one_key("storage", "key_file", path(settings_.storage.key_file))},
        {"durability", one_key("durability", "level", durability)},
    };
}

void BootstrapReader::read_table(
    const toml::table& table, const std::string& name, const Keys& keys) {
    for (const auto& [key, node] : table) {
        const auto found = std::find_if(keys.begin(), keys.end(), [&key = key](const auto& known) {
            return known.first == key.str();
        });
        if (found != keys.end()) {
            found->second(node);
            continue;
        }
        std::vector<std::string_view> names;
        for (const auto& known : keys)
            names.push_back(known.first);
        auto text = "unknown key \"" + ascii::escaped(key.str()) + "\"" +
                    (name.empty() ? "" : " in [" + name + "]");
        const auto hint = schema::did_you_mean(key.str(), names);
        if (hint.empty()) {
            text += "; the keys are ";
            for (const auto known : names) {
                text += (known == names.front() ? "" : ", ") + std::string(known);
            }
        }
        errors_.push_back({key.source().begin.line, text + hint});
    }
}

BootstrapResult BootstrapReader::read(std::string_view text) {
    BootstrapResult result;
    try {
        const auto table = toml::parse(text);
        read_table(table, {}, top_keys());
    } catch (const toml::parse_error& error) {
        errors_.push_back({error.source().begin.line, std::string(error.description())});
    }
    std::stable_sort(errors_.begin(), errors_.end(), [](const auto& a, const auto& b) {
        return a.line < b.line;
    });
    for (const auto& error : errors_) {
        result.errors.push_back(file_ + ":" + std::to_string(error.line) + ": " + error.text);
    }
    result.settings = std::move(settings_);
    return result;
}

}  // namespace

const char* to_text(DurabilityLevel level) noexcept {
    return level == DurabilityLevel::power_loss ? "power-loss" : "process-crash";
}

std::string Bootstrap::admin_socket() const {
    if (!admin.socket.empty()) {
        return admin.socket;
    }
    return state_dir == kDefaultStateDir ? kDefaultSocket : state_dir + "/admin.sock";
}

std::string Bootstrap::key_file() const {
    return storage.key_file.empty() ? state_dir + "/secret.key" : storage.key_file;
}

std::vector<IpAddress> Bootstrap::listen_addresses() const {
    if (!listen.addresses.empty()) {
        return listen.addresses;
    }
    return {IpAddress(), IpAddress::v6({})};
}

BootstrapResult parse_bootstrap(std::string_view text, const std::string& file) {
    return BootstrapReader(file).read(text);
}

BootstrapResult load_bootstrap(Files& files, const std::string& path) {
    const std::string file = path.empty() ? std::string(kDefaultBootstrapFile) : path;
    if (path.empty() && !files.exists(file)) {
        return {};
    }
    const auto failed = [&file](const ErrorCode& error) {
        BootstrapResult result;
        result.errors.push_back(file + ": cannot be read: " + error.message());
        return result;
    };
    const auto opened = files.open(file);
    if (!opened) {
        return failed(opened.error());
    }
    const auto size = (*opened)->size();
    if (!size) {
        return failed(size.error());
    }
    if (*size > kMaxBootstrapSize) {
        return failed(make_error_code(Error::too_large));
    }
    const auto text = (*opened)->read(0, static_cast<std::size_t>(*size));
    if (!text) {
        return failed(text.error());
    }
    return parse_bootstrap(*text, file);
}

}  // namespace mailflow

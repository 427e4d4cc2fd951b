#include "tests/lab/harness.hpp"

#include "tests/lab/child_process.hpp"
#include "tests/lab/dns_server.hpp"
#include "tests/lab/options.hpp"
#include "tests/lab/smtp_sink.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>

namespace mailflow::lab {

namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kStartPatience{30'000};
constexpr std::chrono::milliseconds kStopPatience{15'000};
constexpr std::chrono::milliseconds kCommandPatience{5'000};
constexpr std::chrono::milliseconds kStep{20};

const Endpoint kLoopback{IpAddress::v4(0x7f00'0001), 0};

std::string read_whole(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_whole(const fs::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

// SIGINT, SIGTERM or SIGHUP, which are blocked; nothing when none came in time.
std::optional<int> await_signal(std::chrono::milliseconds time) {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        ::sigaddset(&wanted, number);
    const timespec limit{0, static_cast<long>(time.count()) * 1'000'000};
    const int got = ::sigtimedwait(&wanted, nullptr, &limit);
    return got > 0 ? std::optional(got) : std::nullopt;
}

class Interrupted : public std::runtime_error {
  public:
    explicit Interrupted(int signal)
        : std::runtime_error("interrupted")
        , number(signal) {}

    int number;
};

// The folder of one run, removed with it unless it is to be kept.
class Folder {
  public:
    explicit Folder(const RunSettings& settings)
        : keep_(settings.keep || !settings.folder.empty()) {
        if (!settings.folder.empty()) {
            path_ = fs::absolute(settings.folder);
            if (fs::exists(path_) && !fs::is_empty(path_)) {
                throw std::runtime_error(path_.string() + " is not empty");
            }
            fs::create_directories(path_);
            return;
        }
        auto name = (fs::temp_directory_path() / "mailflow-lab-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
        path_ = name;
    }

    ~Folder() {
        std::error_code ignored;
        if (!keep_) fs::remove_all(path_, ignored);
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] const fs::path& path() const noexcept { return path_; }

  private:
    fs::path path_;
    bool keep_;
};

class Harness {
  public:
    explicit Harness(const RunSettings& settings)
        : settings_(settings)
        , folder_(settings)
        , zone_(settings.zone.empty() ? Zone::parse(default_zone()) : Zone::load(settings.zone))
        , journal_((folder_.path() / "outside").string()) {}

    int run() {
        start_world();
        start_daemon();
        connect_to_world();
        return run_command();
    }

  private:
    void start_world() {
        dns_ = std::make_unique<DnsServer>(zone_, kLoopback);
        std::uint16_t port = 0;
        for (const auto& text : settings_.sinks) {
            const auto equals = std::min(text.find('='), text.size());
            const auto address = IpAddress::parse(std::string_view(text).substr(0, equals));
            const auto behaviour =
                parse_behaviour(text.substr(std::min(equals + 1, text.size())), ',');
            if (!address || !behaviour)
                throw UsageError("--sink takes ADDRESS[=ITEMS], not " + text);
            std::vector<SmtpSink::Port> ports{{Endpoint{*address, port}, *behaviour}};
            sinks_.push_back(std::make_unique<SmtpSink>(std::move(ports), journal_));
            port = sinks_.front()->endpoints().front().port;
        }
        sink_port_ = port;
    }

    void start_daemon() {
        const auto config = folder_.path() / "mailflowd.toml";
        write_whole(
            config,
            fmt::format(
                "state_dir = \"state\"\n[node]\nfqdn = \"mail.{0}\"\ndomain = \"{0}\"\n"
                "[listen]\naddress = \"127.0.0.1\"\nsmtp = 0\nsubmission = 0\nsubmissions = "
                "0\nhttps = 0\n"
                "[admin]\nsocket = \"admin.sock\"\n[dns]\nservers = [\"{1}\"]\ntrust_ad = "
                "\"none\"\n"
                "[deliver]\nallow_destinations = [\"127.0.0.0/8\"]\n[log]\ntarget = \"stderr\"\n",
                settings_.domain,
                dns_->endpoint().text()));
        const auto log = folder_.path() / "mailflowd.log";
        daemon_ = std::make_unique<ChildProcess>(ChildProcess::Settings{
            {settings_.mailflowd, "--config", config.string()}, {}, log.string()});
        const auto until = Clock::now() + kStartPatience;
        while (!is_ready(read_whole(log))) {
            if (const auto status = daemon_->status()) {
                throw std::runtime_error(
                    fmt::format("mailflowd ended with {}:\n{}", *status, read_whole(log)));
            }
            if (Clock::now() > until)
                throw std::runtime_error("mailflowd is not ready:\n" + read_whole(log));
            if (const auto signal = await_signal(kStep)) throw Interrupted(*signal);
        }
    }

    static bool is_ready(const std::string& log) {
        return log.starts_with("ready\n") || log.find("\nready\n") != log.npos;
    }

    std::string ctl(std::vector<std::string> words) {
        const auto output = folder_.path() / "smtpctl.out";
        words.insert(words.begin(), {settings_.smtpctl, "--socket", socket()});
        ChildProcess process({words, {}, output.string()});
        const auto status = process.wait(kStartPatience);
        auto text = read_whole(output);
        if (status != 0) throw std::runtime_error("smtpctl " + words[3] + " failed:\n" + text);
        return text;
    }

    [[nodiscard]] std::string socket() const { return (folder_.path() / "admin.sock").string(); }

    // A way out through the sink's port, and a way in for applications of this host.
    void connect_to_world() {
        ctl(
            {"send-connector",
             "create",
             "Internet",
             "--usage",
             "internet",
             "--address-space",
             "*",
             "--port",
             std::to_string(sink_port_)});
        // A port that was free a moment ago: whoever takes it in between makes this fail, so it is
        // tried again.
        constexpr int kTries = 5;
        for (int tries = 1;; ++tries) {
            const auto port = listen_tcp(kLoopback).endpoint.port;
            try {
                ctl(
                    {"receive-connector",
                     "create",
                     "Local applications",
                     "--binding",
                     fmt::format("127.0.0.1:{}", port),
                     "--remote-range",
                     "127.0.0.0/8",
                     "--permission-group",
                     "anonymous",
                     "--permission",
                     "any-recipient"});
                break;
            } catch (const std::runtime_error&) {
                if (tries == kTries) throw;
            }
        }
        ctl(
            {"transport-config",
             "set",
             "--message-retry-interval",
             "2s",
             "--dsn-rate-limit",
             "unlimited"});
        const auto status = boost::json::parse(ctl({"status", "--json"}));
        for (const auto& listener : status.at("listeners").as_array()) {
            const auto endpoint =
                Endpoint::parse(std::string_view(listener.at("endpoint").as_string())).value();
            const std::string connector(listener.at("connector").as_string());
            if (connector.starts_with("Default Frontend")) smtp_port_ = endpoint.port;
            if (connector.starts_with("Client Frontend TLS ")) {
                submissions_port_ = endpoint.port;
            } else if (connector.starts_with("Client Frontend ")) {
                submission_port_ = endpoint.port;
            }
            if (connector == "Local applications") relay_port_ = endpoint.port;
        }
        if (smtp_port_ == 0 || submission_port_ == 0 || submissions_port_ == 0 || relay_port_ == 0)
            throw std::runtime_error("mailflowd does not listen as told");
    }

    [[nodiscard]] std::map<std::string, std::string> addresses() const {
        const auto path = [this](const char* name) {
            return (folder_.path() / name).string();
        };
        return {
            {"MAILFLOW_SMTP_HOST", "127.0.0.1"},
            {"MAILFLOW_SMTP_PORT", std::to_string(smtp_port_)},
            {"MAILFLOW_SUBMISSION_PORT", std::to_string(submission_port_)},
            {"MAILFLOW_SUBMISSIONS_PORT", std::to_string(submissions_port_)},
            {"MAILFLOW_RELAY_PORT", std::to_string(relay_port_)},
            {"MAILFLOW_DOMAIN", settings_.domain},
            {"MAILFLOW_SOCKET", socket()},
            {"MAILFLOW_SMTPCTL", settings_.smtpctl},
            {"MAILFLOW_LAB", settings_.lab},
            {"MAILFLOW_SINK_DIR", path("outside")},
            {"MAILFLOW_SINK_PORT", std::to_string(sink_port_)},
            {"MAILFLOW_MAILDIRS", path("state") + "/mail"},
            {"MAILFLOW_DNS", dns_->endpoint().text()},
            {"MAILFLOW_STATE_DIR", path("state")},
            {"MAILFLOW_LOG", path("mailflowd.log")},
            {"MAILFLOW_LAB_JSON", path("lab.json")}};
    }

    int run_command() {
        const auto environment = addresses();
        boost::json::object json;
        for (const auto& [name, value] : environment) {
            // MAILFLOW_SMTP_PORT → smtp_port
            std::string key = name.substr(std::string_view("MAILFLOW_").size());
            for (auto& c : key)
                c = ascii::to_lower(c);
            json[key] = value;
        }
        write_whole(folder_.path() / "lab.json", boost::json::serialize(json) + "\n");
        ChildProcess command({settings_.command, environment, {}});
        bool daemon_seen_dead = false;
        while (!command.status()) {
            if (const auto signal = await_signal(kStep)) {
                command.signal(*signal);
                if (!command.wait(kCommandPatience)) command.stop(kCommandPatience);
                return 128 + *signal;
            }
            if (!daemon_seen_dead && daemon_->status()) {
                daemon_seen_dead = true;
                std::cerr << "mailflow-lab: mailflowd ended with " << *daemon_->status()
                          << " while the command runs\n";
            }
        }
        // Orderly, so that what it logs at the end is there when the folder is kept.
        daemon_->stop(kStopPatience);
        return *command.status();
    }

    const RunSettings& settings_;
    Folder folder_;
    Zone zone_;
    SinkJournal journal_;
    std::unique_ptr<DnsServer> dns_;
    std::vector<std::unique_ptr<SmtpSink>> sinks_;
    std::unique_ptr<ChildProcess> daemon_;
    std::uint16_t sink_port_ = 0;
    std::uint16_t smtp_port_ = 0;
    std::uint16_t submission_port_ = 0;
    std::uint16_t submissions_port_ = 0;
    std::uint16_t relay_port_ = 0;
};

}  // namespace

std::string default_zone() {
    return "*              MX 10 sink.lab.\n"
           "sink.lab       A 127.0.0.1\n"
           "nxdomain.test  NXDOMAIN\n"
           "servfail.test  SERVFAIL\n"
           "noanswer.test  DROP\n"
           "nullmx.test    MX 0 .\n"
           "nomail.test    TXT \"no MX, no address\"\n";
}

int run_with_mailflow(const RunSettings& settings) {
    try {
        Harness harness(settings);
        return harness.run();
    } catch (const Interrupted& interrupted) {
        return 128 + interrupted.number;
    }
}

}  // namespace mailflow::lab

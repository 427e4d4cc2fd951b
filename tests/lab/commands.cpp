#include "tests/lab/commands.hpp"

#include "tests/lab/acked_file.hpp"
#include "tests/lab/dns_server.hpp"
#include "tests/lab/harness.hpp"
#include "tests/lab/options.hpp"
#include "tests/lab/sender.hpp"
#include "tests/lab/smtp_sink.hpp"
#include "tests/lab/verifier.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <thread>

namespace mailflow::lab {

namespace {

constexpr std::string_view kHelp = R"(mailflow-lab: the world around a mail server, for tests.

mailflow-lab serve [--zone FILE] [--dns ADDR:PORT] [--smtp ADDR:PORT[=ITEMS]]… [--out DIR] [--json]
    Answers DNS (UDP and TCP) from FILE and takes any mail. Without --dns and --smtp: 127.0.0.1, free ports.
    The first line of output is JSON: {"ready":true,"dns":"ADDR:PORT","smtp":["ADDR:PORT",…],"out":"DIR"}.
    --out DIR    each message as NNNNNN.eml, and messages.jsonl, sessions.jsonl with one JSON object a line
    --json       a JSON line on output for each message
    Ends at SIGTERM or SIGINT; the last line counts what came.

mailflow-lab send --server ADDR:PORT --from A --to B [--to C]… [--count N] [--sessions S] [--size BYTES]
                  [--acked FILE] [--rate PER-SECOND] [--per-connection N] [--patience SECONDS] [--prefix TEXT]
    Sends N messages with unique ids (X-Lab-Id, Message-ID, body), reconnects after drops, sends again what got no 250,
    and appends each id that got its 250 to FILE before it goes on. Exit 1 when any was refused or given up.

mailflow-lab verify --acked FILE (--maildir DIR | --out DIR)… [--wait SECONDS]
    Prints `acknowledged N, delivered N, lost N, duplicates N`; exit 1 when an acknowledged id is not there, whole.
    --wait SECONDS: looks again until all are there, at most so long.

mailflow-lab run [--zone FILE] [--mailflowd PATH] [--smtpctl PATH] [--domain D] [--sink ADDR[=ITEMS]]…
                 [--dir DIR] [--keep] -- COMMAND…
    Runs COMMAND beside a fresh mailflowd with DNS and an outside world, and returns its exit status. The command finds
    the addresses in MAILFLOW_SMTP_HOST, MAILFLOW_SMTP_PORT, MAILFLOW_SUBMISSION_PORT, MAILFLOW_SUBMISSIONS_PORT,
    MAILFLOW_RELAY_PORT, MAILFLOW_DOMAIN, MAILFLOW_SOCKET, MAILFLOW_SMTPCTL, MAILFLOW_LAB, MAILFLOW_SINK_DIR,
    MAILFLOW_SINK_PORT, MAILFLOW_MAILDIRS, MAILFLOW_DNS, MAILFLOW_STATE_DIR, MAILFLOW_LOG, and all of them in the file
    MAILFLOW_LAB_JSON. Exit 125: it could not be set up.

Zone file: `NAME [TTL] [IN] TYPE DATA` with A, AAAA, MX, TXT, CNAME, NS, SOA; `*.name` wildcards; $ORIGIN, $TTL, `;`.
    NAME SERVFAIL|REFUSED|NXDOMAIN|DROP|TRUNCATE [TYPE…]   a name that misbehaves (DROP: no answer at all)

Behaviour ITEMS, joined by `,` for a port, by `+` in an address (451-rcpt-2@example.com):
    CODE-STAGE[-N]  answer CODE at STAGE, the first N times (each address and port for itself) or always
    drop-STAGE[-N]  close without a reply; at `data` in the middle of the text, at `dot` after the final dot
    slow-MS         wait before each reply
    no-EXTENSION    pipelining, size, 8bitmime, smtputf8, enhancedstatuscodes not offered; without pipelining,
                    commands sent ahead are refused
    size-BYTES  recipients-N  messages-N    limits: message size, recipients of a message, messages of a connection
    STAGE: connect, ehlo, mail, rcpt, data, dot. The sender's address decides at mail, a recipient's at rcpt, data, dot.
)";

const Endpoint kAnyLoopback{IpAddress::v4(0x7f00'0001), 0};

Endpoint endpoint_of(const std::string& option, std::string_view text) {
    const auto endpoint = Endpoint::parse(text);
    if (!endpoint)
        throw UsageError("--" + option + " takes ADDRESS:PORT, not " + std::string(text));
    return *endpoint;
}

SmtpSink::Port port_of(const std::string& text) {
    const auto equals = std::min(text.find('='), text.size());
    const auto behaviour = parse_behaviour(text.substr(std::min(equals + 1, text.size())), ',');
    if (!behaviour) throw UsageError("--smtp: no such behaviour in " + text);
    return {endpoint_of("smtp", std::string_view(text).substr(0, equals)), *behaviour};
}

// Blocks the signals that end us for this and all later threads.
sigset_t block_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        ::sigaddset(&set, number);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return set;
}

int serve(const std::vector<std::string>& words) {
    const auto options = Options::parse(words, {"zone", "dns", "smtp", "out"}, {"json"});
    const auto signals = block_signals();
    auto zone =
        options.has("zone") ? Zone::load(options.text("zone")) : Zone::parse(default_zone());
    const DnsServer dns(
        std::move(zone),
        options.has("dns") ? endpoint_of("dns", options.text("dns")) : kAnyLoopback);
    std::vector<SmtpSink::Port> ports;
    for (const auto& text : options.all("smtp"))
        ports.push_back(port_of(text));
    if (ports.empty()) ports.push_back({kAnyLoopback, {}});
    SinkJournal journal(options.text("out"));
    if (options.has("json")) {
        journal.on_message([](const std::string& line) { std::cout << line << std::endl; });
    }
    {
        const SmtpSink sink(std::move(ports), journal);
        boost::json::array smtp;
        for (const auto& endpoint : sink.endpoints())
            smtp.emplace_back(endpoint.text());
        const boost::json::object ready{
            {"ready", true},
            {"dns", dns.endpoint().text()},
            {"smtp", smtp},
            {"out", options.text("out")}};
        std::cout << boost::json::serialize(ready) << std::endl;
        int signal = 0;
        ::sigwait(&signals, &signal);
    }
    const boost::json::object stopped{
        {"stopped", true},
        {"messages", journal.message_count()},
        {"sessions", journal.session_count()},
        {"queries", dns.query_count()}};
    std::cout << boost::json::serialize(stopped) << std::endl;
    return 0;
}

int send(const std::vector<std::string>& words) {
    const auto options = Options::parse(
        words,
        {"server",
         "from",
         "to",
         "count",
         "sessions",
         "size",
         "acked",
         "rate",
         "per-connection",
         "patience",
         "prefix"},
        {});
    constexpr std::uint64_t kMaxSessions = 1000;
    SendSettings settings;
    settings.server = endpoint_of("server", options.required("server"));
    settings.from = options.required("from");
    settings.to = options.all("to");
    if (settings.to.empty()) throw UsageError("--to is missing");
    settings.count = options.number("count", 1);
    settings.sessions = static_cast<unsigned>(
        std::clamp<std::uint64_t>(options.number("sessions", 1), 1, kMaxSessions));
    settings.size = options.number("size", settings.size);
    settings.rate = options.number("rate", 0);
    settings.per_connection = options.number("per-connection", 0);
    settings.patience = std::chrono::seconds(options.number("patience", 60));
    settings.prefix = options.text("prefix");

    const auto signals = block_signals();
    Interrupt stop;
    AckedFile acked(options.text("acked"));
    std::thread watcher([&] {
        // The main thread sends itself SIGTERM when the work is done.
        int signal = 0;
        ::sigwait(&signals, &signal);
        stop.set();
    });
    SendReport report;
    std::exception_ptr failure;
    try {
        report = send_messages(settings, acked, stop);
    } catch (...) {
        failure = std::current_exception();
    }
    ::pthread_kill(watcher.native_handle(), SIGTERM);
    watcher.join();
    if (failure) std::rethrow_exception(failure);
    const auto seconds = static_cast<double>(report.elapsed.count()) / 1000.0;
    fmt::print(
        "sent {}, acknowledged {}, refused {}, given up {}, attempts {}, reconnects {}, {:.2f} s, "
        "{:.0f} messages/s\n",
        settings.count,
        report.acknowledged,
        report.refused,
        report.given_up,
        report.attempts,
        report.reconnects,
        seconds,
        seconds > 0 ? static_cast<double>(report.acknowledged) / seconds : 0.0);
    return report.acknowledged == settings.count ? 0 : 1;
}

int verify(const std::vector<std::string>& words) {
    const auto options = Options::parse(words, {"acked", "maildir", "out", "wait"}, {});
    const auto ids = AckedFile::read(options.required("acked"));
    auto folders = options.all("maildir");
    for (const auto& folder : options.all("out"))
        folders.push_back(folder);
    if (folders.empty()) throw UsageError("--maildir or --out is missing");
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::seconds(options.number("wait", 0));
    auto report = verify_delivery(ids, folders);
    while (!report.holds() && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        report = verify_delivery(ids, folders);
    }
    std::cout << report.text() << "\n";
    if (report.damaged > 0) std::cout << "damaged " << report.damaged << "\n";
    constexpr std::size_t kShown = 20;
    for (std::size_t i = 0; i < report.lost.size() && i < kShown; ++i)
        std::cout << "lost: " << report.lost[i] << "\n";
    return report.holds() ? 0 : 1;
}

int run(const std::vector<std::string>& words) {
    const auto options =
        Options::parse(words, {"zone", "mailflowd", "smtpctl", "domain", "sink", "dir"}, {"keep"});
    if (options.command().empty()) throw UsageError("run needs `-- COMMAND`");
    block_signals();
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    const auto beside = [&self](const char* name) {
        return (self.parent_path() / name).string();
    };
    RunSettings settings;
    settings.zone = options.text("zone");
    settings.lab = self.string();
    settings.mailflowd =
        std::filesystem::absolute(options.text("mailflowd", beside("mailflowd"))).string();
    const auto daemon_folder = std::filesystem::path(settings.mailflowd).parent_path();
    settings.smtpctl =
        std::filesystem::absolute(options.text("smtpctl", (daemon_folder / "smtpctl").string()))
            .string();
    settings.domain = options.text("domain", settings.domain);
    settings.folder = options.text("dir");
    settings.keep = options.has("keep");
    if (options.has("sink")) settings.sinks = options.all("sink");
    settings.command = options.command();
    return run_with_mailflow(settings);
}

}  // namespace

std::string help_text() {
    return std::string(kHelp);
}

int run_subcommand(const std::vector<std::string>& words) {
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    for (const auto& word : rest) {
        if (word == "--") break;
        if (word == "--help") {
            std::cout << kHelp;
            return 0;
        }
    }
    if (words[0] == "serve") return serve(rest);
    if (words[0] == "send") return send(rest);
    if (words[0] == "verify") return verify(rest);
    if (words[0] == "run") return run(rest);
    throw UsageError("there is no subcommand \"" + words[0] + "\"");
}

}  // namespace mailflow::lab

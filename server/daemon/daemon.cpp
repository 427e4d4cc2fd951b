#include "server/daemon/daemon.hpp"

#include "dns/caching_resolver.hpp"
#include "server/admin/admin_api.hpp"
#include "server/daemon/heaps.hpp"
#include "server/daemon/host_names.hpp"
#include "server/daemon/lane_thread.hpp"
#include "server/daemon/log_sinks.hpp"
#include "server/daemon/node_status.hpp"
#include "server/daemon/system_resources.hpp"
#include "server/daemon/worker_pool.hpp"
#include "server/http/unix_http_server.hpp"
#include "storage/posix_files.hpp"
#include "storage/state_lock.hpp"
#include "transport/net/call_on.hpp"

#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <iostream>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace mailflow {

namespace {

constexpr auto kStopLimit = std::chrono::seconds(20);
// The stores are closed by then: a task that does not end holds nothing up but the exit.
constexpr auto kJoinLimit = std::chrono::seconds(5);
constexpr auto kFlushInterval = std::chrono::milliseconds(200);
constexpr unsigned kMaxLanes = 64;  // QueueId has six bits for the lane

unsigned lanes_of(const Bootstrap& settings) {
    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    return std::min(kMaxLanes, settings.threads.lanes.value_or(std::max(1U, cores / 2)));
}

unsigned workers_of(const Bootstrap& settings) {
    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    return settings.threads.workers.value_or(std::max(1U, cores / 2));
}

// As many descriptors as the system lets us have: each session takes one.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// Decisions §2.8.
void take_trust(const Bootstrap::Dns& from, DnsSettings& into) {
    using Wanted = Bootstrap::Dns::TrustAd;
    switch (from.trust_ad.value_or(Wanted::loopback)) {
        case Wanted::loopback: into.trust_ad = DnsSettings::TrustAd::loopback; break;
        case Wanted::list: into.trust_ad = DnsSettings::TrustAd::list; break;
        case Wanted::none: into.trust_ad = DnsSettings::TrustAd::none; break;
    }
    into.trusted = from.trusted;
    if (!from.probe_secure.empty()) into.probe_secure = from.probe_secure;
    if (!from.probe_bogus.empty()) into.probe_bogus = from.probe_bogus;
}

void claim_heap_of(TaskRunner& runner) {
    std::promise<void> done;
    runner.post([&done] {
        claim_heap();
        done.set_value();
    });
    done.get_future().wait();
}

// Changing the user is not built yet; going on as the one we were started as would be a promise
// broken silently.
std::string unsupported_user(const std::string& wanted) {
    if (wanted.empty() || wanted == effective_user_name()) {
        return {};
    }
    return "[process] user = \"" + wanted +
           "\": mailflowd cannot change its user yet. Start it as that user (systemd: User=" +
           wanted +
           " with AmbientCapabilities=CAP_NET_BIND_SERVICE for port 25), or remove the key";
}

std::string no_fqdn_words(const std::string& name) {
    return "this node needs a full domain name, and \"" + name +
           "\" is none. Set node.fqdn in the bootstrap file, or start with --node mail.example.com";
}

}  // namespace

struct Daemon::Members {
    Bootstrap settings;
    std::string config_file;
    SystemClock clock;
    PosixFiles files;
    SystemNetwork network;
    std::unique_ptr<DaemonLog> sink;
    Log log;
    std::unique_ptr<StateLock> lock;
    std::unique_ptr<ThreadRunner> writer;
    std::unique_ptr<ThreadRunner> keeper;
    std::unique_ptr<ThreadRunner> reader;
    std::unique_ptr<WorkerPool> workers;
    std::vector<std::unique_ptr<LaneThread>> lanes;
    std::unique_ptr<LaneThread> console;
    std::unique_ptr<SystemResources> resources;
    std::unique_ptr<MailFlow> flow;
    std::unique_ptr<NodeStatus> status;
    std::unique_ptr<AdminApi> api;
    std::unique_ptr<UnixHttpServer> admin;
    asio::io_context main_context{1};
    std::unique_ptr<asio::signal_set> signals;
    bool failed = false;  // main thread: the store gave up
    std::string failure;

    std::string prepare();
    std::string open_flow();
    std::string start_flow();
    void start_threads();
    void stop_everything();
    void wait_for_signals();
    void on_signal(int number);
    void reload();
    void store_failed(const std::string& reason);
    static Task<void> flush_log(Members* self);
};

Daemon::Daemon(Bootstrap settings, std::string config_file)
    : members_(std::make_unique<Members>()) {
    members_->settings = std::move(settings);
    members_->config_file = std::move(config_file);
}

Daemon::~Daemon() = default;

// Names, folders, log, lock. What is wrong, in words.
std::string Daemon::Members::prepare() {
    if (const auto words = unsupported_user(settings.process.user); !words.empty()) {
        return words;
    }
    if (settings.node.fqdn.empty()) {
        settings.node.fqdn = host_fqdn();
    }
    const auto name = DomainName::parse(settings.node.fqdn);
    if (!name || name->text().find('.') == std::string::npos) {
        return no_fqdn_words(settings.node.fqdn);
    }
    settings.node.fqdn = name->text();
    if (const auto made = files.make_directory(settings.state_dir); !made) {
        return "cannot make the state directory " + settings.state_dir + ": " +
               made.error().message();
    }
    // Folders below it are made when needed; its own name has to survive a power loss.
    const auto parent = std::filesystem::absolute(settings.state_dir).parent_path();
    if (const auto synced = files.sync_directory(parent.string()); !synced) {
        return "cannot sync the folder " + parent.string() + ": " + synced.error().message();
    }
    auto opened = DaemonLog::open(settings.log, clock);
    if (!opened) {
        return "cannot write the log file " + settings.log.file + ": " + opened.error().message();
    }
    sink = std::move(*opened);
    log = Log(*sink);
    auto taken = StateLock::take(settings.state_dir);
    if (!taken) {
        return taken.error().text;
    }
    lock = std::move(*taken);
    if (::geteuid() == 0) {
        log.warning("running as root", {});
    }
    // Asked for less, given more: every 250 waits for its sync, whatever the level.
    if (settings.durability.level != DurabilityLevel::power_loss) {
        log.warning("[durability] level process-crash is not offered yet; power-loss rules", {});
        settings.durability.level = DurabilityLevel::power_loss;
    }
    if (settings.threads.store_readers.value_or(1) != 1) {
        log.warning("[threads] store_readers is not obeyed yet; there is one", {});
    }
    return {};
}

std::string Daemon::Members::open_flow() {
    writer = std::make_unique<ThreadRunner>("store-writer");
    claim_heap_of(*writer);
    keeper = std::make_unique<ThreadRunner>("store-keeper");
    reader = std::make_unique<ThreadRunner>("store-reader");
    workers = std::make_unique<WorkerPool>(workers_of(settings));
    for (unsigned i = 0; i < lanes_of(settings); ++i) {
        lanes.push_back(std::make_unique<LaneThread>(clock, log, i, "lane-" + std::to_string(i)));
    }
    console = std::make_unique<LaneThread>(clock, log, kMaxLanes - 1, "console");

    DnsSettings dns;
    for (const auto& server : settings.dns.servers) {
        dns.servers.push_back(server.text());
    }
    take_trust(settings.dns, dns);
    MailFlowSettings flow_settings;
    flow_settings.state_dir = settings.state_dir;
    flow_settings.key_file = settings.key_file();
    flow_settings.node = {settings.node.fqdn, settings.node.site};
    flow_settings.first.domain = settings.node.domain;
    for (const auto& address : settings.listen_addresses()) {
        flow_settings.first.smtp.push_back({address, settings.listen.smtp});
        flow_settings.first.submission.push_back({address, settings.listen.submission});
        flow_settings.first.submissions.push_back({address, settings.listen.submissions});
    }
    flow_settings.allow_destinations = settings.deliver.allow_destinations;
    flow_settings.own_addresses = interface_addresses();
    std::vector<Lane*> lane_list;
    for (auto& lane : lanes) {
        lane_list.push_back(&lane->lane());
    }
    const auto resolver_for = [dns](Lane& lane) -> Result<MailFlowWorld::LaneResolver> {
        auto resolver = make_resolver(lane, dns);
        if (!resolver) {
            return resolver.error();
        }
        auto* const raw = resolver->get();
        return MailFlowWorld::LaneResolver{std::move(*resolver), [raw] {
                                               raw->stop();
                                           }};
    };
    resources = std::make_unique<SystemResources>(settings.state_dir);
    auto opened = MailFlow::open(
        std::move(flow_settings),
        {clock,
         network,
         files,
         "",
         std::move(lane_list),
         console->lane(),
         *writer,
         *keeper,
         *reader,
         *workers,
         resolver_for,
         log,
         find_port_holder,
         resources.get()},
        [this](const std::string& reason) {
            asio::post(main_context, [this, reason] { store_failed(reason); });
        });
    if (!opened) {
        return opened.error().text;
    }
    flow = std::move(*opened);
    return {};
}

void Daemon::Members::start_threads() {
    for (const auto& lane : lanes) {
        lane->start();
    }
    console->start();
    auto& lane = console->lane();
    lane.post([this, &lane] { lane.spawn("flush log", flush_log(this)); });
}

Task<void> Daemon::Members::flush_log(Members* self) {
    auto& lane = self->console->lane();
    while (!lane.is_stopping()) {
        self->sink->flush();
        self->flow->tend();
        const auto later = lane.clock().monotonic() + kFlushInterval;
        co_await lane.sleep_until(later);
    }
}

// Runs the flow's start on the console lane and waits for its end.
std::string Daemon::Members::start_flow() {
    std::promise<std::string> done;
    auto words = done.get_future();
    auto& lane = console->lane();
    const auto begin = [](Members* self, std::promise<std::string>* answer) -> Task<void> {
        const auto problems = co_await self->flow->start();
        std::string text;
        if (!problems) {
            text = "the configuration could not be loaded: " + problems.error().message();
        } else {
            for (const auto& problem : *problems) {
                text += (text.empty() ? "" : "\n") + problem;
            }
        }
        if (text.empty()) {
            self->status = std::make_unique<NodeStatus>(NodeStatus::Parts{
                self->console->lane(),
                *self->flow,
                *self->workers,
                self->clock,
                self->settings.node.fqdn,
                to_text(self->settings.durability.level),
                self->settings.dns.trust_ad.value_or(Bootstrap::Dns::TrustAd::none) !=
                    Bootstrap::Dns::TrustAd::none});
            self->api = std::make_unique<AdminApi>(AdminApi::Parts{
                self->console->lane(),
                self->flow->lanes(),
                self->flow->organization(),
                self->flow->queue(),
                self->flow->tracking(),
                *self->status,
                self->flow->observation().protocol_log(),
                [self](DomainName domain) { return self->flow->find_mx(std::move(domain)); },
                [self](ExplainRequest request, std::string* why) {
                    return self->flow->explain(std::move(request), why);
                },
                self->flow->peers()});
            self->admin = std::make_unique<UnixHttpServer>(self->console->lane(), *self->api);
            const auto socket = self->settings.admin_socket();
            const auto folder = std::filesystem::absolute(socket).parent_path();
            (void)self->files.make_directory(folder.string());
            if (const auto opened = self->admin->listen(socket); !opened) {
                text = "cannot open the admin socket " + socket + ": " + opened.error().message();
            }
        }
        answer->set_value(text);
    };
    lane.post([&lane, this, &done, &begin] { lane.spawn("start", begin(this, &done)); });
    return words.get();
}

void Daemon::Members::stop_everything() {
    std::promise<void> done;
    auto& lane = console->lane();
    const auto end = [](Members* self, std::promise<void>* answer) -> Task<void> {
        if (self->admin) {
            self->admin->stop();
        }
        co_await self->flow->stop(kStopLimit);
        answer->set_value();
    };
    lane.post([&lane, this, &done, &end] { lane.spawn("stop", end(this, &done)); });
    done.get_future().wait();
    std::vector<LaneThread*> threads = {console.get()};
    for (auto& thread : lanes) {
        threads.push_back(thread.get());
    }
    for (auto* thread : threads) {
        thread->stop_and_join(kJoinLimit);
    }
    admin.reset();
    api.reset();
    status.reset();
    flow.reset();
}

void Daemon::Members::store_failed(const std::string& reason) {
    log.error("the store failed; stopping", {{"reason", reason}});
    failed = true;
    failure = reason;
    main_context.stop();
}

void Daemon::Members::wait_for_signals() {
    signals->async_wait([this](const ErrorCode& error, int number) {
        if (!error) {
            on_signal(number);
        }
    });
}

void Daemon::Members::on_signal(int number) {
    if (number == SIGHUP) {
        reload();
        wait_for_signals();
        return;
    }
    log.info("stopping", {{"signal", number == SIGTERM ? "TERM" : "INT"}});
    main_context.stop();
}

// The bootstrap file is checked; what can change without a restart is the log file's name on disk.
// An invalid file changes nothing.
void Daemon::Members::reload() {
    sink->reopen();
    const auto read = load_bootstrap(files, config_file);
    if (!read.ok()) {
        for (const auto& error : read.errors) {
            log.error("the bootstrap file is wrong; the old settings stay", {{"reason", error}});
        }
        return;
    }
    log.info(
        "reloaded",
        {{"note", "log reopened; other bootstrap settings take effect at the next start"}});
}

int Daemon::run() {
    auto& self = *members_;
    raise_descriptor_limit();
    limit_heaps(lanes_of(self.settings) + 2);  // the lanes, the console, the store's writer
    ::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): cannot fail for a valid signal
    const auto refuse = [&self](const std::string& words, int status) {
        self.log.error("cannot start", {{"reason", words}});
        std::cerr << "mailflowd: " << words << "\n";
        return status;
    };
    if (const auto words = self.prepare(); !words.empty()) {
        return refuse(words, self.lock || self.sink ? 1 : 2);
    }
    if (const auto words = self.open_flow(); !words.empty()) {
        return refuse(words, 1);
    }
    self.signals = std::make_unique<asio::signal_set>(self.main_context, SIGTERM, SIGINT, SIGHUP);
    self.wait_for_signals();
    self.start_threads();
    const auto words = self.start_flow();
    if (words.empty()) {
        self.log.info(
            "ready",
            {{"version", MAILFLOW_VERSION},
             {"node", self.settings.node.fqdn},
             {"durability", to_text(self.settings.durability.level)},
             {"state-dir", self.settings.state_dir}});
        std::cout << "ready" << std::endl;
        self.main_context.run();
    }
    // A second TERM or INT ends the process at once.
    self.signals.reset();
    self.stop_everything();
    self.sink->flush();
    if (!words.empty()) {
        return refuse(words, 1);
    }
    return self.failed ? refuse(self.failure, 1) : 0;
}

}  // namespace mailflow

#include "tests/simulation/sim_day.hpp"

#include "tests/simulation/sim_admin.hpp"
#include "tests/simulation/sim_crashes.hpp"
#include "tests/simulation/sim_server.hpp"
#include "tests/simulation/sim_store_check.hpp"
#include "tests/simulation/sim_traffic.hpp"
#include "tests/simulation/sim_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <stdexcept>

namespace mailflow::sim {

namespace {

constexpr UtcTime kMorning{std::chrono::milliseconds(1'767'571'200'000)};  // 2026-01-05 00:00 UTC
constexpr auto kDay = std::chrono::hours(24);
constexpr auto kExpiry = std::chrono::hours(6);
// After the day everything works: what is not out of the queue by then never will be.
constexpr auto kLongestWait = kExpiry + std::chrono::hours(6);
constexpr auto kQuietCheck = std::chrono::minutes(10);
constexpr unsigned kCrashes = 3;
constexpr auto kTrackingDelay = std::chrono::milliseconds(1100);

constexpr const char* kStateDir = "/var/lib/mailflow";

// What a day must hold to be worth its time.
constexpr std::uint64_t kLeastMessages = 150;
constexpr std::uint64_t kLeastCuts = 20;

IpAddress our_address() {
    return IpAddress::parse("192.0.2.1").value();
}

MailFlowSettings flow_settings(Mutant mutant) {
    MailFlowSettings settings;
    settings.state_dir = kStateDir;
    settings.node = {"mail.our.test", "default"};
    settings.first.domain = kOurDomain;
    settings.first.smtp = {{our_address(), 25}};
    settings.own_addresses = {our_address()};
    settings.queue_limits.maintenance_interval = std::chrono::minutes(5);
    settings.store_mutants.sync_left_out = mutant == Mutant::sync_left_out;
    settings.store_mutants.reply_before_commit = mutant == Mutant::reply_before_commit;
    settings.lost_announce = mutant == Mutant::lost_announce;
    return settings;
}

std::string with_crlf(const std::string& text) {
    std::string result;
    result.reserve(text.size() + text.size() / 40);
    for (const char c : text) {
        if (c == '\n') {
            result += '\r';
        }
        result += c;
    }
    return result;
}

class Day {
  public:
    explicit Day(const DayOptions& options);
    DayResult run();

    // False: the day was given up, and tasks still use it.
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

  private:
    struct NullFailure {
        std::size_t attempt = 0;
        std::string recipient;
        MonotonicTime time;
    };

    [[nodiscard]] SimServer::Hooks server_hooks();
    [[nodiscard]] SimSink::Parts sink_parts();
    [[nodiscard]] SimClient::Parts client_parts();
    [[nodiscard]] SimFaults choose_faults();
    void configure();
    void plan_changes();
    void plan_crashes();
    void read_log(std::string_view event, std::initializer_list<LogField> fields);
    void on_ended(Ending ending);
    void on_opened();
    void step(MonotonicTime limit);
    void run_until(MonotonicTime limit);
    void wait_for_quiet();
    void ask_tracking();
    void close_books();
    void read_mailboxes();
    void count_rerouted();
    void check_fullness();
    void end_outside();
    [[nodiscard]] DayResult result();

    DayOptions options_;
    SeededRandom random_;
    SeededRandom traffic_random_;
    SeededRandom world_random_;
    SeededRandom fault_random_;
    SimLoop loop_{kMorning};
    Trace trace_;
    SimNetwork network_;
    SimDisk disk_;
    FakeResolver zone_;
    Ledger ledger_;
    Lane outside_;  // of clients and remote hosts
    std::unique_ptr<CrashPlan> crashes_;
    std::unique_ptr<SimWorld> world_;
    std::unique_ptr<SimTraffic> traffic_;
    std::unique_ptr<SimServer> server_;
    bool faults_ = true;
    bool is_last_life_ = false;
    bool has_ended_ = false;
    std::uint64_t cuts_after_dot_ = 0;
    std::uint64_t changes_ = 0;
    std::uint64_t rerouted_ = 0;
    std::vector<NullFailure> null_failures_;
    std::vector<std::pair<std::size_t, std::string>> unreachable_;
};

Day::Day(const DayOptions& options)
    : options_(options)
    , random_(options.seed)
    , traffic_random_(random_.next())
    , world_random_(random_.next())
    , fault_random_(random_.next())
    , trace_(loop_.clock(), options.print_trace)
    , network_(loop_.events())
    , outside_({loop_.context(), loop_.clock(), world_random_, Log(), 0, false}) {
    loop_.add(outside_);
    network_.choose_faults(
        [this](const Endpoint& /*client*/, const Endpoint& /*server*/) { return choose_faults(); });
    crashes_ = std::make_unique<CrashPlan>(CrashPlan::Parts{loop_, random_, trace_, [this] {
                                                                return traffic_->waiting();
                                                            }});
    disk_.watch(crashes_.get());
    world_ = std::make_unique<SimWorld>(sink_parts(), loop_, zone_);
    SimTraffic::Settings traffic;
    traffic.frontend = {our_address(), 25};
    traffic.applications = {our_address(), 2526};
    traffic_ = std::make_unique<SimTraffic>(client_parts(), loop_, traffic);
    server_ = std::make_unique<SimServer>(
        SimServer::Parts{loop_, network_, disk_, zone_, trace_},
        SimServer::Settings{
            flow_settings(options.mutant),
            1 + static_cast<unsigned>(options.seed % 2),
            random_.next()},
        server_hooks());
    crashes_->attach(*server_);
}

SimServer::Hooks Day::server_hooks() {
    SimServer::Hooks hooks;
    hooks.violation = [this](const std::string& words) {
        ledger_.violation(words);
    };
    hooks.opened = [this] {
        on_opened();
    };
    hooks.ended = [this](Ending ending) {
        on_ended(ending);
    };
    hooks.log = [this](LogLevel /*level*/, std::string_view event, auto fields) {
        read_log(event, fields);
    };
    return hooks;
}

SimSink::Parts Day::sink_parts() {
    SimSink::Hooks hooks;
    hooks.accepted = [this] {
        crashes_->remote_accepted();
    };
    hooks.cut_after_dot = [this] {
        ++cuts_after_dot_;
    };
    return {outside_, network_, world_random_, ledger_, trace_, hooks};
}

SimClient::Parts Day::client_parts() {
    SimClient::Hooks hooks;
    hooks.acknowledged = [this] {
        crashes_->acknowledged();
    };
    hooks.cut_after_dot = [this] {
        cuts_after_dot_ += server_->is_up() ? 1 : 0;
    };
    return {outside_, network_, traffic_random_, ledger_, trace_, hooks};
}

// One connection in four is cut somewhere, early mostly.
SimFaults Day::choose_faults() {
    SimFaults faults;
    faults.latency = std::chrono::milliseconds(1 + fault_random_.below(60));
    if (!faults_ || fault_random_.below(4) > 0) {
        return faults;
    }
    const auto where = 1 + fault_random_.below(fault_random_.below(3) == 0 ? 8000 : 900);
    if (fault_random_.below(2) == 0) {
        faults.cut_client_after = where;
    } else {
        faults.cut_server_after = where / 2;
    }
    return faults;
}

// ---- what is configured, and when it changes

void Day::configure() {
    server_->administer(set_limits(
        {{"queue_glitch_retry_interval", "2m"},
         {"transient_failure_retry_interval", "8m"},
         {"outbound_connection_failure_retry_interval", "15m"},
         {"long_retry_after", "3h"},
         {"long_retry_interval", "30m"},
         {"message_retry_interval", "12m"},
         {"message_expiration_timeout", "6h"},
         {"delay_notification_timeout", "90m"},
         // The ledger counts what senders are told, each of them, and nobody else.
         {"dsn_rate_limit", "unlimited"},
         {"double_bounce", "drop"},
         {"generate_copy_of_dsn_for", boost::json::array{"5.4.8"}}}));
    server_->administer(create_object(
        "receive-connector",
        "Applications",
        {{"bindings", {"192.0.2.1:2526"}},
         {"permission_groups", {"anonymous"}},
         {"permissions", {"any-recipient", "any-sender", "authoritative-domain-sender"}}}));
    server_->administer(create_remote_connector());
    for (const auto* name : {"alice", "bob", "carol"}) {
        server_->administer(create_object("mailbox", name, {}));
    }
}

void Day::plan_changes() {
    const auto begin = loop_.now();
    const auto after = [&](std::uint64_t least, std::uint64_t most) {
        return begin + std::chrono::minutes(least + random_.below(most - least));
    };
    if (random_.below(3) == 0) {
        const auto gap = after(60, 180);
        server_->administer(remove_object("send-connector", "Remote", gap));
        server_->administer(
            create_remote_connector(gap + std::chrono::minutes(5 + random_.below(60))));
        changes_ += 2;
    }
    auto island = create_object(
        "send-connector",
        "Island",
        {{"address_spaces", {std::string("smtp:") + std::string(kIslandDomain)}}},
        after(300, 1100));
    island.done = [this] {
        for (const auto& attempt : ledger_.attempts()) {
            for (const auto& recipient : attempt.recipients) {
                if (attempt.fate == Fate::acknowledged && recipient.accepted &&
                    recipient.address.ends_with(kIslandDomain)) {
                    unreachable_.emplace_back(attempt.number, recipient.address);
                }
            }
        }
    };
    server_->administer(std::move(island));
    ++changes_;
    for (auto retries = random_.below(3); retries > 0; --retries) {
        loop_.events().at(after(60, 1380), [this] { server_->retry_queues(); });
    }
    if (random_.below(2) == 0) {
        server_->administer(set_limits({{"message_retry_interval", "20m"}}, after(1100, 1300)));
        ++changes_;
    }
}

void Day::plan_crashes() {
    constexpr Instant kInstants[] = {
        Instant::at_once,
        Instant::body_synced,
        Instant::body_synced,
        Instant::log_sync,
        Instant::log_synced,
        Instant::log_synced,
        Instant::remote_accepted,
        Instant::remote_accepted,
        Instant::acknowledged,
        Instant::acknowledged,
        Instant::mailbox_synced,
        Instant::some_sync,
        Instant::log_sync_fails};
    const auto part = std::chrono::minutes(21 * 60 / kCrashes);
    for (unsigned i = 0; i < kCrashes; ++i) {
        const auto when = loop_.now() + std::chrono::minutes(60) + part * i +
                          std::chrono::seconds(random_.below(60U * 60 * 4));
        const auto instant = kInstants[random_.below(std::size(kInstants))];
        loop_.events().at(when, [this, instant] { crashes_->arm(instant); });
    }
}

// ---- what happens

// A failure of a null sender's message is known from tracking, which may lose its last second.
void Day::read_log(std::string_view event, std::initializer_list<LogField> fields) {
    if (event != "failed" || !disk_.is_on()) {
        return;
    }
    NullFailure failure;
    bool is_null = false;
    for (const auto& field : fields) {
        if (field.key == "message-id") {
            const auto named = attempts_named_in(field.text);
            failure.attempt = named.empty() ? SIZE_MAX : named.front();
        } else if (field.key == "from") {
            is_null = field.text == "<>";
        } else if (field.key == "to") {
            failure.recipient = field.text;
        }
    }
    if (is_null && failure.attempt != SIZE_MAX) {
        failure.time = loop_.now();
        null_failures_.push_back(std::move(failure));
    }
}

void Day::on_ended(Ending ending) {
    crashes_->ended();
    if (ending == Ending::power_loss || ending == Ending::kill) {
        for (const auto& failure : null_failures_) {
            if (loop_.now() - failure.time < kTrackingDelay) {
                ledger_.failed_in_tracking(failure.attempt, failure.recipient);
            }
        }
    }
    null_failures_.clear();
}

void Day::on_opened() {
    const auto found = check_store(disk_, server_->vfs().name(), kStateDir, is_last_life_);
    for (const auto& problem : found.problems) {
        ledger_.violation("the store after a restart: " + problem);
    }
    crashes_->reopened(found.attempts);
    if (is_last_life_ && found.messages != 0) {
        ledger_.violation(fmt::format("{} messages came back from the dead", found.messages));
    }
    trace_.note(fmt::format("server opens its stores, {} messages", found.messages));
}

void Day::step(MonotonicTime limit) {
    loop_.settle();
    if (!server_->tick()) {
        loop_.advance(limit);
    }
}

void Day::run_until(MonotonicTime limit) {
    while (loop_.now() < limit) {
        step(limit);
    }
}

// The clients come to an end, then the queue.
void Day::wait_for_quiet() {
    const auto latest = loop_.now() + kLongestWait;
    while (loop_.now() < latest) {
        run_until(loop_.now() + kQuietCheck);
        if (!traffic_->is_over() || server_->has_operations()) {
            continue;
        }
        server_->forget_totals();
        server_->ask_totals();
        run_until(loop_.now() + std::chrono::seconds(1));
        if (server_->messages() == 0) {
            return;
        }
    }
    ledger_.violation(fmt::format(
        "the queue does not become empty: {} messages after {} hours",
        server_->messages().value_or(0),
        std::chrono::duration_cast<std::chrono::hours>(kLongestWait).count()));
}

// ---- the accounts

void Day::ask_tracking() {
    for (const auto number : ledger_.undelivered_of_null_senders()) {
        TrackingQuery query;
        query.message_id = message_id_of(number);
        query.event = TrackingEventId::fail;
        server_->track(std::move(query), [this, number](std::vector<TrackingEvent> events) {
            for (const auto& event : events) {
                for (const auto& recipient : event.recipients) {
                    ledger_.failed_in_tracking(number, recipient);
                }
            }
        });
    }
    run_until(loop_.now() + std::chrono::seconds(5));
}

void Day::read_mailboxes() {
    const auto root = std::string(kStateDir) + "/mail";
    const auto folders = disk_.list(root);
    if (!folders) {
        return;
    }
    for (const auto& folder : *folders) {
        const auto path = root + "/" + folder + "/new";
        const auto files = disk_.list(path);
        for (const auto& name : files.value()) {
            auto file = std::move(disk_.open(path + "/" + name).value());
            const auto text = file->read(0, SIZE_MAX);
            const auto recipient = fmt::format("{}@{}", folder, kOurDomain);
            ledger_.arrived("mailbox " + folder, recipient, with_crlf(text.value()), true);
        }
    }
}

void Day::count_rerouted() {
    for (const auto& [attempt, recipient] : unreachable_) {
        rerouted_ += ledger_.is_delivered(attempt, recipient) ? 1 : 0;
    }
}

void Day::close_books() {
    ask_tracking();
    server_->stop();
    const auto latest = loop_.now() + std::chrono::minutes(10);
    while (!server_->is_off() && loop_.now() < latest) {
        step(latest);
    }
    if (!server_->is_off()) {
        ledger_.violation("the server does not stop");
        return;
    }
    read_mailboxes();
    ledger_.check();
    count_rerouted();
    is_last_life_ = true;
    server_->start();  // sweeps, opens and is looked at
    server_->stop();
    while (!server_->is_off() && loop_.now() < latest + std::chrono::minutes(10)) {
        step(latest + std::chrono::minutes(10));
    }
}

void Day::check_fullness() {
    const auto cuts = network_.counters().cut;
    const auto crashes = crashes_->counts().crashes;
    if (ledger_.attempts().size() < kLeastMessages || cuts < kLeastCuts || crashes < kCrashes ||
        changes_ == 0) {
        ledger_.violation(fmt::format(
            "too easy a day: {} messages, {} cuts, {} crashes, {} changes",
            ledger_.attempts().size(),
            cuts,
            crashes,
            changes_));
    }
}

// What the outside still does ends, so that nothing outlives the day.
void Day::end_outside() {
    traffic_->shut_down();
    world_->shut_down();
    outside_.stop();
    loop_.settle();
    if (outside_.tasks().live() > 0 || outside_.tasks().failed() > 0) {
        throw std::runtime_error("the outside does not end: " + outside_.tasks().live_names());
    }
}

DayResult Day::run() {
    try {
        server_->start();
        configure();
        plan_changes();
        plan_crashes();
        const auto begin = loop_.now();
        world_->start(begin + kDay);
        traffic_->start(begin + std::chrono::minutes(10), begin + kDay - std::chrono::minutes(30));
        run_until(begin + kDay);
        faults_ = false;
        crashes_->stop_faults();
        traffic_->stop_cutting();
        world_->heal();
        trace_.note("the faults are over");
        wait_for_quiet();
        close_books();
        check_fullness();
        end_outside();
        has_ended_ = true;
    } catch (const std::exception& error) {
        ledger_.violation(error.what());
    }
    return result();
}

DayResult Day::result() {
    DayResult result;
    result.seed = options_.seed;
    result.hash = trace_.hash();
    result.violations = ledger_.violations();
    const auto& crashes = crashes_->counts();
    result.counts = {
        {"messages", ledger_.attempts().size()},
        {"acknowledged", ledger_.acknowledged()},
        {"duplicates", ledger_.duplicates()},
        {"connections", network_.counters().connections},
        {"cut connections", network_.counters().cut},
        {"crashes", crashes.crashes},
        {"configuration changes", changes_},
        {"failed syncs", crashes.failed_syncs},
        {"steps", loop_.steps()},
        {"crash between body sync and commit", crashes.between_body_and_commit},
        {"crash between commit and announce", crashes.between_commit_and_announce},
        {"crash between remote 250 and mark", crashes.between_remote_and_mark},
        {"cut after the final dot", cuts_after_dot_},
        {"second MX used", world_->taken_by_second_host()},
        {"Unreachable re-routed", rerouted_},
        {"expiry", ledger_.expiries()},
        {"delay notice", ledger_.delay_notices()},
        {"DSN committed", ledger_.reports()}};
    return result;
}

}  // namespace

DayResult run_day(const DayOptions& options) {
    auto day = std::make_unique<Day>(options);
    auto result = day->run();
    if (!day->has_ended()) {
        (void)day.release();
    }
    return result;
}

const std::vector<std::string>& required_counts() {
    static const std::vector<std::string> names{
        "crash between body sync and commit",
        "crash between commit and announce",
        "crash between remote 250 and mark",
        "cut after the final dot",
        "second MX used",
        "Unreachable re-routed",
        "expiry",
        "delay notice",
        "DSN committed"};
    return names;
}

}  // namespace mailflow::sim

#include "server/daemon/mail_flow.hpp"

#include "server/http/lane_https_fetcher.hpp"
#include "server/receive/password.hpp"
#include "transport/base/ascii.hpp"
#include "transport/net/call_on.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr auto kStopCheck = std::chrono::milliseconds(20);

}  // namespace

struct MailFlow::LaneParts {
    Lane* lane = nullptr;
    std::unique_ptr<SqliteDirectory> directory;
    std::unique_ptr<QueueIdSource> ids;
    MailFlowWorld::LaneResolver resolver;
    // Null without certificates.
    std::unique_ptr<LaneHttpsFetcher> https;
    std::unique_ptr<StsPolicies> sts;
    std::unique_ptr<AccessTokens> tokens;
    std::unique_ptr<LocalDeliveryAgent> mailbox;
    std::unique_ptr<SmtpDeliveryAgent> smtp;
    std::unique_ptr<AuthGate> gate;
    std::unique_ptr<Authenticator> authenticator;
    std::unique_ptr<ReceiveLane> receive;
};

MailFlow::MailFlow(MailFlowSettings settings, MailFlowWorld world)
    : settings_(std::move(settings))
    , world_(std::move(world))
    , secrets_(world_.console.random()) {}

MailFlow::~MailFlow() = default;

OpenResult<std::unique_ptr<MailFlow>> MailFlow::open(
    MailFlowSettings settings, MailFlowWorld world, OnFailed on_failed) {
    std::unique_ptr<MailFlow> flow(new MailFlow(std::move(settings), std::move(world)));
    const auto& state = flow->settings_.state_dir;
    auto& with = flow->world_;

    QueueDatabaseSettings queue;
    queue.path = state + "/queue.db";
    queue.spool = state + "/spool";
    queue.vfs = with.vfs;
    queue.mutants = flow->settings_.store_mutants;
    auto queue_database = QueueDatabase::open(
        queue,
        {flow->queue_lane(),
         with.store_writer,
         with.store_reader,
         with.worker,
         with.files,
         with.log},
        std::move(on_failed));
    if (!queue_database) {
        return queue_database.error();
    }
    flow->queue_database_ = std::move(*queue_database);

    auto organization = OrganizationDatabase::open(
        {state + "/organization.db", with.vfs}, {with.store_keeper, with.store_reader, with.clock});
    if (!organization) {
        return organization.error();
    }
    flow->organization_database_ = std::move(*organization);

    flow->tracking_ = std::make_unique<SqliteTrackingLog>(
        TrackingLogSettings{state + "/tracking", with.vfs},
        SqliteTrackingLog::Parts{
            flow->queue_lane(), with.store_keeper, with.store_reader, with.files, with.log});
    if (const auto opened = flow->tracking_->open(); !opened) {
        return StoreFailure{
            opened.error(),
            "could not open the tracking folder " + state +
                "/tracking: " + opened.error().message()};
    }
    flow->observation_ = std::make_unique<Observation>(
        state,
        Observation::Parts{
            with.lanes,
            with.store_keeper,
            with.worker,
            with.files,
            with.clock,
            with.resources,
            with.log});
    flow->build_lanes();
    if (const auto built = flow->build_resolvers(); !built) {
        return StoreFailure{
            built.error(), "could not set up the DNS resolver: " + built.error().message()};
    }
    return flow;
}

void MailFlow::build_lanes() {
    if (!settings_.key_file.empty()) {
        certificates_ = std::make_unique<CertificateService>(CertificateService::Parts{
            organization_database_->certificates(),
            world_.files,
            world_.worker,
            world_.clock,
            world_.console.random(),
            settings_.key_file,
            settings_.node.fqdn,
            world_.log});
        peers_ = std::make_unique<PeerDatabase>(
            PeerDatabaseSettings{settings_.state_dir + "/peers.db", world_.vfs},
            PeerDatabase::Parts{queue_lane(), world_.store_keeper, world_.files, world_.log});
    }
    probe_ = std::make_unique<BindingProbe>(BindingProbe::Parts{
        world_.network,
        world_.console,
        queue_lane(),
        world_.worker,
        world_.find_port_holder,
        [this] {
            return receive_ ? receive_->listeners() : std::vector<ListenerState>();
        }});
    service_ = std::make_unique<OrganizationService>(OrganizationService::Parts{
        organization_database_->objects(),
        organization_database_->recipients(),
        settings_.node,
        [this](OrganizationPtr organization) { publish(std::move(organization)); },
        [this](std::vector<Endpoint> wanted) { return probe_->probe(std::move(wanted)); },
        [this](const std::string& name) { return has_certificate(name); },
        [this](std::string password) {
            return hash_password(world_.worker, world_.console.random(), std::move(password));
        },
        [this](DomainName domain) { return find_mx(std::move(domain)); },
        certificates_ == nullptr ? nullptr : &secrets_});
    for (auto* lane : world_.lanes) {
        auto parts = std::make_unique<LaneParts>();
        parts->lane = lane;
        parts->directory = organization_database_->make_directory(lane->executor());
        parts->ids = std::make_unique<QueueIdSource>(world_.clock, lane->number());
        lanes_.push_back(std::move(parts));
    }
}

Result<> MailFlow::build_resolvers() {
    for (auto& parts : lanes_) {
        auto resolver = world_.make_resolver(*parts->lane);
        if (!resolver) {
            return resolver.error();
        }
        parts->resolver = std::move(*resolver);
    }
    mx_lookup_ = std::make_unique<MxLookup>(
        world_.console, queue_lane(), *lanes_.front()->resolver.resolver);
    return {};
}

const Resolver& MailFlow::resolver() const {
    return *lanes_.front()->resolver.resolver;
}

// On the console lane. Everything that lives on a lane is told there, in the order of the changes.
void MailFlow::publish(OrganizationPtr organization) {
    tracking_->set_retention_days(organization->transport().tracking_retention_days);
    renew_tls_contexts(*organization);
    queue_lane().post([this, organization = std::move(organization)] {
        if (manager_) {
            manager_->set_organization(organization);
            receive_->apply(organization);
            tell_listeners();
        }
    });
}

void MailFlow::renew_tls_contexts(const Organization& organization) {
    if (certificates_ == nullptr) {
        return;
    }
    tls_contexts_ = certificates_->build(organization);
    queue_lane().post([this, contexts = tls_contexts_] {
        if (receive_) {
            spread_tls_contexts(contexts);
        }
    });
}

void MailFlow::spread_tls_contexts(const TlsContextsPtr& contexts) {
    receive_->set_tls_contexts(contexts);
    for (auto& parts : lanes_) {
        parts->lane->post([&own = *parts, contexts] {
            own.smtp->set_tls_contexts(contexts);
            if (own.https) {
                own.https->set_tls_contexts(contexts);
            }
        });
    }
}

bool MailFlow::has_certificate(const std::string& name) const {
    if (certificates_ == nullptr) {
        return false;
    }
    const auto& all = certificates_->certificates();
    return std::any_of(all.begin(), all.end(), [&name](const auto& certificate) {
        return ascii::equal_ignoring_case(certificate.name, name) ||
               ascii::equal_ignoring_case(certificate.facts.thumbprint, name);
    });
}

void MailFlow::tend() {
    observation_->tend();
    const auto organization = service_->organization();
    if (tls_contexts_ != nullptr && organization != nullptr &&
        certificates_->rotation_due() <= world_.clock.now()) {
        renew_tls_contexts(*organization);
    }
}

std::vector<Endpoint> MailFlow::open_listeners() const {
    std::vector<Endpoint> open;
    for (const auto& listener : receive_->listeners()) {
        if (listener.is_open()) {
            open.push_back(listener.local);
        }
    }
    return open;
}

// On the queue lane. Smart hosts that are ourselves are refused by where we really listen.
void MailFlow::tell_listeners() {
    const auto open = open_listeners();
    for (auto& parts : lanes_) {
        parts->lane->post([&own = *parts, open] {
            own.smtp->set_listeners(open);
            if (own.https) {
                own.https->set_listeners(open);
            }
        });
    }
}

// Why they cannot be used; empty: they can.
Task<std::string> MailFlow::open_certificates() {
    std::string why;
    if (certificates_ != nullptr) {
        const auto opened = co_await certificates_->open(&why);
        if (!opened && why.empty()) {
            why = "the certificates could not be read: " + opened.error().message();
        }
        if (opened) {
            secrets_.unlock(certificates_->secret_box());
        }
    }
    co_return why;
}

Task<Result<std::vector<std::string>>> MailFlow::start() {
    auto why = co_await open_certificates();
    if (!why.empty()) {
        co_return std::vector<std::string>{std::move(why)};
    }
    auto problems = co_await service_->open(settings_.first);
    if (!problems) {
        co_return problems.error();
    }
    std::vector<std::string> texts;
    for (const auto& problem : *problems) {
        texts.push_back(problem.text());
    }
    if (!texts.empty()) {
        co_return texts;
    }
    const auto begin = [this] {
        return start_flow();
    };
    co_await call_on(world_.console, queue_lane(), begin);
    co_return texts;
}

void MailFlow::build_receive_lane(LaneParts& parts, std::size_t number) {
    auto* const queue_lane_of_flow = &queue_lane();
    parts.gate = std::make_unique<AuthGate>(guard_, queue_lane(), *parts.lane);
    parts.authenticator = std::make_unique<Authenticator>(Authenticator::Parts{
        *parts.directory, world_.worker, *parts.gate, organization_database_->login_secret()});
    parts.receive = std::make_unique<ReceiveLane>(ReceiveServices{
        *parts.lane,
        queue_database_->queue(),
        queue_database_->bodies(),
        *parts.directory,
        *tracking_,
        *parts.ids,
        [this, queue_lane_of_flow, own = parts.lane](QueuedMessagePtr message) {
            if (own == queue_lane_of_flow) {
                manager_->announce(std::move(message));
            } else {
                queue_lane_of_flow->post(
                    [this, message = std::move(message)] { manager_->announce(message); });
            }
        },
        world_.log,
        parts.authenticator.get(),
        &observation_->receive_metrics(number),
        &observation_->protocol_log(),
        [secret = organization_database_->login_secret()](std::string_view text) {
            return srs_mac(secret, text);
        }});
}

Task<Result<Explanation>> MailFlow::explain(ExplainRequest request, std::string* why) {
    auto& first = *lanes_.front();
    const auto organization = service_->organization();
    TargetRules rules;
    rules.own_addresses = settings_.own_addresses;
    rules.allowed = settings_.allow_destinations;
    const auto ask = [this, &first, &organization, &rules, &request, why] {
        rules.listeners = open_listeners();
        return mailflow::explain(
            ExplainParts{
                queue_lane(),
                *first.directory,
                first.resolver.resolver.get(),
                organization,
                first.receive->address_tools(organization),
                std::move(rules)},
            std::move(request),
            why);
    };
    auto answer = co_await call_on(world_.console, queue_lane(), ask);
    co_return answer;
}

void MailFlow::build_delivery_lane(LaneParts& parts) {
    SmtpDeliveryAgent::Settings settings;
    settings.rules.own_addresses = settings_.own_addresses;
    settings.rules.allowed = settings_.allow_destinations;
    if (certificates_ != nullptr) {
        auto& resolver = *parts.resolver.resolver;
        parts.https = std::make_unique<LaneHttpsFetcher>(
            LaneHttpsFetcher::Parts{*parts.lane, world_.network, resolver}, settings.rules);
        parts.sts = std::make_unique<StsPolicies>(
            StsPolicies::Parts{*parts.lane, resolver, *parts.https, *peers_});
        parts.tokens = std::make_unique<AccessTokens>(world_.clock, *parts.https, secrets_);
    }
    parts.mailbox = std::make_unique<LocalDeliveryAgent>(
        LocalDeliveryAgent::Parts{
            world_.files, queue_database_->bodies(), world_.worker, world_.clock},
        LocalDeliverySettings{settings_.state_dir + "/mail", settings_.node.fqdn});
    parts.smtp = std::make_unique<SmtpDeliveryAgent>(
        SmtpDeliveryAgent::Parts{
            *parts.lane,
            world_.network,
            *parts.resolver.resolver,
            queue_database_->bodies(),
            peers_.get(),
            certificates_ == nullptr ? nullptr : &secrets_,
            parts.tokens.get(),
            &world_.worker,
            parts.sts.get()},
        settings);
}

// On the queue lane.
Task<bool> MailFlow::start_flow() {
    const auto organization = service_->organization();
    std::vector<DeliveryLane> delivery;
    std::vector<ReceiveLane*> receive;
    for (auto& parts : lanes_) {
        build_delivery_lane(*parts);
        delivery.push_back({parts->lane, parts->mailbox.get(), parts->smtp.get()});
        build_receive_lane(*parts, receive.size());
        receive.push_back(parts->receive.get());
    }
    manager_ = std::make_unique<QueueManager>(QueueManager::Parts{
        queue_lane(),
        queue_database_->queue(),
        queue_database_->bodies(),
        *tracking_,
        *lanes_.front()->directory,
        *lanes_.front()->ids,
        organization,
        std::move(delivery),
        settings_.queue_limits,
#ifdef MAILFLOW_MUTANTS
        settings_.lost_announce
#endif
    });
    queue_admin_ = std::make_unique<QueueAdmin>(
        *manager_, queue_database_->queue(), queue_database_->bodies());
    observation_->start(
        queue_database_->queue(), [this] { return manager_->statistics().rows; }, receive);
    receive_ = std::make_unique<ReceiveServer>(world_.network, std::move(receive));
    manager_->start();
    spread_tls_contexts(tls_contexts_);
    receive_->apply(organization);
    tell_listeners();
    co_return true;
}

Task<void> MailFlow::stop(Duration limit) {
    const auto until = world_.clock.monotonic() + limit;
    const auto end_receiving = [this, until] {
        return stop_receiving(until);
    };
    co_await call_on(world_.console, queue_lane(), end_receiving);
    const auto end_queue = [this, limit] {
        return stop_queue(limit);
    };
    co_await call_on(world_.console, queue_lane(), end_queue);
    co_await close_stores();
}

Task<bool> MailFlow::stop_receiving(MonotonicTime until) {
    if (!receive_) {
        co_return true;
    }
    observation_->stop();
    receive_->stop();
    while (receive_->live() > 0 && world_.clock.monotonic() < until) {
        const auto later = world_.clock.monotonic() + kStopCheck;
        co_await queue_lane().sleep_until(later);
    }
    if (receive_->live() > 0) {
        receive_->abort();
    }
    while (receive_->live() > 0) {
        const auto later = world_.clock.monotonic() + kStopCheck;
        co_await queue_lane().sleep_until(later);
    }
    co_return true;
}

Task<bool> MailFlow::stop_queue(Duration limit) {
    if (manager_) {
        co_await manager_->stop(limit);
    }
    for (auto& parts : lanes_) {
        parts->lane->post([&parts = *parts] {
            if (parts.smtp) {
                parts.smtp->close_idle();
            }
            parts.resolver.stop();
        });
    }
    co_return true;
}

Task<void> MailFlow::close_stores() {
    const auto close = [this] {
        return close_queue_stores();
    };
    co_await call_on(world_.console, queue_lane(), close);
    co_await observation_->close();
    co_await organization_database_->close();
}

Task<bool> MailFlow::close_queue_stores() {
    co_await tracking_->close();
    if (peers_) {
        co_await peers_->close();
    }
    co_await queue_database_->close();
    co_return true;
}

}  // namespace mailflow

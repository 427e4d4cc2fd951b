// Measures the categorizer on one core: `mailflow_categorize_bench FOLDER [SECONDS]` fills a store
// with mailboxes, warms the lane's directory up and prints how many recipients a second RCPT and
// the end of data resolve, restrict, expand and rewrite, and how many are routed. By the
// processor's time: the machine may be busy. Not a test: run by hand or by scripts/bench, in a
// release build.
#include "storage/organization_database.hpp"
#include "tests/support/run_task.hpp"
#include "transport/queue/categorize.hpp"
#include "transport/route/categorizer.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace mailflow {

namespace {

constexpr std::size_t kMailboxes = 4000;  // fewer than the lane remembers
constexpr std::uint64_t kSize = 4096;

SendConnector to_everywhere() {
    SendConnector connector;
    connector.name = "Internet";
    connector.address_spaces = {AddressSpace::parse("*").value()};
    connector.source_servers = {"mail.contoso.com"};
    return connector;
}

OrganizationPtr make_organization() {
    Organization::Parts parts;
    parts.node.fqdn = "mail.contoso.com";
    AcceptedDomain ours{"contoso.com", DomainName::parse("contoso.com").value()};
    ours.is_default = true;
    AcceptedDomain relayed{"hosted.com", DomainName::parse("hosted.com").value()};
    relayed.type = AcceptedDomainType::external_relay;
    parts.accepted_domains = {ours, relayed};
    parts.send_connectors = {to_everywhere()};
    return std::make_shared<const Organization>(std::move(parts));
}

std::vector<MailRecipient> make_mailboxes(std::size_t first, std::size_t count) {
    std::vector<MailRecipient> mailboxes;
    for (auto i = first; i < first + count; ++i) {
        auto& mailbox = mailboxes.emplace_back();
        mailbox.name = mailbox.alias = fmt::format("user{:04}", i);
        mailbox.addresses = {EmailAddress::parse(mailbox.name + "@contoso.com").value()};
    }
    return mailboxes;
}

struct Bench {
    explicit Bench(const std::string& bench_folder)
        : folder(bench_folder) {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        database = OrganizationDatabase::open(
                       {folder + "/organization.db", {}, nullptr}, {keeper, reader, clock})
                       .value();
        directory = database->make_directory(context.get_executor());
        for (std::size_t first = 0; first < kMailboxes; first += kRecipientBatch) {
            auto batch = make_mailboxes(first, kRecipientBatch);
            run_task(context, database->recipients().write_batch(std::move(batch), {"bench", {}}))
                .value();
        }
    }

    ~Bench() { std::filesystem::remove_all(folder); }

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    std::string folder;
    asio::io_context context{1};
    SystemClock clock;
    ThreadRunner keeper{"store-keeper"};
    ThreadRunner reader{"store-reader"};
    OrganizationPtr organization = make_organization();
    std::unique_ptr<OrganizationDatabase> database;
    std::unique_ptr<SqliteDirectory> directory;
};

// A message to some recipients of a domain, as the receive session puts it together.
struct Load {
    const char* what;
    const char* domain;
    std::size_t recipients;
};

SenderFacts sender_of_load() {
    SenderFacts sender;
    sender.path = ReversePath::parse("<sender@example.com>").value();
    return sender;
}

std::vector<ForwardPath> paths_of(const Load& load) {
    std::vector<ForwardPath> paths;
    for (std::size_t i = 0; i < kMailboxes; ++i)
        paths.push_back(ForwardPath::parse(fmt::format("<user{:04}@{}>", i, load.domain)).value());
    return paths;
}

QueuedMessage queued(Categorized categorized) {
    QueuedMessage message;
    message.recipients = std::move(categorized.recipients);
    message.variants = std::move(categorized.variants);
    return message;
}

// One message: every RCPT, the end of data, and the first attempt's routing.
Task<std::size_t> take_message(
    Bench& bench, const std::vector<ForwardPath>& paths, std::size_t first, std::size_t count) {
    CategorizeRequest request;
    request.sender = sender_of_load();
    request.size = kSize;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& path = paths[(first + i) % paths.size()];
        AdmitRequest admit{path, request.sender, kSize};
        auto admitted =
            co_await admit_recipient(*bench.directory, bench.organization, std::move(admit));
        CategorizeRequest::Recipient recipient{path};
        recipient.resolved = std::move(admitted.value().resolved);
        request.recipients.push_back(std::move(recipient));
    }
    auto categorized =
        co_await categorize(*bench.directory, bench.organization, std::move(request));
    const auto message = queued(std::move(categorized.value()));
    std::vector<std::uint32_t> numbers;
    for (const auto& recipient : message.recipients)
        numbers.push_back(recipient.number);
    const auto routed = route_message(message, numbers, *bench.organization);
    co_return routed.failures.empty() ? message.recipients.size() : 0;
}

Task<std::size_t> take_messages(Bench& bench, Load load, double seconds) {
    const auto paths = paths_of(load);
    std::size_t taken = 0;
    const auto end =
        std::clock() + static_cast<std::clock_t>(seconds * static_cast<double>(CLOCKS_PER_SEC));
    for (std::size_t first = 0; std::clock() < end; first += load.recipients) {
        const auto some = co_await take_message(bench, paths, first, load.recipients);
        if (some != load.recipients) throw std::logic_error("a recipient is lost");
        taken += some;
    }
    co_return taken;
}

void measure(Bench& bench, const Load& load, double seconds) {
    run_task(bench.context, take_messages(bench, load, seconds / 10));  // the directory is warm
    const auto begin = std::clock();
    const auto taken = run_task(bench.context, take_messages(bench, load, seconds));
    const double worked = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    fmt::print(
        "categorize, {}, {} a message: {:.0f} recipients/s\n",
        load.what,
        load.recipients,
        static_cast<double>(taken) / worked);
}

}  // namespace

int run(const std::string& folder, double seconds) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    Bench bench(folder);
    for (const std::size_t recipients : {1, 10, 100}) {
        measure(bench, {"plain mailbox", "contoso.com", recipients}, seconds);
        measure(bench, {"relayed address", "hosted.com", recipients}, seconds);
    }
    run_task(bench.context, bench.database->close());
    return 0;
}

}  // namespace mailflow

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        fmt::print(
            stderr,
            "usage: mailflow_categorize_bench FOLDER [SECONDS] (FOLDER is made, and removed at the "
            "end)\n");
        return 2;
    }
    return mailflow::run(argv[1], argc > 2 ? std::stod(argv[2]) : 3.0);
}

// Measures recipients by themselves: `mailflow_directory_bench FOLDER [COUNT [shuffled]]` imports
// COUNT recipients (1,000,000) in order of name, or in no order, and prints what that and the
// questions of the flow cost. Not a test: run by hand or by scripts/bench, in a release build.
#include "storage/organization_database.hpp"
#include "tests/support/run_task.hpp"
#include "transport/base/random.hpp"

#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace mailflow {

namespace {

// Of the big group.
constexpr std::uint64_t kMembers = 50'000;
constexpr std::uint64_t kQuestions = 200'000;

// Numbers below `size` in no order, each once: a step that shares no divisor with it.
std::uint64_t shuffled(std::uint64_t number, std::uint64_t size) {
    return size % 7919 == 0 ? number : number * 7919 % size;
}

std::string name_of(std::uint64_t number) {
    return fmt::format("User {:07}", number);
}

EmailAddress address_of(std::uint64_t number, const char* domain) {
    return EmailAddress::parse(fmt::format("first.last{:07}@{}", number, domain)).value();
}

// Of 100: 92 mailboxes, 6 contacts, 2 groups.
MailRecipient recipient_of(std::uint64_t number) {
    MailRecipient recipient;
    recipient.name = name_of(number);
    recipient.alias = fmt::format("u{:07}", number);
    recipient.first_name = "First";
    recipient.last_name = fmt::format("Last{:07}", number);
    recipient.display_name = recipient.name;
    recipient.addresses.push_back(address_of(number, "contoso.com"));
    recipient.addresses.push_back(address_of(number, "corp.contoso.com"));
    recipient.attributes = {{"company", "Contoso"}, {"department", "Sales"}};
    if (number % 100 >= 98) {
        recipient.kind = RecipientKind::group;
    } else if (number % 100 >= 92) {
        recipient.kind = RecipientKind::contact;
        recipient.external_address = address_of(number, "elsewhere.invalid");
    }
    return recipient;
}

// Highest so far, MiB.
double peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        double kib = 0;
        if (word == "VmHWM:" && status >> kib) return kib / 1024;
    }
    return 0;
}

struct Bench {
    explicit Bench(const std::string& bench_folder, std::uint64_t recipients)
        : folder(bench_folder)
        , count(recipients) {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        database =
            OrganizationDatabase::open({path(), {}, nullptr}, {keeper, reader, clock}).value();
        directory = database->make_directory(context.get_executor());
    }

    ~Bench() { std::filesystem::remove_all(folder); }

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    [[nodiscard]] std::string path() const { return folder + "/organization.db"; }

    template <class T>
    T run(Task<T> task) {
        return run_task(context, std::move(task));
    }

    // Seconds that `work` takes.
    template <class F>
    double seconds(const F& work) {
        const auto begin = clock.monotonic();
        work();
        return std::chrono::duration<double>(clock.monotonic() - begin).count();
    }

    // Microseconds for each of so many.
    template <class F>
    double each(std::uint64_t number, const F& work) {
        return seconds(work) * 1e6 / static_cast<double>(number);
    }

    std::string folder;
    std::uint64_t count;
    asio::io_context context{1};
    SystemClock clock;
    ThreadRunner keeper{"store-keeper"};
    ThreadRunner reader{"store-reader"};
    std::unique_ptr<OrganizationDatabase> database;
    std::unique_ptr<SqliteDirectory> directory;
};

double processor_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// Recipients a second, by the clock and by the processor's time.
std::string write_all(Bench& bench, bool in_order) {
    double took = 0;
    double worked = 0;
    for (std::uint64_t first = 0; first < bench.count; first += kRecipientBatch) {
        std::vector<MailRecipient> batch;
        const auto end = std::min<std::uint64_t>(first + kRecipientBatch, bench.count);
        for (auto i = first; i < end; ++i)
            batch.push_back(recipient_of(in_order ? i : shuffled(i, bench.count)));
        worked -= processor_seconds();
        took += bench.seconds([&] {
            const auto results = bench.run(
                bench.database->recipients().write_batch(std::move(batch), {"bench", {}}));
            for (const auto& result : results.value())
                result.value();
        });
        worked += processor_seconds();
    }
    const auto count = static_cast<double>(bench.count);
    return fmt::format(
        "{:.0f} recipients/s ({:.0f} by the processor's time)", count / took, count / worked);
}

void measure_import(Bench& bench, bool in_order) {
    const double before = peak_memory();
    const auto rate = write_all(bench, in_order);
    const auto size = [](const std::string& path) {
        return static_cast<double>(std::filesystem::file_size(path)) / (1U << 20U);
    };
    fmt::print("import: {}\n", rate);
    fmt::print("memory: {:.1f} MiB at most, {:.1f} before\n", peak_memory(), before);
    const double log = size(bench.path() + "-wal");
    fmt::print("file: {:.0f} MiB, log {:.0f} MiB\n", size(bench.path()), log);
    fmt::print("write again: {}\n", write_all(bench, in_order));
}

void ask_directory(Bench& bench, std::uint64_t questions, std::uint64_t of) {
    for (std::uint64_t i = 0; i < questions; ++i) {
        const auto address = address_of(shuffled(i % of, bench.count), "contoso.com");
        const auto found = bench.run(bench.directory->find_recipient(address));
        if (found.value() == nullptr) throw std::logic_error("somebody is lost");
    }
}

void measure_look_ups(Bench& bench) {
    const auto questions = std::min(kQuestions, bench.count);
    const auto line = [&](const char* what, const auto& work) {
        const double worked = processor_seconds();
        const double took = bench.each(questions, work);
        fmt::print(
            "look-up, {}: {:.2f} us ({:.2f} of the processor's time)\n",
            what,
            took,
            (processor_seconds() - worked) * 1e6 / static_cast<double>(questions));
    };
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; i < questions; ++i)
        keys.push_back(address_of(shuffled(i, bench.count), "contoso.com").lookup_key());
    SqliteConnection connection({.path = bench.path(), .vfs = {}}, SqliteRole::reader);
    RecipientRows rows(connection);
    line("read from SQLite", [&] {
        for (const auto& key : keys) {
            SqliteSnapshot snapshot(connection);
            static_cast<void>(rows.read(rows.find_id_by_address(key)).value());
        }
    });
    line("not cached, through the reader", [&] { ask_directory(bench, questions, questions); });
    const auto warm = std::min<std::uint64_t>(kDirectoryCacheCapacity, bench.count);
    ask_directory(bench, warm, warm);
    const auto batches = bench.directory->batches();
    line("cached", [&] { ask_directory(bench, questions, warm); });
    if (bench.directory->batches() != batches) throw std::logic_error("the cache forgets");
}

void measure_group(Bench& bench) {
    auto& store = bench.database->recipients();
    const auto number = std::min(kMembers, bench.count);
    auto group = recipient_of(98);
    group.name = group.alias = "everybody";
    group.kind = RecipientKind::group;
    group.addresses = {EmailAddress::parse("everybody@contoso.com").value()};
    bench.run(store.create(group, {"bench", {}})).value();
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < number; ++i)
        names.push_back(name_of(shuffled(i, bench.count)));
    const double edited = bench.seconds([&] {
        bench.run(store.edit_members("everybody", names, {}, {"bench", {}})).value();
    });
    fmt::print("members: {} added in {:.0f} ms\n", number, edited * 1e3);
    std::size_t seen = 0;
    const double expanded = bench.seconds([&] {
        for (std::string after;;) {
            const auto page = bench.run(bench.directory->members("everybody", after, 1000)).value();
            seen += page.size();
            if (page.size() < 1000) break;
            after = page.back()->name;
        }
    });
    fmt::print("members: {} read in {:.0f} ms\n", seen, expanded * 1e3);
    const double asked = bench.each(2000, [&] {
        for (std::uint64_t i = 0; i < 2000; ++i)
            bench.run(bench.directory->is_member("everybody", names[i % names.size()])).value();
    });
    fmt::print("members: whether one is, {:.1f} us\n", asked);
}

void measure_lists(Bench& bench) {
    auto& store = bench.database->recipients();
    std::uint64_t seen = 0;
    const double all = bench.seconds([&] {
        for (std::string after;;) {
            const auto page = bench.run(store.page(after, kRecipientBatch)).value();
            seen += page.size();
            if (page.size() < kRecipientBatch) break;
            after = page.back().name;
        }
    });
    fmt::print("export: {:.0f} recipients/s\n", static_cast<double>(seen) / all);
    const double last = bench.seconds([&] {
        bench.run(store.page_of(RecipientKind::group, name_of(bench.count / 2), 100)).value();
    });
    const double counted =
        bench.seconds([&] { bench.run(store.count(RecipientKind::mailbox)).value(); });
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; i < 1000; ++i)
        keys.push_back(address_of(shuffled(i, bench.count), "contoso.com").lookup_key());
    const double taken = bench.seconds([&] { bench.run(store.taken(keys, {})).value(); });
    fmt::print(
        "page of 100 groups: {:.2f} ms; count of a kind: {:.3f} ms; 1,000 taken keys: {:.1f} ms\n",
        last * 1e3,
        counted * 1e3,
        taken * 1e3);
}

}  // namespace

int run(const std::string& folder, std::uint64_t count, bool in_order) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // figures are seen as they come, also in a pipe
    Bench bench(folder, count);
    fmt::print("{} recipients, {}\n", count, in_order ? "in order" : "in no order");
    measure_import(bench, in_order);
    measure_look_ups(bench);
    measure_lists(bench);
    measure_group(bench);
    bench.run(bench.database->close());
    return 0;
}

}  // namespace mailflow

int main(int argc, char** argv) {
    if (argc < 2 || argc > 4) {
        fmt::print(
            stderr,
            "usage: mailflow_directory_bench FOLDER [COUNT [shuffled]] (FOLDER is made, and "
            "removed "
            "at the end)\n");
        return 2;
    }
    const std::uint64_t count = argc > 2 ? std::stoull(argv[2]) : 1'000'000;
    return mailflow::run(argv[1], count, argc < 4);
}

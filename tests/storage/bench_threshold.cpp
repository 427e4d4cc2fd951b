// Measures the durable queue by itself: `mailflow_storage_bench FOLDER` prints, for bodies of
// several sizes kept in rows and in spool files, messages a second with 50 waiters, and the rate of
// small commits. Not a test: run by hand in a release build, figures go into docs/architecture.md.
#include "storage/body_checksum.hpp"
#include "storage/posix_files.hpp"
#include "storage/queue_database.hpp"
#include "tests/storage/queue_messages.hpp"
#include "tests/support/run_task.hpp"
#include "transport/base/random.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace mailflow {

namespace {

constexpr unsigned kWaiters = 50;

struct Bench {
    Bench(const std::string& folder, std::uint64_t row_limit, SqlitePageSize page_size) {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        QueueDatabaseSettings settings;
        settings.path = folder + "/queue.db";
        settings.spool = folder + "/spool";
        settings.row_body_limit = row_limit;
        settings.uncommitted_body_limit = 512U << 20U;
        settings.page_size = page_size;
        auto opened = QueueDatabase::open(
            std::move(settings), {lane, writer, reader, worker, files, Log()}, {});
        database = std::move(opened).value();
    }

    asio::io_context context{1};
    SystemClock clock;
    SystemRandom random;
    Lane lane{{context, clock, random, Log(), 0, true}};
    PosixFiles files;
    ThreadRunner writer{"store-writer"};
    ThreadRunner reader{"store-reader"};
    ThreadRunner worker{"worker"};
    std::unique_ptr<QueueDatabase> database;
};

struct Load {
    const std::string& bytes;
    std::uint64_t next = 1;
    std::uint64_t last = 0;
    bool delivers = false;  // retires what it has committed, as a delivery at once would
    unsigned running = 0;
};

Task<void> one_waiter(QueueDatabase& database, Load& load) {
    ++load.running;
    while (load.next <= load.last) {
        const QueueId id{load.next++ << 23U};
        auto writer = co_await database.bodies().create(id);
        for (std::size_t at = 0; at < load.bytes.size(); at += 65'536) {
            (*writer)->write(std::string_view(load.bytes).substr(at, 65'536)).value();
        }
        auto body = co_await (*writer)->finish();
        auto submission = make_submission(id.value, {"bob@contoso.com"}, "");
        submission.message.content.body = body->ref;
        submission.message.body = body->bytes;
        const auto committed = co_await database.queue().commit(std::move(submission));
        committed.value();
        if (load.delivers) {
            std::vector<QueueChange> changes;
            changes.emplace_back(change_to(id.value, RecipientState::delivered));
            changes.emplace_back(RetireMessage{id});
            database.queue().record(std::move(changes));
        }
    }
    --load.running;
}

double rate(Bench& bench, Load& load) {
    const auto begin = bench.clock.monotonic();
    const auto count = load.last;
    for (unsigned i = 0; i < kWaiters; ++i) {
        bench.lane.spawn("waiter", one_waiter(*bench.database, load));
    }
    bench.context.poll();
    while (load.running > 0) {
        bench.context.run_one();
    }
    const std::chrono::duration<double> took = bench.clock.monotonic() - begin;
    return static_cast<double>(count) / took.count();
}

double measure(
    const std::string& folder,
    std::size_t size,
    std::uint64_t row_limit,
    SqlitePageSize page,
    std::uint64_t count,
    bool delivers) {
    const std::string bytes(size, 'x');
    Bench bench(folder, row_limit, page);
    Load load{bytes, 1, count, delivers, 0};
    const double result = rate(bench, load);
    run_task(bench.context, bench.database->close());
    return result;
}

std::string median_of_three(
    const std::string& folder,
    std::size_t size,
    std::uint64_t row_limit,
    SqlitePageSize page,
    std::uint64_t count,
    bool delivers) {
    std::vector<double> rates;
    for (int i = 0; i < 3; ++i) {
        rates.push_back(measure(folder, size, row_limit, page, count, delivers));
    }
    std::sort(rates.begin(), rates.end());
    return fmt::format("{:.0f} ({:.0f}-{:.0f})", rates[1], rates[0], rates[2]);
}

// Enough of each size that the log is moved into the file several times on the way.
constexpr std::uint64_t kVolume = 192U << 20U;

void print_thresholds(const std::string& folder, bool delivers) {
    constexpr std::uint64_t kInRow = 2U << 20U;
    constexpr std::uint64_t kInFile = 0;
    fmt::print("| body | row, 4 KiB pages | row, 16 KiB pages | spool file |\n|---|---|---|---|\n");
    for (const std::size_t kib : {4U, 32U, 100U, 256U, 1024U}) {
        const std::size_t size = kib * 1024;
        const auto in_rows = std::min<std::uint64_t>(kVolume / size, 20'000);
        const auto in_files = std::min<std::uint64_t>(kVolume / size, 2000);
        fmt::print(
            "| {} KiB | {} | {} | {} |\n",
            kib,
            median_of_three(folder, size, kInRow, SqlitePageSize::kib4, in_rows, delivers),
            median_of_three(folder, size, kInRow, SqlitePageSize::kib16, in_rows, delivers),
            median_of_three(folder, size, kInFile, SqlitePageSize::kib4, in_files, delivers));
    }
}

}  // namespace

int run(const std::string& folder) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // figures are seen as they come, also in a pipe
    fmt::print(
        "small commits (256 octets), {} waiters, messages/s, median of 3 (least-most):\n\n",
        kWaiters);
    constexpr std::uint64_t kRow = 32U << 10U;
    for (const auto page : {SqlitePageSize::kib4, SqlitePageSize::kib16}) {
        fmt::print(
            "pages of {}: accept only {}, accept and retire {}\n",
            page == SqlitePageSize::kib4 ? "4 KiB" : "16 KiB",
            median_of_three(folder, 256, kRow, page, 60'000, false),
            median_of_three(folder, 256, kRow, page, 60'000, true));
    }
    for (const bool delivers : {false, true}) {
        fmt::print(
            "\nbodies, {} waiters, {}, messages/s, median of 3 (least-most):\n\n",
            kWaiters,
            delivers ? "accept and retire" : "accept only");
        print_thresholds(folder, delivers);
    }
    std::filesystem::remove_all(folder);
    return 0;
}

}  // namespace mailflow

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: mailflow_storage_bench FOLDER (made, and removed at the end)\n");
        return 2;
    }
    return mailflow::run(argv[1]);
}

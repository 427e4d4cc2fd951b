// A queue database in a temporary folder. `FoldedQueue`: everything on the test's thread, under
// virtual time. `ThreadedQueue`: writer, reader and worker on threads of their own, as in the
// daemon.
#pragma once

#include "storage/posix_files.hpp"
#include "storage/queue_database.hpp"
#include "tests/storage/queue_messages.hpp"
#include "tests/support/failing_files.hpp"
#include "tests/support/memory_log.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace mailflow {

inline QueueDatabaseSettings settings_in(const std::string& folder, FaultPlan* faults = nullptr) {
    QueueDatabaseSettings settings;
    settings.path = folder + "/queue.db";
    settings.spool = folder + "/spool";
    settings.faults = faults;
    return settings;
}

// Spool files, by path below the spool folder.
inline std::vector<std::string> spool_files(const std::string& folder) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder + "/spool")) {
        if (entry.is_regular_file()) {
            found.push_back(entry.path().filename().string());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

class FoldedQueue {
  public:
    explicit FoldedQueue(QueueDatabaseSettings settings = {}) {
        settings.path = directory / "queue.db";
        settings.spool = directory / "spool";
        settings.faults = &faults;
        settings_ = settings;
        open();
    }

    // Timers of the store sleep on the lane: they are let end.
    ~FoldedQueue() {
        if (database) {
            test.run(database->close());
        }
    }

    FoldedQueue(const FoldedQueue&) = delete;
    FoldedQueue& operator=(const FoldedQueue&) = delete;

    void open() {
        auto opened = QueueDatabase::open(
            settings_,
            {test.lane, runner, runner, runner, disk, Log(log)},
            [this](const std::string& reason) { failures.push_back(reason); });
        database = std::move(opened).value();
    }

    // As after an orderly end and a new start.
    void reopen() {
        test.run(database->close());
        database.reset();
        open();
    }

    [[nodiscard]] QueueStore& store() { return database->queue(); }

    [[nodiscard]] BodyStore& bodies() { return database->bodies(); }

    template <class T>
    T run(Task<T> task) {
        return test.run(std::move(task));
    }

    [[nodiscard]] ErrorCode commit(std::uint64_t id) {
        const auto result = run(store().commit(make_submission(id)));
        return result ? ErrorCode() : result.error();
    }

    TempDirectory directory;
    FaultPlan faults;
    MemoryLog log;
    TestLane test{Log(log)};
    FoldedRunner runner{test.context};
    PosixFiles files;
    FailingFiles disk{files};
    std::vector<std::string> failures;
    std::unique_ptr<QueueDatabase> database;

  private:
    QueueDatabaseSettings settings_;
};

class ThreadedQueue {
  public:
    explicit ThreadedQueue(QueueDatabaseSettings settings) {
        auto opened = QueueDatabase::open(
            std::move(settings),
            {lane, writer, reader, worker, files, Log()},
            [this](const std::string& reason) { failures.push_back(reason); });
        database = std::move(opened).value();
    }

    ~ThreadedQueue() { run_task(context, database->close()); }

    ThreadedQueue(const ThreadedQueue&) = delete;
    ThreadedQueue& operator=(const ThreadedQueue&) = delete;

    asio::io_context context{1};
    SystemClock clock;
    SeededRandom random{1};
    Lane lane{{context, clock, random, Log(), 0, true}};
    PosixFiles files;
    std::vector<std::string> failures;
    ThreadRunner writer{"store-writer"};
    ThreadRunner reader{"store-reader"};
    ThreadRunner worker{"worker"};
    std::unique_ptr<QueueDatabase> database;
};

}  // namespace mailflow

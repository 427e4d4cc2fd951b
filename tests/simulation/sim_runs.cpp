#include "tests/simulation/sim_runs.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace mailflow::sim {

namespace json = boost::json;

namespace {

// One process: takes every `jobs`-th seed and writes a line before and after each day.
struct Worker {
    pid_t process = 0;
    int pipe = -1;
    std::string input;
    std::optional<std::uint64_t> running;
};

void write_line(int to, const std::string& line) {
    const auto bytes = line + "\n";
    std::size_t written = 0;
    while (written < bytes.size()) {
        const auto count = ::write(to, bytes.data() + written, bytes.size() - written);
        if (count <= 0) {
            std::_Exit(2);  // nobody listens any more
        }
        written += static_cast<std::size_t>(count);
    }
}

[[noreturn]] void work(const RunOptions& options, unsigned number, int to) {
    for (std::size_t i = number; i < options.seeds.size(); i += options.jobs) {
        write_line(to, std::to_string(options.seeds[i]));
        const auto result = run_day({options.seeds[i], options.mutant, false});
        write_line(to, to_line(result));
    }
    std::_Exit(0);
}

Worker start_worker(const RunOptions& options, unsigned number) {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) {
        throw std::runtime_error("no pipe");
    }
    std::fflush(nullptr);
    Worker worker;
    worker.process = ::fork();
    if (worker.process < 0) {
        throw std::runtime_error("no process");
    }
    if (worker.process == 0) {
        ::close(ends[0]);
        work(options, number, ends[1]);
    }
    ::close(ends[1]);
    worker.pipe = ends[0];
    return worker;
}

void take_line(Worker& worker, const std::string& line, RunTotals& totals) {
    if (!line.starts_with('{')) {
        worker.running = std::strtoull(line.c_str(), nullptr, 10);
        return;
    }
    auto result = from_line(line);
    worker.running.reset();
    ++totals.days;
    for (const auto& [name, count] : result.counts) {
        totals.counts[name] += count;
    }
    if (!result.violations.empty()) {
        totals.failures.push_back(std::move(result));
    }
}

// False: it has ended.
bool read_from(Worker& worker, RunTotals& totals) {
    char buffer[4096];
    const auto count = ::read(worker.pipe, buffer, sizeof buffer);
    if (count <= 0) {
        ::close(worker.pipe);
        worker.pipe = -1;
        int status = 0;
        ::waitpid(worker.process, &status, 0);
        if (worker.running) {
            totals.failures.push_back(
                {*worker.running,
                 0,
                 {"the process ended with status " + std::to_string(status)},
                 {}});
        }
        return false;
    }
    worker.input.append(buffer, static_cast<std::size_t>(count));
    for (auto end = worker.input.find('\n'); end != std::string::npos;
         end = worker.input.find('\n')) {
        take_line(worker, worker.input.substr(0, end), totals);
        worker.input.erase(0, end + 1);
    }
    return true;
}

void end(std::vector<Worker>& workers) {
    for (auto& worker : workers) {
        if (worker.pipe >= 0) {
            ::kill(worker.process, SIGKILL);
            ::close(worker.pipe);
            ::waitpid(worker.process, nullptr, 0);
        }
    }
}

}  // namespace

RunTotals run_days(const RunOptions& options) {
    RunTotals totals;
    std::vector<Worker> workers;
    for (unsigned i = 0; i < options.jobs; ++i) {
        workers.push_back(start_worker(options, i));
    }
    for (std::size_t live = workers.size(); live > 0;) {
        std::vector<pollfd> waiting;
        for (const auto& worker : workers) {
            waiting.push_back({worker.pipe, POLLIN, 0});  // a negative one is passed over
        }
        ::poll(waiting.data(), waiting.size(), -1);
        for (std::size_t i = 0; i < workers.size(); ++i) {
            if (waiting[i].revents != 0 && !read_from(workers[i], totals)) {
                --live;
            }
        }
        if (options.stops_at_violation && !totals.failures.empty()) {
            end(workers);
            break;
        }
    }
    std::sort(totals.failures.begin(), totals.failures.end(), [](const auto& a, const auto& b) {
        return a.seed < b.seed;
    });
    return totals;
}

std::string to_line(const DayResult& result) {
    json::object line{{"seed", result.seed}, {"hash", result.hash}};
    auto& violations = line["violations"].emplace_array();
    for (const auto& words : result.violations) {
        violations.emplace_back(words);
    }
    auto& counts = line["counts"].emplace_object();
    for (const auto& [name, count] : result.counts) {
        counts.emplace(name, count);
    }
    return json::serialize(line);
}

DayResult from_line(const std::string& line) {
    const auto value = json::parse(line);
    DayResult result;
    result.seed = value.at("seed").to_number<std::uint64_t>();
    result.hash = value.at("hash").to_number<std::uint64_t>();
    for (const auto& words : value.at("violations").as_array()) {
        result.violations.emplace_back(words.as_string());
    }
    for (const auto& entry : value.at("counts").as_object()) {
        result.counts[std::string(entry.key())] = entry.value().to_number<std::uint64_t>();
    }
    return result;
}

}  // namespace mailflow::sim

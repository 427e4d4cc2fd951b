// mailflow-sim: days of mail through the real flow in a virtual world, one a seed.
#include "tests/simulation/sim_runs.hpp"
#include "transport/base/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace mailflow::sim;

constexpr std::string_view kUsage = R"(mailflow-sim: simulated days of mail, one a seed

  --seeds A-B        these seeds (default 1-200), and those of the file of past failures
  --fresh N          N seeds nobody has tried, printed when they fail
  --seed X           one seed
  --trace            with --seed: what happens, line by line
  --mutant NAME      with a planted bug: sync-left-out, reply-before-commit, lost-announce.
                     Exit 0 only when a seed finds it
  --check-coverage   fails when the days did not hold what they are for
  --jobs N           processes (default: one for each core)
  --past FILE        seeds that once failed (default: tests/simulation/past_failures.txt)

Exit 0: all kept. 1: something was violated. 2: wrong arguments.
)";

constexpr std::uint64_t kRequiredPer200 = 20;
constexpr std::size_t kShownViolations = 10;

struct Arguments {
    RunOptions run;
    bool has_seeds = false;
    bool with_past = true;
    bool prints_trace = false;
    bool checks_coverage = false;
    std::string past = "tests/simulation/past_failures.txt";
};

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

bool add_range(std::string_view text, std::vector<std::uint64_t>& seeds) {
    const auto dash = text.find('-');
    const auto first = number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
    constexpr std::uint64_t kMost = 1'000'000;
    if (!first || !last || *last < *first || *last - *first >= kMost) {
        return false;
    }
    for (auto seed = *first; seed <= *last; ++seed) {
        seeds.push_back(seed);
    }
    return true;
}

bool add_fresh(std::string_view text, std::vector<std::uint64_t>& seeds) {
    mailflow::SystemRandom random;
    const auto count = number(text);
    for (std::uint64_t i = 0; count && i < *count; ++i) {
        seeds.push_back(random.below(1ULL << 40U));
    }
    return count.has_value();
}

bool set_mutant(std::string_view name, Mutant& mutant) {
    if (name == "sync-left-out") {
        mutant = Mutant::sync_left_out;
    } else if (name == "reply-before-commit") {
        mutant = Mutant::reply_before_commit;
    } else if (name == "lost-announce") {
        mutant = Mutant::lost_announce;
    }
    return mutant != Mutant::none;
}

// A seed in each line; `#` begins a comment.
void add_past(const std::string& path, std::vector<std::uint64_t>& seeds) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto seed = number(std::string_view(line).substr(0, line.find_first_of(" #")));
        if (seed && std::find(seeds.begin(), seeds.end(), *seed) == seeds.end()) {
            seeds.push_back(*seed);
        }
    }
}

bool take(std::string_view name, std::string_view value, Arguments& arguments) {
    auto& seeds = arguments.run.seeds;
    arguments.has_seeds = arguments.has_seeds || name.starts_with("--seed") || name == "--fresh";
    if (name == "--seeds") {
        return add_range(value, seeds);
    }
    arguments.with_past = arguments.with_past && name != "--seed" && name != "--fresh";
    if (name == "--seed") {
        return number(value) && add_range(value, seeds);
    }
    if (name == "--fresh") {
        return add_fresh(value, seeds);
    }
    if (name == "--mutant") {
        return set_mutant(value, arguments.run.mutant);
    }
    if (name == "--jobs") {
        const auto jobs = number(value);
        arguments.run.jobs = static_cast<unsigned>(jobs.value_or(0));
        return jobs && *jobs > 0 && *jobs <= 256;
    }
    if (name == "--past") {
        arguments.past = value;
        return true;
    }
    return false;
}

std::optional<Arguments> parse(int count, char** words) {
    Arguments arguments;
    arguments.run.jobs = std::max(1U, std::thread::hardware_concurrency());
    for (int i = 1; i < count; ++i) {
        const std::string_view name = words[i];
        if (name == "--trace") {
            arguments.prints_trace = true;
        } else if (name == "--check-coverage") {
            arguments.checks_coverage = true;
        } else if (i + 1 >= count || !take(name, words[++i], arguments)) {
            return std::nullopt;
        }
    }
    if (!arguments.has_seeds) {
        add_range("1-200", arguments.run.seeds);
    }
    if (arguments.with_past) {
        add_past(arguments.past, arguments.run.seeds);
    }
    return arguments;
}

void print(const DayResult& day) {
    fmt::print("seed {}: {} violations\n", day.seed, day.violations.size());
    for (std::size_t i = 0; i < std::min(kShownViolations, day.violations.size()); ++i) {
        fmt::print("    {}\n", day.violations[i]);
    }
    fmt::print("    replay: mailflow-sim --seed {} --trace\n", day.seed);
}

int run_one(const Arguments& arguments) {
    const auto day = run_day({arguments.run.seeds.front(), arguments.run.mutant, true});
    for (const auto& [name, count] : day.counts) {
        fmt::print("{:6} {}\n", count, name);
    }
    fmt::print("trace {:016x}\n", day.hash);
    if (!day.violations.empty()) {
        print(day);
    }
    return day.violations.empty() ? 0 : 1;
}

bool covers(const RunTotals& totals) {
    bool is_enough = true;
    for (const auto& name : required_counts()) {
        const auto found = totals.counts.find(name);
        const auto count = found == totals.counts.end() ? 0 : found->second;
        if (count * 200 < kRequiredPer200 * totals.days) {
            fmt::print("too seldom: {}, {} times in {} days\n", name, count, totals.days);
            is_enough = false;
        }
    }
    return is_enough;
}

int run_many(Arguments arguments) {
    const bool hunts = arguments.run.mutant != Mutant::none;
    arguments.run.stops_at_violation = hunts;
    arguments.run.jobs =
        std::min<unsigned>(arguments.run.jobs, static_cast<unsigned>(arguments.run.seeds.size()));
    const auto start = std::chrono::steady_clock::now();
    const auto totals = run_days(arguments.run);
    const auto took = std::chrono::steady_clock::now() - start;
    for (const auto& day : totals.failures) {
        print(day);
    }
    if (!hunts) {
        for (const auto& [name, count] : totals.counts) {
            fmt::print("{:8} {}\n", count, name);
        }
    }
    fmt::print(
        "{} days, {} failed, {:.1f} s\n",
        totals.days,
        totals.failures.size(),
        std::chrono::duration<double>(took).count());
    if (hunts) {
        fmt::print("the mutant is {}\n", totals.failures.empty() ? "NOT found" : "found");
        return totals.failures.empty() ? 1 : 0;
    }
    const bool is_covered = !arguments.checks_coverage || covers(totals);
    return totals.failures.empty() && is_covered ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto arguments = parse(argc, argv);
    if (!arguments) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    if (arguments->prints_trace && arguments->run.seeds.size() == 1) {
        return run_one(*arguments);
    }
    return run_many(*arguments);
}

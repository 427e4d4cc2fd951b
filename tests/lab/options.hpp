// The command line of mailflow-lab: `--name value` and `--flag`, then what follows `--`.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::lab {

// Wrong use: its text says what is wrong. Exit code 2.
class UsageError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Options {
  public:
    // `words` without program and subcommand. Names in `flags` take no value; all others must be in
    // `values`.
    static Options parse(
        const std::vector<std::string>& words,
        const std::set<std::string>& values,
        const std::set<std::string>& flags);

    [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }

    // The last value given, or `fallback`.
    [[nodiscard]] std::string text(const std::string& name, std::string fallback = {}) const;
    [[nodiscard]] std::string required(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> all(const std::string& name) const;
    [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t fallback) const;

    // Behind `--`.
    [[nodiscard]] const std::vector<std::string>& command() const noexcept { return command_; }

  private:
    std::map<std::string, std::vector<std::string>> values_;
    std::vector<std::string> command_;
};

}  // namespace mailflow::lab

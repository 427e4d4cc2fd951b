// The words of a command line: positional words and flags, in any order. Pure.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::ctl {

// Wrong use of the command line: printed, exit 2.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Flag {
    std::string name;   // without dashes
    std::string value;  // "true" for a switch without a value
};

class Arguments {
  public:
    // Flags that never take a value: `--json`, `--yes`. Every other `--flag` takes the next word,
    // or what follows `=`; at the end of the line or before another flag it counts as "true"
    // (`--scoped`).
    static Arguments parse(const std::vector<std::string>& words);

    // Positional words, in order.
    [[nodiscard]] const std::vector<std::string>& words() const noexcept { return words_; }

    [[nodiscard]] std::string_view word(std::size_t index) const noexcept;

    [[nodiscard]] const std::vector<Flag>& flags() const noexcept { return flags_; }

    [[nodiscard]] bool has(std::string_view name) const noexcept;
    // The last value given; none when the flag is absent.
    [[nodiscard]] std::optional<std::string> value(std::string_view name) const;
    // Takes the global flags out: --socket --output --json --what-if --yes --help --version.
    [[nodiscard]] Arguments without_globals() const;

  private:
    std::vector<std::string> words_;
    std::vector<Flag> flags_;
};

}  // namespace mailflow::ctl

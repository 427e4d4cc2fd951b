// The subcommands of mailflow-lab: from words to settings, from results to exit codes. Main thread.
#pragma once

#include <string>
#include <vector>

namespace mailflow::lab {

[[nodiscard]] std::string help_text();

// `words[0]` is the subcommand. Throws UsageError, or what keeps it from its work.
[[nodiscard]] int run_subcommand(const std::vector<std::string>& words);

}  // namespace mailflow::lab

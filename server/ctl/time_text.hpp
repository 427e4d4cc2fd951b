// Points in time as an administrator gives them to --since and --until.
#pragma once

#include <string>

namespace mailflow::ctl {

// `2026-11-23T08:40:16Z` and `2026-11-23` (UTC) stay as they are; `10m`, `2h`, `3d` mean that long
// ago. Throws UsageError.
[[nodiscard]] std::string absolute_time(const std::string& text);

}  // namespace mailflow::ctl

#include "server/ctl/time_text.hpp"

#include "config/schema/values.hpp"
#include "server/ctl/arguments.hpp"

#include <fmt/chrono.h>

#include <chrono>

namespace mailflow::ctl {

std::string absolute_time(const std::string& text) {
    if (const auto age = schema::parse_duration(text)) {
        const auto then =
            std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now() - *age);
        return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", then);
    }
    const bool looks_right = text.size() >= 10 && text[4] == '-' && text[7] == '-';
    if (!looks_right) {
        throw UsageError(
            "\"" + text +
            "\" is no time: write 2026-11-23T08:40:16Z, 2026-11-23, or an age like 10m, 2h, 3d");
    }
    return text.size() == 10 ? text + "T00:00:00Z" : text;
}

}  // namespace mailflow::ctl

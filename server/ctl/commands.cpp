#include "server/ctl/commands.hpp"

#include "config/schema/suggestion.hpp"

#include <algorithm>

namespace mailflow::ctl {

void allow_flags(const Arguments& arguments, const std::vector<std::string_view>& allowed) {
    for (const auto& flag : arguments.flags()) {
        if (std::find(allowed.begin(), allowed.end(), flag.name) == allowed.end()) {
            throw UsageError(
                "--" + flag.name + " is not known here" + schema::did_you_mean(flag.name, allowed));
        }
    }
}

void allow_words(const Arguments& arguments, std::size_t count) {
    if (arguments.words().size() > count) {
        throw UsageError("\"" + arguments.words()[count] + "\" is one word too many");
    }
}

bool confirmed(Context& context, const std::string& question) {
    return context.yes || context.confirm(question);
}

}  // namespace mailflow::ctl

#include "config/schema/suggestion.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace mailflow::schema {

namespace {

// Names are short; what is longer is nobody's slip of the finger.
constexpr std::size_t kMaxLength = 64;

std::string folded(std::string_view name) {
    auto text = ascii::to_lower(name);
    std::replace(text.begin(), text.end(), '_', '-');
    return text;
}

// Levenshtein's distance with two rows.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> previous(b.size() + 1);
    std::vector<std::size_t> current(b.size() + 1);
    std::iota(previous.begin(), previous.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        current[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = previous[j] + (a[i] == b[j] ? 0 : 1);
            current[j + 1] = std::min({previous[j + 1] + 1, current[j] + 1, replaced});
        }
        std::swap(previous, current);
    }
    return previous[b.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names) {
    if (name.empty() || name.size() > kMaxLength) {
        return {};
    }
    const auto wanted = folded(name);
    std::string_view best;
    std::size_t best_distance =
        (name.size() < 4 ? 1 : std::max<std::size_t>(2, name.size() / 3)) + 1;
    for (const auto candidate : names) {
        const auto text = folded(candidate);
        auto distance = edit_distance(wanted, text);
        // `size` is near to `max_message_size`: a whole word left out is one slip.
        if (wanted.size() >= 4 && text.find(wanted) != std::string::npos) {
            distance = std::min<std::size_t>(distance, 2);
        }
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> names) {
    const auto nearest = nearest_name(name, names);
    if (nearest.empty()) {
        return {};
    }
    return "; did you mean \"" + std::string(nearest) + "\"?";
}

}  // namespace mailflow::schema

#include "server/ctl/arguments.hpp"

#include <algorithm>
#include <array>

namespace mailflow::ctl {

namespace {

constexpr std::array<std::string_view, 13> kSwitches = {
    "json",
    "yes",
    "what-if",
    "help",
    "version",
    "without-ndr",
    "markdown",
    "follow",
    "all-or-nothing",
    "with-secrets",
    "all-kinds",
    "shared",
    "secondary-only"};
constexpr std::array<std::string_view, 8> kGlobals = {
    "socket", "output", "json", "what-if", "yes", "help", "version", "markdown"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Arguments Arguments::parse(const std::vector<std::string>& words) {
    Arguments result;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--") {
            result.words_.insert(
                result.words_.end(),
                words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                words.end());
            break;
        }
        if (word == "-h") {
            result.flags_.push_back({"help", "true"});
            continue;
        }
        if (word.size() < 3 || word.compare(0, 2, "--") != 0) {
            result.words_.push_back(word);
            continue;
        }
        const auto equals = word.find('=');
        Flag flag{word.substr(2, equals == std::string::npos ? equals : equals - 2), "true"};
        if (equals != std::string::npos) {
            flag.value = word.substr(equals + 1);
        } else if (
            !contains(kSwitches, flag.name) && i + 1 < words.size() &&
            words[i + 1].compare(0, 2, "--") != 0) {
            flag.value = words[++i];
        }
        result.flags_.push_back(std::move(flag));
    }
    return result;
}

std::string_view Arguments::word(std::size_t index) const noexcept {
    return index < words_.size() ? std::string_view(words_[index]) : std::string_view();
}

bool Arguments::has(std::string_view name) const noexcept {
    return std::any_of(
        flags_.begin(), flags_.end(), [name](const Flag& flag) { return flag.name == name; });
}

std::optional<std::string> Arguments::value(std::string_view name) const {
    std::optional<std::string> found;
    for (const auto& flag : flags_) {
        if (flag.name == name) {
            found = flag.value;
        }
    }
    return found;
}

Arguments Arguments::without_globals() const {
    Arguments result = *this;
    std::erase_if(result.flags_, [](const Flag& flag) { return contains(kGlobals, flag.name); });
    return result;
}

}  // namespace mailflow::ctl

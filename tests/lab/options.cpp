#include "tests/lab/options.hpp"

#include "transport/base/ascii.hpp"

namespace mailflow::lab {

Options Options::parse(
    const std::vector<std::string>& words,
    const std::set<std::string>& values,
    const std::set<std::string>& flags) {
    Options options;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const auto& word = words[at];
        if (word == "--") {
            options.command_.assign(
                words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
            break;
        }
        if (!word.starts_with("--")) throw UsageError("\"" + word + "\" is not an option");
        const auto equals = word.find('=');
        const auto name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
        if (flags.contains(name)) {
            options.values_[name].emplace_back();
            continue;
        }
        if (!values.contains(name)) throw UsageError("there is no option --" + name);
        if (equals != std::string::npos) {
            options.values_[name].push_back(word.substr(equals + 1));
        } else if (++at < words.size()) {
            options.values_[name].push_back(words[at]);
        } else {
            throw UsageError("--" + name + " needs a value");
        }
    }
    return options;
}

std::string Options::text(const std::string& name, std::string fallback) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::move(fallback) : found->second.back();
}

std::string Options::required(const std::string& name) const {
    if (!has(name)) throw UsageError("--" + name + " is missing");
    return text(name);
}

std::vector<std::string> Options::all(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::uint64_t Options::number(const std::string& name, std::uint64_t fallback) const {
    if (!has(name)) return fallback;
    const auto value = ascii::parse_number(text(name));
    if (!value) throw UsageError("--" + name + " takes a number");
    return *value;
}

}  // namespace mailflow::lab

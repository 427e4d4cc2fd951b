#include "tests/lab/behaviour.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <array>

namespace mailflow::lab {

namespace {

constexpr std::array<std::string_view, 6> kStages{"connect", "ehlo", "mail", "rcpt", "data", "dot"};
constexpr std::array<std::string_view, 5> kExtensions{
    "pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes"};
constexpr std::uint64_t kMaxSlow = 3'600'000;

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return out;
}

bool take_failure(
    std::string_view item, const std::vector<std::string_view>& words, Behaviour& behaviour) {
    if (words.size() < 2 || words.size() > 3) return false;
    Failure failure;
    failure.text = item;
    if (words[0] != "drop") {
        const auto code = ascii::parse_number(words[0]);
        if (!code || *code < 400 || *code > 599) return false;
        failure.code = static_cast<int>(*code);
    }
    const auto* const stage = std::find(kStages.begin(), kStages.end(), words[1]);
    if (stage == kStages.end()) return false;
    failure.stage = static_cast<Stage>(stage - kStages.begin());
    if (words.size() == 3) {
        failure.times = ascii::parse_number(words[2]);
        if (!failure.times) return false;
    }
    behaviour.failures.push_back(std::move(failure));
    return true;
}

bool take_item(std::string_view item, Behaviour& behaviour) {
    const auto words = ascii::split(item, '-');
    if (words.size() != 2) return take_failure(item, words, behaviour);
    if (words[0] == "no") {
        if (std::find(kExtensions.begin(), kExtensions.end(), words[1]) == kExtensions.end())
            return false;
        behaviour.without.push_back(upper(words[1]));
        return true;
    }
    const auto number = ascii::parse_number(words[1]);
    if (!number) return take_failure(item, words, behaviour);
    if (words[0] == "slow") {
        behaviour.slow = std::chrono::milliseconds(std::min(*number, kMaxSlow));
    } else if (words[0] == "size") {
        behaviour.size = number;
    } else if (words[0] == "recipients") {
        behaviour.recipients = number;
    } else if (words[0] == "messages") {
        behaviour.messages = number;
    } else {
        return false;
    }
    return true;
}

}  // namespace

bool Behaviour::offers(std::string_view extension) const {
    return std::find(without.begin(), without.end(), extension) == without.end();
}

std::optional<Behaviour> parse_behaviour(std::string_view text, char separator) {
    Behaviour behaviour;
    behaviour.text = text;
    if (text.empty()) return behaviour;
    for (const auto item : ascii::split(text, separator)) {
        if (!take_item(item, behaviour)) return std::nullopt;
    }
    return behaviour;
}

}  // namespace mailflow::lab

// Reads a normalised document: every field is there and canonical, so a value that is not is a
// broken invariant and throws. Inside config only.
#pragma once

#include "config/schema/values.hpp"
#include "transport/base/ip_range.hpp"
#include "transport/mail/domain_name.hpp"
#include "transport/mail/email_address.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// One choice of a field and what it stands for.
template <class T>
struct Word {
    std::string_view text;
    T value;
};

template <class T, std::size_t N>
[[nodiscard]] T value_of_word(std::string_view written, const Word<T> (&words)[N]) {
    for (const auto& word : words) {
        if (word.text == written) return word.value;
    }
    throw std::logic_error("no such choice: " + std::string(written));
}

class DocumentReader {
  public:
    // The document outlives the reader.
    explicit DocumentReader(const boost::json::object& document)
        : document_(document) {}

    [[nodiscard]] std::string text(std::string_view name) const {
        return std::string(document_.at(name).as_string());
    }

    [[nodiscard]] bool boolean(std::string_view name) const { return document_.at(name).as_bool(); }

    [[nodiscard]] std::uint32_t number(std::string_view name) const {
        return static_cast<std::uint32_t>(document_.at(name).as_int64());
    }

    // A number's field that holds a word instead: `lowest`.
    [[nodiscard]] bool is_word(std::string_view name) const {
        return document_.at(name).is_string();
    }

    // None: empty.
    [[nodiscard]] std::optional<EmailAddress> address(std::string_view name) const {
        const auto written = text(name);
        if (written.empty()) return std::nullopt;
        return EmailAddress::parse(written).value();
    }

    [[nodiscard]] std::optional<DomainName> domain(std::string_view name) const {
        const auto written = text(name);
        if (written.empty()) return std::nullopt;
        return DomainName::parse(written).value();
    }

    [[nodiscard]] std::optional<std::uint32_t> limit(std::string_view name) const {
        if (document_.at(name).is_string()) return std::nullopt;  // unlimited
        return number(name);
    }

    [[nodiscard]] std::optional<std::uint64_t> size_limit(std::string_view name) const {
        const auto written = text(name);
        if (written == schema::kUnlimited) return std::nullopt;
        return schema::parse_size(written).value();
    }

    [[nodiscard]] std::uint64_t size(std::string_view name) const {
        return schema::parse_size(text(name)).value();
    }

    [[nodiscard]] std::chrono::milliseconds duration(std::string_view name) const {
        return schema::parse_duration(text(name)).value();
    }

    [[nodiscard]] std::chrono::seconds seconds(std::string_view name) const {
        return std::chrono::ceil<std::chrono::seconds>(duration(name));
    }

    [[nodiscard]] std::vector<std::string> list(std::string_view name) const {
        std::vector<std::string> values;
        for (const auto& element : document_.at(name).as_array()) {
            values.emplace_back(element.as_string());
        }
        return values;
    }

    [[nodiscard]] std::vector<IpRange> ranges(std::string_view name) const {
        std::vector<IpRange> values;
        for (const auto& written : list(name)) {
            values.push_back(IpRange::parse(written).value());
        }
        return values;
    }

    [[nodiscard]] std::vector<Endpoint> endpoints(std::string_view name) const {
        std::vector<Endpoint> values;
        for (const auto& written : list(name)) {
            values.push_back(Endpoint::parse(written).value());
        }
        return values;
    }

    template <class T, std::size_t N>
    [[nodiscard]] T choice(std::string_view name, const Word<T> (&words)[N]) const {
        return value_of_word(document_.at(name).as_string(), words);
    }

    // The bits of a list of choices.
    template <class Set, class T, std::size_t N>
    [[nodiscard]] Set bits(std::string_view name, const Word<T> (&words)[N]) const {
        unsigned set = 0;
        for (const auto& written : list(name)) {
            set |= static_cast<unsigned>(value_of_word(written, words));
        }
        return static_cast<Set>(set);
    }

  private:
    const boost::json::object& document_;
};

}  // namespace mailflow

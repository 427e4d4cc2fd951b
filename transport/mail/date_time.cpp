#include "transport/mail/date_time.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace mailflow {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Parts {
    std::chrono::year_month_day date;
    std::chrono::weekday weekday;
    std::chrono::hh_mm_ss<milliseconds> time;
};

Parts parts_of(UtcTime time) {
    const auto day = std::chrono::floor<days>(time);
    return {day, day, std::chrono::hh_mm_ss<milliseconds>(time - day)};
}

// A number of `least` to `most` digits, not over `limit`.
std::optional<int> number(
    std::string_view text, std::size_t least, std::size_t most, unsigned limit) {
    const auto value = ascii::parse_number(text);
    if (!value || text.size() < least || text.size() > most || *value > limit) {
        return std::nullopt;
    }
    return static_cast<int>(*value);
}

std::optional<UtcTime> day_of(int year, int month, int day) {
    const auto date = std::chrono::year(year) / month / day;
    if (!date.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date);
}

// Only what four digits of a year can write again.
Result<UtcTime> checked(UtcTime time) {
    const auto year = static_cast<int>(parts_of(time).date.year());
    return year >= 1 && year <= 9999 ? Result<UtcTime>(time) : Error::syntax;
}

// `08:40`, `08:40:16`. A leap second is read as the second before the next minute ends.
std::optional<milliseconds> time_of_day(std::string_view text) {
    const auto parts = ascii::split(text, ':');
    if (parts.size() < 2 || parts.size() > 3) {
        return std::nullopt;
    }
    const auto hour = number(parts[0], 1, 2, 23);
    const auto minute = number(parts[1], 2, 2, 59);
    const auto second = parts.size() == 3 ? number(parts[2], 2, 2, 60) : std::optional(0);
    if (!hour || !minute || !second) {
        return std::nullopt;
    }
    return hours(*hour) + minutes(*minute) + seconds(std::min(*second, 59));
}

// `+0100` or, with a colon at that place, `+01:00`.
std::optional<milliseconds> numeric_offset(std::string_view text) {
    if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) {
        return std::nullopt;
    }
    const auto hour = number(text.substr(1, 2), 2, 2, 99);
    const auto minute = number(text.substr(3), 2, 2, 59);
    if (!hour || !minute) {
        return std::nullopt;
    }
    const auto offset = hours(*hour) + minutes(*minute);
    return text[0] == '-' ? -offset : offset;
}

// RFC 5322 §4.3: names of zones; military letters and unknown names carry no offset that could be
// trusted.
std::optional<milliseconds> named_offset(std::string_view name) {
    struct Zone {
        std::string_view name;
        int offset;
    };

    constexpr std::array<Zone, 8> kZones{
        {{"EST", -5},
         {"EDT", -4},
         {"CST", -6},
         {"CDT", -5},
         {"MST", -7},
         {"MDT", -6},
         {"PST", -8},
         {"PDT", -7}}};
    if (name.empty() || !std::all_of(name.begin(), name.end(), ascii::is_alpha)) {
        return std::nullopt;
    }
    for (const auto& zone : kZones) {
        if (ascii::equal_ignoring_case(zone.name, name)) {
            return hours(zone.offset);
        }
    }
    return milliseconds(0);
}

// 1 to 12.
std::optional<int> month_of(std::string_view name) {
    const auto found = std::find_if(kMonths.begin(), kMonths.end(), [name](std::string_view month) {
        return ascii::equal_ignoring_case(month, name);
    });
    if (found == kMonths.end()) {
        return std::nullopt;
    }
    return static_cast<int>(found - kMonths.begin()) + 1;
}

// RFC 5322 §4.3: 00 to 49 are 2000 to 2049, other years of two or three digits count from 1900.
std::optional<int> year_of(std::string_view text) {
    const auto year = number(text, 2, 4, 9999);
    if (!year || text.size() == 4) {
        return year;
    }
    return *year + (text.size() == 2 && *year < 50 ? 2000 : 1900);
}

// Words without comments (which nest), commas and folding blanks. Nothing when a comment does not
// end.
std::optional<std::vector<std::string>> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::size_t depth = 0;
    bool in_word = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (depth > 0 && c == '\\') {
            ++i;
        } else if (c == '(') {
            ++depth;
            in_word = false;
        } else if (depth > 0) {
            depth -= c == ')' ? 1U : 0U;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',') {
            in_word = false;
        } else {
            if (!in_word) {
                words.emplace_back();
            }
            words.back() += c;
            in_word = true;
        }
    }
    return depth == 0 ? std::optional(std::move(words)) : std::nullopt;
}

}  // namespace

std::string to_rfc5322(UtcTime time) {
    const auto parts = parts_of(time);
    return fmt::format(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
        kDays[parts.weekday.c_encoding()],
        static_cast<unsigned>(parts.date.day()),
        kMonths[static_cast<unsigned>(parts.date.month()) - 1],
        static_cast<int>(parts.date.year()),
        parts.time.hours().count(),
        parts.time.minutes().count(),
        parts.time.seconds().count());
}

std::string to_rfc3339(UtcTime time) {
    const auto parts = parts_of(time);
    return fmt::format(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        static_cast<int>(parts.date.year()),
        static_cast<unsigned>(parts.date.month()),
        static_cast<unsigned>(parts.date.day()),
        parts.time.hours().count(),
        parts.time.minutes().count(),
        parts.time.seconds().count());
}

std::string to_iso8601(UtcTime time) {
    auto text = to_rfc3339(time);
    text.pop_back();
    return text + fmt::format(".{:03}Z", parts_of(time).time.subseconds().count());
}

// date-time = [ day-of-week "," ] day month year time-of-day zone
Result<UtcTime> parse_rfc5322(std::string_view text) {
    constexpr std::size_t kWordsWithoutDay = 5;
    auto words = words_of(text);
    if (!words || words->empty()) {
        return Error::syntax;
    }
    if (!ascii::is_digit(words->front().front())) {
        const auto is_day = [&](std::string_view day) {
            return ascii::equal_ignoring_case(day, words->front());
        };
        if (std::none_of(kDays.begin(), kDays.end(), is_day)) {
            return Error::syntax;
        }
        words->erase(words->begin());
    }
    if (words->size() != kWordsWithoutDay) {
        return Error::syntax;
    }
    const auto& [day, month, year, time, zone] =
        std::tie((*words)[0], (*words)[1], (*words)[2], (*words)[3], (*words)[4]);
    const auto day_number = number(day, 1, 2, 31);
    const auto month_number = month_of(month);
    const auto year_number = year_of(year);
    const auto clock = time_of_day(time);
    const auto numeric = numeric_offset(zone);
    const auto offset = numeric ? numeric : named_offset(zone);
    if (!day_number || !month_number || !year_number || !clock || !offset) {
        return Error::syntax;
    }
    const auto midnight = day_of(*year_number, *month_number, *day_number);
    if (!midnight) {
        return Error::syntax;
    }
    return checked(*midnight + *clock - *offset);
}

// RFC 3339 §5.6, with the zone required.
Result<UtcTime> parse_iso8601(std::string_view text) {
    constexpr std::size_t kDateAndTime = 19;
    if (text.size() <= kDateAndTime || text[4] != '-' || text[7] != '-' ||
        (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
        return Error::syntax;
    }
    const auto year = number(text.substr(0, 4), 4, 4, 9999);
    const auto month = number(text.substr(5, 2), 2, 2, 12);
    const auto day = number(text.substr(8, 2), 2, 2, 31);
    const auto clock = time_of_day(text.substr(11, 8));
    if (!year || !month || !day || !clock) {
        return Error::syntax;
    }
    const auto midnight = day_of(*year, *month, *day);
    if (!midnight) {
        return Error::syntax;
    }
    auto rest = text.substr(kDateAndTime);
    milliseconds fraction{0};
    if (rest.starts_with('.')) {
        const auto end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
        auto digits = std::string(rest.substr(1, end - 1));
        if (digits.empty()) {
            return Error::syntax;
        }
        digits.resize(3, '0');
        fraction = milliseconds(*number(digits, 3, 3, 999));
        rest.remove_prefix(end);
    }
    if (rest == "Z" || rest == "z") {
        return checked(*midnight + *clock + fraction);
    }
    if (rest.size() != 6 || rest[3] != ':') {
        return Error::syntax;
    }
    const auto offset =
        numeric_offset(std::string(rest.substr(0, 3)) + std::string(rest.substr(4)));
    if (!offset) {
        return Error::syntax;
    }
    return checked(*midnight + *clock + fraction - *offset);
}

}  // namespace mailflow

// log tail and metrics.
#include "server/ctl/commands.hpp"
#include "server/ctl/url.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

constexpr auto kFollowPause = std::chrono::milliseconds(500);
constexpr std::uint64_t kDefaultLines = 50;
constexpr std::uint64_t kMaxLines = 1000;

constexpr std::array<std::string_view, 9> kFields = {
    "date_time",
    "connector_id",
    "session_id",
    "sequence_number",
    "local_endpoint",
    "remote_endpoint",
    "event",
    "data",
    "context"};

std::string text_of(const json::object& line, std::string_view key) {
    const auto& value = line.at(key);
    return value.is_string() ? std::string(value.as_string())
                             : std::to_string(value.to_number<std::uint64_t>());
}

// As in the file.
std::string csv_line(const json::object& line) {
    std::string text;
    for (const auto field : kFields) {
        const auto value = text_of(line, field);
        text += text.empty() ? "" : ",";
        if (value.find_first_of(",\"") == std::string::npos) {
            text += value;
            continue;
        }
        text += '"';
        for (const char c : value) {
            text += c == '"' ? "\"\"" : std::string(1, c);
        }
        text += '"';
    }
    return text;
}

// The time of day, which session by its last digits, whom with, what. The connector only when
// there can be several.
std::string readable_line(const json::object& line, bool with_connector) {
    constexpr std::size_t kDate = 11;           // `2026-11-23T`
    constexpr std::size_t kShownOfSession = 6;  // enough to tell apart what is seen together
    const auto time = text_of(line, "date_time");
    const auto session = text_of(line, "session_id");
    auto text = fmt::format(
        "{}  {}  {:<21}  ",
        time.size() > kDate ? time.substr(kDate, time.size() - kDate - 1) : time,
        session.size() > kShownOfSession ? session.substr(session.size() - kShownOfSession)
                                         : session,
        text_of(line, "remote_endpoint"));
    if (with_connector) {
        text += text_of(line, "connector_id") + "  ";
    }
    text += text_of(line, "event");
    if (const auto data = text_of(line, "data"); !data.empty()) {
        text += " " + data;
    }
    if (const auto context = text_of(line, "context"); !context.empty()) {
        text += "  (" + context + ")";
    }
    return text;
}

void print_lines(Context& context, const json::array& lines, bool with_connector, bool as_stream) {
    if (context.format == Format::json && !as_stream) {
        context.out << pretty_json(lines);
        return;
    }
    for (const auto& value : lines) {
        const auto& line = value.as_object();
        switch (context.format) {
            case Format::json: context.out << json::serialize(line); break;
            case Format::csv: context.out << csv_line(line); break;
            case Format::table: context.out << readable_line(line, with_connector); break;
        }
        context.out << '\n';
    }
    context.out.flush();
}

std::uint64_t line_count(const Arguments& arguments) {
    const auto text = arguments.value("lines");
    if (!text) {
        return kDefaultLines;
    }
    const bool digits = !text->empty() && text->size() <= 4 &&
                        text->find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoul(*text) > kMaxLines) {
        throw UsageError("--lines is a number from 0 to 1000, not \"" + *text + "\"");
    }
    return std::stoul(*text);
}

}  // namespace

int run_log(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"connector", "lines", "follow"});
    allow_words(arguments, 2);
    if (arguments.word(1) != "tail") {
        throw UsageError("log has tail. See smtpctl log --help");
    }
    const auto connector = arguments.value("connector").value_or("");
    const bool follow = arguments.has("follow");
    std::string first = "/v1/log/receive";
    add_parameter(first, "connector", connector);
    add_parameter(first, "lines", std::to_string(line_count(arguments)));
    auto page = context.client.get(first).as_object();
    if (context.format == Format::csv) {
        context.out << "date-time,connector-id,session-id,sequence-number,local-endpoint,"
                       "remote-endpoint,event,data,context\n";
    }
    print_lines(context, page.at("lines").as_array(), connector.empty(), follow);
    while (follow && context.out.good()) {
        if (!page.at("more").as_bool()) {
            std::this_thread::sleep_for(kFollowPause);
        }
        // An empty cursor says: from the beginning.
        auto next = "/v1/log/receive?after=" + encoded(page.at("cursor").as_string());
        add_parameter(next, "connector", connector);
        add_parameter(next, "lines", std::to_string(kMaxLines));
        page = context.client.get(next).as_object();
        print_lines(context, page.at("lines").as_array(), connector.empty(), true);
    }
    return 0;
}

int run_metrics(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {});
    allow_words(arguments, 1);
    context.out << context.client.get_text("/metrics");
    return 0;
}

}  // namespace mailflow::ctl

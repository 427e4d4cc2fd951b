// status and config.
#include "server/ctl/commands.hpp"

#include <fmt/format.h>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

std::string uptime_text(std::uint64_t seconds) {
    const auto days = seconds / 86400;
    return (days == 0 ? "" : fmt::format("{} d ", days)) +
           fmt::format("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

void print_texts(
    std::ostream& out, const json::object& status, std::string_view key, std::string_view title) {
    if (const auto* list = status.if_contains(key); list != nullptr && list->is_array()) {
        for (const auto& text : list->get_array()) {
            out << fmt::format("{:<12} {}\n", title, std::string_view(text.as_string()));
        }
    }
}

void print_status(std::ostream& out, const json::object& status) {
    const auto text = [&status](std::string_view key) {
        return std::string(status.at(key).as_string());
    };
    const auto line = [&out](std::string_view title, const std::string& value) {
        out << fmt::format("{:<12} {}\n", title, value);
    };
    line("Node", text("node"));
    line("Version", text("version"));
    line("State", status.at("healthy").as_bool() ? "healthy" : "UNHEALTHY");
    line("Uptime", uptime_text(status.at("uptime_seconds").to_number<std::uint64_t>()));
    line("Durability", text("durability"));
    const auto& queue = status.at("queue").as_object();
    const auto number = [&queue](std::string_view key) {
        return queue.at(key).to_number<std::uint64_t>();
    };
    line(
        "Queue",
        fmt::format(
            "{} messages; recipients: {} active, {} deferred; {} messages held",
            number("messages"),
            number("active_recipients"),
            number("deferred_recipients"),
            number("held_messages")));
    const auto& pressure = status.at("back_pressure").as_object();
    const std::string_view reading = pressure.at("reading").as_string();
    line(
        "Pressure",
        std::string(pressure.at("level").as_string()) +
            (reading.empty() ? "" : " (" + std::string(reading) + ")"));
    if (const auto* dnssec = status.if_contains("dnssec")) {
        const std::string_view why = dnssec->as_object().at("reason").as_string();
        line(
            "DNSSEC",
            std::string(dnssec->as_object().at("state").as_string()) +
                (why.empty() ? "" : " (" + std::string(why) + ")"));
    }
    for (const auto& listener : status.at("listeners").as_array()) {
        const auto& entry = listener.as_object();
        std::string words = std::string(entry.at("endpoint").as_string());
        words += "  " + std::string(entry.at("connector").as_string());
        words += "  TLS " + std::string(entry.at("tls").as_string());
        if (!entry.at("open").as_bool()) {
            words += "  NOT OPEN: " + std::string(entry.at("reason").as_string());
        }
        line("Listener", words);
    }
    print_texts(out, status, "problems", "PROBLEM");
    print_texts(out, status, "warnings", "Warning");
}

}  // namespace

int run_status(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {});
    allow_words(arguments, 1);
    const auto status = context.client.get("/v1/status");
    if (context.format == Format::json) {
        context.out << pretty_json(status);
    } else {
        print_status(context.out, status.as_object());
    }
    return status.at("healthy").as_bool() ? 0 : 1;
}

}  // namespace mailflow::ctl

// queue, message and track: what is queued, why, and what happened.
#include "server/ctl/commands.hpp"
#include "server/ctl/time_text.hpp"
#include "server/ctl/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::uint64_t number_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

std::string required_id(const Arguments& arguments) {
    if (arguments.word(2).empty()) {
        throw UsageError(
            "which message? Write: smtpctl message " + std::string(arguments.word(1)) +
            " QUEUEID (smtpctl message list shows them)");
    }
    return std::string(arguments.word(2));
}

const std::vector<Column>& message_columns() {
    static const std::vector<Column> columns = {
        {"id", "QueueId"},
        {"accepted", "Accepted"},
        {"status", "Status"},
        {"sender", "Sender"},
        {"recipient", "Recipients"},
        {"next_attempt", "Next attempt"},
        {"last_error", "Last error"}};
    return columns;
}

// A row of `message list`: the recipients in one cell.
json::object message_row(const json::object& message) {
    json::object row;
    for (const auto key :
         {"id", "accepted", "status", "sender", "size", "subject", "next_attempt", "last_error"}) {
        if (const auto* value = message.if_contains(key)) {
            row[key] = *value;
        }
    }
    const auto& recipients = message.at("recipients").as_array();
    std::string first =
        recipients.empty() ? "" : text_of(recipients.front().as_object(), "address");
    if (recipients.size() > 1) {
        first += fmt::format(" (+{})", recipients.size() - 1);
    }
    row["recipient"] = first;
    return row;
}

void print_recipient(const json::object& recipient, const std::string& sender, std::ostream& out) {
    out << "  " << text_of(recipient, "address") << "  " << text_of(recipient, "state") << "\n";
    const auto line = [&out](std::string_view title, const std::string& value) {
        if (!value.empty()) {
            out << fmt::format("    {:<13} {}\n", title, value);
        }
    };
    if (text_of(recipient, "original") != text_of(recipient, "address")) {
        line("Given as", text_of(recipient, "original"));
    }
    if (text_of(recipient, "reverse_path") != sender) {
        line("MAIL FROM", text_of(recipient, "reverse_path"));
    }
    if (const auto variant = number_of(recipient, "variant"); variant != 0) {
        line("Variant", std::to_string(variant));
    }
    line("Next hop", text_of(recipient, "next_hop"));
    line("Attempts", std::to_string(number_of(recipient, "attempts")));
    line("Next attempt", text_of(recipient, "next_attempt"));
    line("Last error", text_of(recipient, "last_error"));
    line("Said by", text_of(recipient, "remote"));
}

int show_message(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {});
    allow_words(arguments, 3);
    const auto answer = context.client.get("/v1/messages/" + encoded(required_id(arguments)));
    if (context.format != Format::table) {
        context.out << pretty_json(answer);
        return 0;
    }
    const auto& message = answer.as_object();
    const auto line = [&context](std::string_view title, const std::string& value) {
        if (!value.empty()) {
            context.out << fmt::format("{:<12} {}\n", title, value);
        }
    };
    line("QueueId", text_of(message, "id"));
    line("Status", text_of(message, "status"));
    line("Accepted", text_of(message, "accepted"));
    line("Release", text_of(message, "release"));
    line("Expires", text_of(message, "expires"));
    line("Sender", text_of(message, "sender"));
    line("Message-ID", text_of(message, "message_id"));
    line("Subject", text_of(message, "subject"));
    line("Size", size_text(static_cast<double>(number_of(message, "size"))));
    line("Received by", text_of(message, "connector"));
    line("From client", text_of(message, "client"));
    context.out << "Recipients\n";
    for (const auto& recipient : message.at("recipients").as_array()) {
        print_recipient(recipient.as_object(), text_of(message, "sender"), context.out);
    }
    return 0;
}

int list_messages(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"where", "queue", "limit"});
    allow_words(arguments, 2);
    std::string target = "/v1/messages";
    add_parameter(target, "queue", arguments.value("queue").value_or(""));
    add_parameter(target, "limit", arguments.value("limit").value_or(""));
    const auto answer = context.client.get(target);
    json::array rows;
    for (const auto& message : answer.at("messages").as_array()) {
        rows.push_back(
            context.format == Format::json ? message
                                           : json::value(message_row(message.as_object())));
    }
    for (const auto& flag : arguments.flags()) {
        if (flag.name == "where" && !rows.empty()) {
            rows = filtered(rows, flag.value);
        }
    }
    context.out << print_rows(rows, message_columns(), context.format);
    if (answer.as_object().contains("more") && answer.at("more").as_bool()) {
        context.errors << "there are more; --limit N shows more of them\n";
    }
    return 0;
}

int remove_message(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"with-ndr", "without-ndr"});
    const auto id = required_id(arguments);
    // Reference 9.6: WithNDR is the default.
    const bool with_ndr =
        !arguments.has("without-ndr") && arguments.value("with-ndr").value_or("true") != "false";
    const std::string how =
        with_ndr ? " and send its sender a non-delivery report" : " without a report to its sender";
    if (!context.what_if && !confirmed(context, "Remove message " + id + how + "?")) {
        return 1;
    }
    std::string target = "/v1/messages/" + encoded(id);
    add_parameter(target, "with_ndr", with_ndr ? "true" : "false");
    add_parameter(target, "what_if", context.what_if ? "true" : "");
    const auto answer = context.client.remove(target);
    if (context.format == Format::json) {
        context.out << pretty_json(answer);
    } else {
        context.out << (context.what_if ? "would remove message " : "removed message ") << id << how
                    << "\n";
    }
    return 0;
}

int export_message(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"out", "recipient"});
    const auto id = required_id(arguments);
    std::string target = "/v1/messages/" + encoded(id) + "/content";
    add_parameter(target, "recipient", arguments.value("recipient").value_or(""));
    const auto text = context.client.get_text(target);
    const auto path = arguments.value("out");
    if (!path) {
        context.out << text;
        return 0;
    }
    std::ofstream file(*path, std::ios::binary);
    file << text;
    file.close();
    if (!file) {
        throw Failure("cannot write " + *path);
    }
    context.errors << "wrote " << text.size() << " octets to " << *path << "\n";
    return 0;
}

void print_event(const json::object& event, std::ostream& out) {
    out << fmt::format(
        "{}  {:<8} {}",
        text_of(event, "time"),
        text_of(event, "event"),
        text_of(event, "queue_id"));
    const auto add = [&out](std::string_view before, const std::string& value) {
        if (!value.empty()) {
            out << before << value;
        }
    };
    const auto id = text_of(event, "event");
    std::string recipients;
    if (const auto* list = event.if_contains("recipients"); list != nullptr && list->is_array()) {
        for (const auto& recipient : list->get_array()) {
            recipients += (recipients.empty() ? "" : ", ") + std::string(recipient.as_string());
        }
    }
    if (id == "RECEIVE") {
        add("  from ", text_of(event, "sender"));
    }
    add("  to ", recipients);
    add(id == "RECEIVE" ? "  client " : "  host ", text_of(event, "remote"));
    add("  via ", text_of(event, "connector"));
    add("  ", text_of(event, "status"));
    add("  ", text_of(event, "detail"));
    out << "\n";
}

// One queue by its key, as `queue list` shows it.
int show_queue(Context& context, const std::string& key) {
    const auto rows = context.client.get("/v1/queues").as_array();
    const auto* const found = std::find_if(rows.begin(), rows.end(), [&key](const auto& row) {
        return row.at("queue").as_string() == key;
    });
    if (found == rows.end()) {
        context.errors << "there is no queue \"" << key << "\": smtpctl queue list shows them\n";
        return 1;
    }
    context.out << print_object(found->as_object(), context.format);
    return 0;
}

}  // namespace

int run_queue(Context& context, const Arguments& arguments) {
    const auto verb = arguments.word(1);
    if (verb == "list") {
        allow_flags(arguments, {"where"});
        allow_words(arguments, 2);
        auto rows = context.client.get("/v1/queues").as_array();
        for (const auto& flag : arguments.flags()) {
            if (!rows.empty()) {
                rows = filtered(rows, flag.value);
            }
        }
        const std::vector<Column> columns = {
            {"queue", "Queue"},
            {"status", "Status"},
            {"recipients", "Recipients"},
            {"running", "Running"},
            {"window", "Window"},
            {"waits_for", "Waits for"},
            {"attempts", "Failed attempts"},
            {"next_retry", "Next retry"},
            {"last_error", "Last error"}};
        context.out << print_rows(rows, columns, context.format);
        return 0;
    }
    if (verb == "show") {
        allow_flags(arguments, {});
        allow_words(arguments, 3);
        return show_queue(context, std::string(arguments.word(2)));
    }
    if (verb == "retry") {
        allow_flags(arguments, {"message"});
        allow_words(arguments, 3);
        json::object body;
        body["queue"] = arguments.word(2);
        if (const auto id = arguments.value("message")) {
            body["message"] = *id;
        }
        const auto answer = context.client.send("POST", "/v1/queues/retry", body);
        if (context.format == Format::json) {
            context.out << pretty_json(answer);
        } else {
            context.out << "due now: " << answer.at("recipients").to_number<std::uint64_t>()
                        << " recipients\n";
        }
        return 0;
    }
    throw UsageError("queue has list, show QUEUE and retry [QUEUE]. See smtpctl queue --help");
}

int run_message(Context& context, const Arguments& arguments) {
    const auto verb = arguments.word(1);
    if (verb == "list") {
        return list_messages(context, arguments);
    }
    if (verb == "show") {
        return show_message(context, arguments);
    }
    if (verb == "remove") {
        return remove_message(context, arguments);
    }
    if (verb == "export") {
        return export_message(context, arguments);
    }
    throw UsageError("message has list, show, remove and export. See smtpctl message --help");
}

int run_track(Context& context, const Arguments& arguments) {
    allow_flags(
        arguments, {"message-id", "queue-id", "from", "to", "since", "until", "event", "limit"});
    allow_words(arguments, 2);
    std::string target = "/v1/tracking";
    add_parameter(target, "queue_id", arguments.word(1));
    for (const std::string name : {"message-id", "queue-id", "from", "to", "event", "limit"}) {
        std::string key = name;
        std::replace(key.begin(), key.end(), '-', '_');
        add_parameter(target, key, arguments.value(name).value_or(""));
    }
    for (const std::string name : {"since", "until"}) {
        if (const auto value = arguments.value(name)) {
            add_parameter(target, name, absolute_time(*value));
        }
    }
    const auto events = context.client.get(target).as_array();
    if (context.format != Format::table) {
        const std::vector<Column> columns = {
            {"time", ""},
            {"event", ""},
            {"queue_id", ""},
            {"message_id", ""},
            {"sender", ""},
            {"recipients", ""},
            {"connector", ""},
            {"next_hop", ""},
            {"remote", ""},
            {"status", ""},
            {"detail", ""}};
        context.out << print_rows(events, columns, context.format);
        return 0;
    }
    for (const auto& event : events) {
        print_event(event.as_object(), context.out);
    }
    if (events.empty()) {
        context.errors << "no event matches\n";
    }
    return 0;
}

}  // namespace mailflow::ctl

// explain: what would happen to a message, and why.
#include "server/ctl/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

std::string text_of(const json::object& object, std::string_view key) {
    const auto* const value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

// What the command line asks, as the admin API takes it.
json::object question_of(const Arguments& arguments) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTexts = {
        {{"client-ip", "client_ip"},
         {"connector", "connector"},
         {"local", "local"},
         {"auth", "auth"},
         {"from", "from"},
         {"size", "size"}}};
    json::object question;
    for (const auto& [flag, key] : kTexts) {
        if (auto value = arguments.value(flag)) {
            question[key] = std::move(*value);
        }
    }
    json::array to;
    json::array header;
    for (const auto& flag : arguments.flags()) {
        if (flag.name == "to") to.emplace_back(flag.value);
        if (flag.name == "header") header.emplace_back(flag.value);
    }
    if (!question.contains("client_ip") || !question.contains("from") || to.empty()) {
        throw UsageError("explain wants --client-ip, --from and --to. See smtpctl explain --help");
    }
    question["to"] = std::move(to);
    question["header"] = std::move(header);
    return question;
}

void line(std::ostream& out, std::string_view title, const std::string& text) {
    if (!text.empty()) {
        out << fmt::format("{:<13} {}\n", title, text);
    }
}

void print_losers(std::ostream& out, const json::object& object, std::string_view key) {
    for (const auto& value : object.at(key).as_array()) {
        const auto& loser = value.as_object();
        const auto space = text_of(loser, "address_space");
        line(
            out,
            "  not",
            text_of(loser, "name") + (space.empty() ? "" : " (" + space + ")") + ": " +
                text_of(loser, "reason"));
    }
}

std::string verdict_of(const json::object& check) {
    const auto detail = text_of(check, "detail");
    const auto behind = detail.empty() ? "" : " (" + detail + ")";
    return check.at("passed").as_bool() ? "passed" + behind
                                        : "REFUSED " + text_of(check, "reply") + behind;
}

void print_checks(std::ostream& out, const json::array& checks) {
    out << "\nChecks\n";
    for (const auto& value : checks) {
        const auto& check = value.as_object();
        const auto subject = text_of(check, "subject");
        out << fmt::format(
            "  {:<40} {:<16} {}\n",
            text_of(check, "stage") + (subject.empty() ? "" : " " + subject),
            text_of(check, "check"),
            verdict_of(check));
    }
}

void print_steps(std::ostream& out, const json::array& steps) {
    if (!steps.empty()) {
        out << "\nSteps\n";
    }
    for (const auto& value : steps) {
        const auto& step = value.as_object();
        std::string after;
        for (const auto& text : step.at("after").as_array()) {
            after += (after.empty() ? " -> " : ", ") + std::string(text.as_string());
        }
        const auto before = text_of(step, "before");
        const auto reason = text_of(step, "reason");
        out << fmt::format(
            "  {:<10} {}{}{}\n",
            text_of(step, "stage"),
            before.empty() ? "<>" : before,
            after,
            reason.empty() ? "" : ": " + reason);
    }
}

std::string arrow(const std::string& before, const std::string& after) {
    if (before.empty()) {
        return "added: " + after;
    }
    return after.empty() ? "taken out: " + before : before + "  ->  " + after;
}

void print_recipient(std::ostream& out, const json::object& recipient) {
    const auto original = text_of(recipient, "original");
    const auto address = text_of(recipient, "address");
    out << "\n" << address;
    if (original != address) {
        out << " (for " << original << ")";
    }
    out << ": " << text_of(recipient, "outcome") << "\n";
    line(out, "  reason", text_of(recipient, "failure"));
    if (const auto mailbox = text_of(recipient, "mailbox"); !mailbox.empty()) {
        line(out, "  mailbox", mailbox + ", " + text_of(recipient, "place"));
    }
    line(out, "  next hop", text_of(recipient, "next_hop"));
    line(out, "  MAIL FROM", "<" + text_of(recipient, "mail_from") + ">");
    for (const auto& value : recipient.at("header").as_array()) {
        const auto& change = value.as_object();
        line(out, "  header", arrow(text_of(change, "before"), text_of(change, "after")));
    }
    if (const auto name = text_of(recipient, "send_connector"); !name.empty()) {
        line(out, "  connector", name + " (" + text_of(recipient, "address_space") + ")");
    }
    print_losers(out, recipient, "other_connectors");
    line(out, "  hosts", text_of(recipient, "hosts_detail"));
    for (const auto& value : recipient.at("hosts").as_array()) {
        const auto& host = value.as_object();
        line(out, "  host", text_of(host, "host") + " " + text_of(host, "endpoint"));
    }
    line(out, "  TLS", text_of(recipient, "tls"));
}

void print_outcome(std::ostream& out, const json::object& answer) {
    if (answer.at("accepted").as_bool()) {
        out << "\nAccepted for all recipients\n";
        return;
    }
    out << "\n";
    for (const auto& value : answer.at("checks").as_array()) {
        const auto& check = value.as_object();
        if (!check.at("passed").as_bool()) {
            const auto subject = text_of(check, "subject");
            out << "Refused at " << text_of(check, "stage") << (subject.empty() ? "" : " ")
                << subject << ": " << text_of(check, "reply") << "\n";
        }
    }
}

void print_explanation(std::ostream& out, const json::object& answer) {
    const auto name = text_of(answer, "receive_connector");
    line(out, "Local", text_of(answer, "local"));
    line(out, "Connector", name.empty() ? "none" : name);
    line(out, "  why", text_of(answer, "why"));
    print_losers(out, answer, "other_receive_connectors");
    print_checks(out, answer.at("checks").as_array());
    print_steps(out, answer.at("steps").as_array());
    for (const auto& recipient : answer.at("recipients").as_array()) {
        print_recipient(out, recipient.as_object());
    }
    out << "\n";
    for (const auto& note : answer.at("notes").as_array()) {
        line(out, "Note", std::string(note.as_string()));
    }
    print_outcome(out, answer);
}

}  // namespace

int run_explain(Context& context, const Arguments& arguments) {
    allow_flags(
        arguments, {"client-ip", "connector", "local", "auth", "from", "to", "size", "header"});
    allow_words(arguments, 1);
    if (context.format == Format::csv) {
        throw UsageError("explain prints a table for people or JSON");
    }
    const auto answer = context.client.send("POST", "/v1/explain", question_of(arguments));
    if (context.format == Format::json) {
        context.out << pretty_json(answer);
    } else {
        print_explanation(context.out, answer.as_object());
    }
    return answer.at("accepted").as_bool() ? 0 : 1;
}

}  // namespace mailflow::ctl

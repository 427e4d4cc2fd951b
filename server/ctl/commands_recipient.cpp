// Recipients by the page: mailbox|contact|group list, one change to many (set --where), and
// address-policy apply. Create, set, show and remove of one are commands_object's.
#include "server/ctl/commands.hpp"
#include "server/ctl/row_stream.hpp"
#include "server/ctl/url.hpp"
#include "transport/base/ascii.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t kPage = 1000;
// Users listed at the end of an apply, whose login names are not their primary addresses.
constexpr std::size_t kLoginsNamed = 20;
constexpr auto kProgressEvery = std::chrono::seconds(5);

std::vector<Column> list_columns(std::string_view kind) {
    std::vector<Column> columns = {{"name", "Name"}, {"alias", "alias"}};
    if (kind == "contact") columns.push_back({"external_address", "external_address"});
    columns.push_back({"addresses", "addresses"});
    if (kind == "mailbox") columns.push_back({"upn", "upn"});
    columns.push_back({"display_name", "display_name"});
    return columns;
}

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::int64_t number_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::int64_t>() : 0;
}

std::size_t limit_of(const Arguments& arguments) {
    const auto written = arguments.value("limit");
    if (!written) return SIZE_MAX;
    const auto limit = ascii::parse_number(*written);
    if (!limit || *limit == 0) throw UsageError("--limit: write a number of rows, 1 or more");
    return *limit;
}

int list_recipients(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"where", "limit", "after"});
    allow_words(arguments, 2);
    const std::string kind(arguments.word(0));
    auto left = limit_of(arguments);
    auto after = arguments.value("after").value_or("");
    RowStream rows(list_columns(kind), context.format, context.out);
    do {
        std::string target = "/v1/recipients?kind=" + kind;
        add_parameter(target, "where", condition_of(arguments));
        add_parameter(target, "after", after);
        add_parameter(target, "limit", std::to_string(std::min(left, kPage)));
        const auto answer = context.client.get(target);
        const auto& page = answer.as_object().at("rows").as_array();
        rows.add(page);
        left -= std::min(left, page.size());
        after = text_of(answer.as_object(), "next");
    } while (!after.empty() && left > 0);
    rows.finish();
    return 0;
}

Arguments without(const Arguments& arguments, std::string_view flag) {
    std::vector<std::string> words = arguments.words();
    for (const auto& other : arguments.flags()) {
        if (other.name != flag) words.push_back("--" + other.name + "=" + other.value);
    }
    return Arguments::parse(words);
}

void print_refused(Context& context, const json::object& row) {
    for (const auto& problem : row.at("problems").as_array()) {
        const auto column = text_of(problem.as_object(), "column");
        context.errors << text_of(row, "name") << (column.empty() ? "" : ", " + column) << ": "
                       << text_of(problem.as_object(), "message") << "\n";
    }
}

// `mailbox set --where 'upn != primary' --upn primary`
int set_where(Context& context, const Arguments& arguments) {
    allow_words(arguments, 2);
    const std::string kind(arguments.word(0));
    const auto condition = condition_of(arguments);
    const auto fields =
        fields_from(context, *schema::find_type(kind), without(arguments, "where"), true);
    if (fields.empty()) {
        throw UsageError("nothing to set: give at least one --field value beside --where");
    }
    if (!context.what_if &&
        !confirmed(context, "Change every " + kind + " with " + condition + "?")) {
        return 1;
    }
    RowStream rows(
        {{"name", "Name"}, {"status", "Status"}, {"primary", "Primary"}},
        context.format,
        context.out);
    std::int64_t changed = 0;
    std::int64_t refused = 0;
    std::string after;
    do {
        std::string target = "/v1/recipients?kind=" + kind;
        add_parameter(target, "where", condition);
        add_parameter(target, "after", after);
        add_parameter(target, "what_if", context.what_if ? "true" : "");
        const auto answer = context.client.send("PATCH", target, fields);
        json::array done;
        for (const auto& row : answer.as_object().at("rows").as_array()) {
            if (text_of(row.as_object(), "status") == "refused") {
                print_refused(context, row.as_object());
                ++refused;
            } else {
                done.push_back(row);
            }
        }
        changed += static_cast<std::int64_t>(done.size());
        rows.add(done);
        after = text_of(answer.as_object(), "next");
    } while (!after.empty());
    rows.finish();
    context.errors << fmt::format(
        "{}{} changed, {} refused\n", context.what_if ? "would be " : "", changed, refused);
    return refused > 0 ? 1 : 0;
}

// What an `address-policy apply` has done so far.
struct PolicyRun {
    std::int64_t looked_at = 0;
    std::int64_t changed = 0;
    std::int64_t failed = 0;
    std::int64_t other_logins = 0;
    json::array named_logins;
    std::chrono::steady_clock::time_point said = std::chrono::steady_clock::now();

    void take(const json::object& page, Context& context) {
        looked_at += number_of(page, "looked_at");
        for (const auto& change : page.at("changes").as_array()) {
            const auto problem = text_of(change.as_object(), "problem");
            if (problem.empty()) {
                ++changed;
                continue;
            }
            ++failed;
            context.errors << text_of(change.as_object(), "name") << ": " << problem << "\n";
        }
        for (const auto& login : page.at("other_logins").as_array()) {
            ++other_logins;
            if (named_logins.size() < kLoginsNamed) named_logins.push_back(login);
        }
        const auto now = std::chrono::steady_clock::now();
        if (now - said >= kProgressEvery) {
            said = now;
            context.errors << fmt::format(
                "… {} recipients looked at, {} with changes\n", looked_at, changed);
        }
    }
};

// Reference, seed step 3, note: the UPN should be the primary address.
void print_logins(std::ostream& out, const PolicyRun& run) {
    if (run.other_logins == 0) {
        return;
    }
    out << fmt::format(
        "\nThe login name (UPN) of {} of these mailboxes is not the primary address. No UPN was "
        "changed:\nthese users log in with the UPN below as before, or with any of their "
        "addresses; a mail program that\nfills in the primary address as user name works, too.\n",
        run.other_logins);
    for (const auto& login : run.named_logins) {
        const auto& user = login.as_object();
        out << "  " << text_of(user, "name") << ": logs in as " << text_of(user, "upn")
            << ", primary address " << text_of(user, "primary") << "\n";
    }
    if (run.other_logins > static_cast<std::int64_t>(run.named_logins.size())) {
        out << "  and more: smtpctl mailbox list --where 'upn != primary'\n";
    }
    out << "To make them equal: smtpctl mailbox set NAME --upn primary\n"
           "For all:            smtpctl mailbox set --where 'upn != primary' --upn primary\n";
}

}  // namespace

std::string condition_of(const Arguments& arguments) {
    std::string all;
    std::size_t count = 0;
    for (const auto& flag : arguments.flags()) {
        if (flag.name != "where") continue;
        all = count == 0 ? flag.value
                         : (count == 1 ? "(" + all + ")" : all) + " and (" + flag.value + ")";
        ++count;
    }
    return all;
}

int run_recipients(Context& context, const Arguments& arguments) {
    const auto verb = arguments.word(1);
    if (verb == "list") return list_recipients(context, arguments);
    if (verb == "import") return run_import(context, arguments);
    if (verb == "export") return run_export(context, arguments);
    if (verb == "set" && arguments.has("where")) return set_where(context, arguments);
    return run_objects(context, arguments);
}

int run_policy_apply(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"secondary-only"});
    allow_words(arguments, 3);
    RowStream rows(
        {{"name", "Name"},
         {"old_primary", "Primary before"},
         {"new_primary", "Primary after"},
         {"added", "Added"},
         {"numbered", "Numbered"}},
        context.format,
        context.out);
    PolicyRun run;
    std::string after;
    std::string mark;
    do {
        std::string target = "/v1/recipients/apply";
        add_parameter(target, "policy", arguments.word(2));
        add_parameter(target, "secondary_only", arguments.has("secondary-only") ? "true" : "");
        add_parameter(target, "what_if", context.what_if ? "true" : "");
        add_parameter(target, "after", after);
        add_parameter(target, "mark", mark);
        const auto answer = context.client.send("POST", target, json::object());
        const auto& page = answer.as_object();
        rows.add(page.at("changes").as_array());
        run.take(page, context);
        after = text_of(page, "next");
        mark = text_of(page, "mark");
    } while (!after.empty());
    rows.finish();
    // What a program reads stays clean.
    auto& out = context.format == Format::table ? context.out : context.errors;
    out << fmt::format(
        "{}{} of {} recipients changed{}\n",
        context.what_if ? "would be: " : "",
        run.changed,
        run.looked_at,
        run.failed > 0 ? fmt::format(", {} could not be", run.failed) : std::string());
    print_logins(out, run);
    return run.failed > 0 ? 1 : 0;
}

}  // namespace mailflow::ctl

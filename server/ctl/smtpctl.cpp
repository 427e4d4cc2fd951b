// smtpctl: the admin command. Parses the command line, runs one command, maps errors to exit codes:
// 0 done, 1 refused or failed, 2 wrong use.
#include "config/schema/object_type.hpp"
#include "config/schema/suggestion.hpp"
#include "server/ctl/commands.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <unistd.h>

namespace mailflow::ctl {

namespace {

constexpr const char* kDefaultSocket = "/run/mailflow/admin.sock";

bool ask_on_terminal(const std::string& question) {
    if (::isatty(STDIN_FILENO) == 0) {
        throw Failure(
            question + " There is no terminal to ask on; nothing was changed. Say --yes to do it.");
    }
    std::cerr << question << " [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

std::string read_secret(const std::string& question, std::size_t longest) {
    return ::isatty(STDIN_FILENO) != 0 ? ask_secret(STDIN_FILENO, question, longest)
                                       : read_secret_line(std::cin, longest);
}

std::string socket_path(const Arguments& arguments) {
    if (const auto given = arguments.value("socket")) {
        return *given;
    }
    const char* environment =
        std::getenv("MAILFLOW_SOCKET");  // NOLINT(concurrency-mt-unsafe): one thread
    return environment == nullptr ? kDefaultSocket : environment;
}

Format format_of(const Arguments& arguments) {
    const auto output =
        arguments.has("json") ? "json" : arguments.value("output").value_or("table");
    if (output == "json") {
        return Format::json;
    }
    if (output == "csv") {
        return Format::csv;
    }
    if (output != "table") {
        throw UsageError("--output is table, json or csv, not \"" + output + "\"");
    }
    return Format::table;
}

int dispatch(Context& context, const Arguments& arguments) {
    const auto noun = arguments.word(0);
    static const std::map<std::string_view, int (*)(Context&, const Arguments&)> commands = {
        {"status", run_status},
        {"queue", run_queue},
        {"message", run_message},
        {"track", run_track},
        {"explain", run_explain},
        {"config", run_config},
        {"log", run_log},
        {"metrics", run_metrics},
        {"tls", run_tls}};
    if (const auto found = commands.find(noun); found != commands.end()) {
        return found->second(context, arguments);
    }
    if (noun == "address-policy" && arguments.word(1) == "apply") {
        return run_policy_apply(context, arguments);
    }
    if (const auto* type = schema::find_type(noun)) {
        return type->is_recipient ? run_recipients(context, arguments)
                                  : run_objects(context, arguments);
    }
    std::vector<std::string_view> nouns;
    for (const auto& [name, command] : commands) {
        nouns.push_back(name);
    }
    for (const auto& type : schema::object_types()) {
        nouns.push_back(type.name);
    }
    throw UsageError(
        "there is no \"" + std::string(noun) + "\"" + schema::did_you_mean(noun, nouns) +
        " See smtpctl --help");
}

int run(const std::vector<std::string>& words) {
    const auto given = Arguments::parse(words);
    const auto arguments = given.without_globals();
    if (given.has("version")) {
        std::cout << "smtpctl " << MAILFLOW_VERSION << "\n";
        return 0;
    }
    if (given.has("help") || arguments.words().empty() || arguments.word(0) == "help") {
        std::cout << help_text(given);
        return given.has("help") || !arguments.words().empty() ? 0 : 2;
    }
    Context context{
        Client(socket_path(given)),
        format_of(given),
        given.has("what-if"),
        given.has("yes"),
        std::cout,
        std::cerr,
        ask_on_terminal,
        read_secret};
    return dispatch(context, arguments);
}

}  // namespace

}  // namespace mailflow::ctl

int main(int count, char** values) {
    try {
        return mailflow::ctl::run(std::vector<std::string>(values + 1, values + count));
    } catch (const mailflow::ctl::UsageError& error) {
        std::cerr << "smtpctl: " << error.what() << "\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "smtpctl: " << error.what() << "\n";
        return 1;
    }
}

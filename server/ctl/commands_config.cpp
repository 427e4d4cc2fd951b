// config export, diff and apply: the whole configuration as one text, and back.
#include "config/schema/object_type.hpp"
#include "server/ctl/commands.hpp"

#include <fstream>
#include <iostream>
#include <iterator>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

// The daemon takes no more in one request.
constexpr std::size_t kMaxText = 15UL * 1024 * 1024;

std::string read_text(const std::string& path) {
    std::ifstream file;
    if (path != "-") {
        file.open(path, std::ios::binary);
        if (!file) {
            throw Failure("cannot read " + path);
        }
    }
    std::istream& in = path == "-" ? std::cin : file;
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (text.size() > kMaxText) {
        throw Failure(
            path +
            " is larger than 15 MB: take the recipients out and import them, with smtpctl "
            "mailbox import");
    }
    return text;
}

std::string title_of(const json::object& difference) {
    const std::string type(difference.at("type").as_string());
    const auto* known = schema::find_type(type);
    const bool single = known != nullptr && known->single;
    return single ? type : type + " \"" + std::string(difference.at("name").as_string()) + "\"";
}

std::string shown(const json::value& text) {
    return text.as_string().empty() ? "nothing" : std::string(text.as_string());
}

void print_differences(std::ostream& out, const json::array& differences) {
    if (differences.empty()) {
        out << "no differences\n";
    }
    for (const auto& entry : differences) {
        const auto& difference = entry.as_object();
        const auto& change = difference.at("change").as_string();
        const char mark = change == "created" ? '+' : change == "removed" ? '-' : '~';
        out << mark << ' ' << title_of(difference) << "\n";
        for (const auto& field : difference.at("fields").as_array()) {
            const auto& values = field.as_object();
            out << "    " << std::string(values.at("field").as_string()) << ": "
                << shown(values.at("before")) << " -> " << shown(values.at("after")) << "\n";
        }
    }
}

void print_warnings(Context& context, const json::object& answer) {
    for (const auto& warning : answer.at("warnings").as_array()) {
        context.errors << "warning: " << std::string(warning.as_string()) << "\n";
    }
}

json::object ask(Context& context, const std::string& text, bool what_if) {
    const auto answer = context.client.send(
        "POST", what_if ? "/v1/config?what_if=true" : "/v1/config", json::object{{"text", text}});
    return answer.as_object();
}

int export_configuration(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"shared", "with-secrets"});
    allow_words(arguments, 2);
    std::string target = "/v1/config";
    for (const auto& [flag, parameter] :
         {std::pair("shared", "shared=true"), std::pair("with-secrets", "with_secrets=true")}) {
        if (arguments.has(flag)) {
            target += (target.find('?') == std::string::npos ? "?" : "&") + std::string(parameter);
        }
    }
    context.out << context.client.get_text(target);
    return 0;
}

// Shows first what it is about to do.
int apply(Context& context, const std::string& path, bool only_show) {
    const auto text = read_text(path);
    const auto planned = ask(context, text, true);
    const auto& differences = planned.at("differences").as_array();
    if (context.format == Format::json) {
        context.out << pretty_json(differences);
    } else {
        print_differences(context.out, differences);
    }
    if (only_show || differences.empty()) {
        print_warnings(context, planned);
        return 0;
    }
    if (!confirmed(context, "Apply this?")) {
        return 1;
    }
    print_warnings(context, ask(context, text, false));
    if (context.format != Format::json) {
        context.out << "applied\n";
    }
    return 0;
}

}  // namespace

int run_config(Context& context, const Arguments& arguments) {
    const auto verb = arguments.word(1);
    if (verb == "export") {
        return export_configuration(context, arguments);
    }
    if (verb != "diff" && verb != "apply") {
        throw UsageError("config has export, diff and apply. See smtpctl config --help");
    }
    allow_flags(arguments, {});
    allow_words(arguments, 3);
    const std::string path(arguments.word(2));
    if (path.empty()) {
        throw UsageError("which file? Write: smtpctl config " + std::string(verb) + " FILE");
    }
    return apply(context, path, verb == "diff" || context.what_if);
}

}  // namespace mailflow::ctl

// tls: what is remembered about the TLS of other hosts.
#include "server/ctl/commands.hpp"
#include "server/ctl/url.hpp"

#include <map>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

const std::vector<Column>& columns_of(std::string_view what) {
    static const std::map<std::string_view, std::vector<Column>> all = {
        {"peers",
         {{"host", "Host"},
          {"state", "State"},
          {"until", "Until"},
          {"failures", "Failures"},
          {"why", "Why"}}},
        {"policies",
         {{"domain", "Domain"},
          {"mode", "Mode"},
          {"state", "State"},
          {"expires", "Expires"},
          {"id", "Id"},
          {"mx", "MX"}}},
        {"results",
         {{"day", "Day"},
          {"domain", "Domain"},
          {"policy", "Policy"},
          {"host", "Host"},
          {"result", "Result"},
          {"sessions", "Sessions"},
          {"detail", "Detail"}}},
    };
    const auto found = all.find(what);
    if (found == all.end()) {
        throw UsageError("tls has peers, policies, results and forget. See smtpctl tls --help");
    }
    return found->second;
}

int forget(Context& context, const Arguments& arguments) {
    allow_words(arguments, 3);
    if (arguments.word(2).empty()) {
        throw UsageError("which host or domain? Write: smtpctl tls forget NAME");
    }
    const std::string name(arguments.word(2));
    static_cast<void>(context.client.remove("/v1/tls/names/" + encoded(name)));
    context.out << name << " is forgotten\n";
    return 0;
}

}  // namespace

int run_tls(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"where"});
    const auto what = arguments.word(1);
    if (what == "forget") {
        return forget(context, arguments);
    }
    allow_words(arguments, 2);
    const auto& columns = columns_of(what);
    auto rows = context.client.get("/v1/tls/" + std::string(what)).as_array();
    if (const auto condition = condition_of(arguments); !condition.empty()) {
        rows = filtered(rows, condition);
    }
    context.out << print_rows(rows, columns, context.format);
    return 0;
}

}  // namespace mailflow::ctl

// The commands of smtpctl. Each takes the parsed command line and talks to the daemon; output goes
// to `out`. Errors are exceptions: UsageError (exit 2) and Failure (exit 1).
#pragma once

#include "config/schema/object_type.hpp"
#include "server/ctl/arguments.hpp"
#include "server/ctl/client.hpp"
#include "server/ctl/output.hpp"
#include "server/ctl/secret_input.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <ostream>
#include <string>

namespace mailflow::ctl {

struct Context {
    Client client;
    Format format = Format::table;
    bool what_if = false;
    bool yes = false;
    std::ostream& out;
    std::ostream& errors;
    // Asks on the terminal; false when the answer is no. Throws Failure when there is no terminal
    // to ask on.
    std::function<bool(const std::string& question)> confirm;
    ReadSecret read_secret;
};

// Exit status.
int run_status(Context& context, const Arguments& arguments);
int run_objects(Context& context, const Arguments& arguments);
// mailbox, contact, group: the verbs for one go to run_objects.
int run_recipients(Context& context, const Arguments& arguments);
// address-policy apply [NAME]
int run_policy_apply(Context& context, const Arguments& arguments);
int run_import(Context& context, const Arguments& arguments);
int run_export(Context& context, const Arguments& arguments);
int run_queue(Context& context, const Arguments& arguments);
int run_message(Context& context, const Arguments& arguments);
int run_track(Context& context, const Arguments& arguments);
int run_explain(Context& context, const Arguments& arguments);
int run_config(Context& context, const Arguments& arguments);
int run_log(Context& context, const Arguments& arguments);
int run_metrics(Context& context, const Arguments& arguments);
int run_tls(Context& context, const Arguments& arguments);

// Help at every level: all, a noun, a verb of a noun. Throws UsageError for what does not exist.
[[nodiscard]] std::string help_text(const Arguments& arguments);

// What the flags of a `create` or `set` say, as the admin API takes it.
[[nodiscard]] boost::json::object fields_from(
    const Context& context, const schema::ObjectType& type, const Arguments& arguments, bool edit);
// The --where conditions as one that asks for all of them; empty without any.
[[nodiscard]] std::string condition_of(const Arguments& arguments);
// Asks unless --yes; returns false when the answer is no.
[[nodiscard]] bool confirmed(Context& context, const std::string& question);
// Throws UsageError naming the nearest flag when `arguments` has one outside `allowed`.
void allow_flags(const Arguments& arguments, const std::vector<std::string_view>& allowed);
// Throws UsageError when there are more than `count` words.
void allow_words(const Arguments& arguments, std::size_t count);

}  // namespace mailflow::ctl

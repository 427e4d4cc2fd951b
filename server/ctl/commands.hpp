// The commands of smtpctl. Each takes the parsed command line and talks to the daemon; output goes
// to `out`. Errors are exceptions: UsageError (exit 2) and Failure (exit 1).
#pragma once

#include "server/ctl/arguments.hpp"
#include "server/ctl/client.hpp"
#include "server/ctl/output.hpp"
#include "server/ctl/secret_input.hpp"

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
int run_queue(Context& context, const Arguments& arguments);
int run_message(Context& context, const Arguments& arguments);
int run_track(Context& context, const Arguments& arguments);
int run_config(Context& context, const Arguments& arguments);
int run_log(Context& context, const Arguments& arguments);
int run_metrics(Context& context, const Arguments& arguments);

// Help at every level: all, a noun, a verb of a noun. Throws UsageError for what does not exist.
[[nodiscard]] std::string help_text(const Arguments& arguments);

// Asks unless --yes; returns false when the answer is no.
[[nodiscard]] bool confirmed(Context& context, const std::string& question);
// Throws UsageError naming the nearest flag when `arguments` has one outside `allowed`.
void allow_flags(const Arguments& arguments, const std::vector<std::string_view>& allowed);
// Throws UsageError when there are more than `count` words.
void allow_words(const Arguments& arguments, std::size_t count);

}  // namespace mailflow::ctl

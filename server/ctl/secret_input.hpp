// How smtpctl gets a password: from a pipe, or from the terminal without showing it. Never from the
// command line, which every user of the host can read in the list of processes.
#pragma once

#include "config/schema/object_type.hpp"
#include "config/schema/values.hpp"

#include <boost/json/value.hpp>

#include <functional>
#include <istream>
#include <string>

namespace mailflow::ctl {

// Asks for a secret of at most `longest` octets, or takes the next line that was piped in. Throws
// Failure.
using ReadSecret = std::function<std::string(const std::string& question, std::size_t longest)>;

// What flag `field` with this value asks for: `-` reads one, `none` is null, which removes it.
// Throws UsageError for anything else, without repeating it.
[[nodiscard]] boost::json::value secret_value(
    const schema::Field& field, const std::string& value, const ReadSecret& read);

// The next line, without its end. Throws Failure when it is no secret.
[[nodiscard]] std::string read_secret_line(
    std::istream& in, std::size_t longest = schema::kMaxSecretLength);

// Twice on this terminal, with the echo off, the question on it. Throws Failure when the two differ
// or are no secret.
[[nodiscard]] std::string ask_secret(
    int terminal, const std::string& question, std::size_t longest = schema::kMaxSecretLength);

}  // namespace mailflow::ctl

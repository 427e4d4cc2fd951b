// `mailflow-lab run`: a mail server with a world around it for as long as one command runs. Fresh
// folder, free ports, mailflowd, name server and outside sink; the command finds them in its
// environment and in one JSON file.
#pragma once

#include "tests/lab/behaviour.hpp"

#include <map>
#include <string>
#include <vector>

namespace mailflow::lab {

struct RunSettings {
    std::string zone;       // file; empty: every domain has the sink as its MX
    std::string mailflowd;  // path
    std::string smtpctl;    // path
    std::string lab;        // path of this program, for the command's use
    std::string folder;     // empty: a new one, removed at the end
    bool keep = false;      // keep the folder
    std::string domain = "lab.test";
    std::vector<std::string> sinks = {"127.0.0.1"};  // `ADDRESS[=ITEMS]`, all on one port
    std::vector<std::string> command;
};

// What could not be set up; the lab's exit status is then kHarnessFailed.
constexpr int kHarnessFailed = 125;

// The command's exit status, 128 + signal when a signal ended it or us. The calling thread must
// have SIGINT, SIGTERM and SIGHUP blocked before any other thread starts. Throws std::runtime_error
// when the set-up fails; all is stopped then too.
[[nodiscard]] int run_with_mailflow(const RunSettings& settings);

// Used when no zone file is given, and described in docs/testing-with-mailflow.md.
[[nodiscard]] std::string default_zone();

}  // namespace mailflow::lab

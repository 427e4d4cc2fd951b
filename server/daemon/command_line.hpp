// What `mailflowd` is started with. Beats the bootstrap file. Pure.
#pragma once

#include "config/bootstrap.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

struct CommandLine {
    std::string config;  // empty: the default file, if it is there
    std::optional<std::string> node;
    std::optional<std::string> domain;
    std::optional<std::uint16_t> smtp_port;
    std::optional<std::uint16_t> submission_port;
    std::optional<std::uint16_t> submissions_port;
    std::optional<std::uint16_t> https_port;
    bool check_config = false;
    bool version = false;
    bool help = false;
    std::string error;  // not empty: wrong use

    static CommandLine parse(const std::vector<std::string>& words);
    void apply_to(Bootstrap& settings) const;
};

[[nodiscard]] std::string command_line_help();

}  // namespace mailflow

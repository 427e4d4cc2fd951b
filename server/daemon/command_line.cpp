#include "server/daemon/command_line.hpp"

#include "transport/base/ascii.hpp"

namespace mailflow {

namespace {

std::string read_port(
    const std::string& flag, const std::string& value, std::optional<std::uint16_t>& into) {
    const auto number = ascii::parse_number(value);
    if (!number || *number > 65535) {
        return flag + " takes a port from 0 to 65535, not \"" + value + "\"";
    }
    into = static_cast<std::uint16_t>(*number);
    return {};
}

// Stores one flag that takes a value; returns what is wrong.
std::string store_value(CommandLine& line, const std::string& flag, const std::string& value) {
    if (flag == "--config") {
        line.config = value;
    } else if (flag == "--node") {
        line.node = value;
    } else if (flag == "--domain") {
        line.domain = value;
    } else if (flag == "--smtp-port") {
        return read_port(flag, value, line.smtp_port);
    } else if (flag == "--submission-port") {
        return read_port(flag, value, line.submission_port);
    } else if (flag == "--submissions-port") {
        return read_port(flag, value, line.submissions_port);
    } else if (flag == "--https-port") {
        return read_port(flag, value, line.https_port);
    } else {
        return "unknown flag " + flag;
    }
    return {};
}

}  // namespace

CommandLine CommandLine::parse(const std::vector<std::string>& words) {
    CommandLine line;
    for (std::size_t i = 0; i < words.size() && line.error.empty(); ++i) {
        std::string flag = words[i];
        if (flag == "--check-config") {
            line.check_config = true;
        } else if (flag == "--version") {
            line.version = true;
        } else if (flag == "--help" || flag == "-h") {
            line.help = true;
        } else if (flag.compare(0, 2, "--") != 0) {
            line.error = "\"" + flag + "\" is not understood";
        } else if (const auto equals = flag.find('='); equals != std::string::npos) {
            const std::string value = flag.substr(equals + 1);
            flag.resize(equals);
            line.error = store_value(line, flag, value);
        } else if (i + 1 == words.size()) {
            std::string nothing;
            line.error = store_value(line, flag, nothing).find("unknown") == 0
                             ? "unknown flag " + flag
                             : flag + " needs a value";
        } else {
            line.error = store_value(line, flag, words[++i]);
        }
    }
    return line;
}

void CommandLine::apply_to(Bootstrap& settings) const {
    settings.node.fqdn = node.value_or(settings.node.fqdn);
    settings.node.domain = domain.value_or(settings.node.domain);
    settings.listen.smtp = smtp_port.value_or(settings.listen.smtp);
    settings.listen.submission = submission_port.value_or(settings.listen.submission);
    settings.listen.submissions = submissions_port.value_or(settings.listen.submissions);
    settings.listen.https = https_port.value_or(settings.listen.https);
}

std::string command_line_help() {
    return "mailflowd: the mail-flow server. Runs in the foreground; administered by smtpctl.\n\n"
           "mailflowd [--config FILE] [--node FQDN] [--domain DOMAIN] [--smtp-port N] "
           "[--submission-port N]\n"
           "          [--submissions-port N] [--https-port N] [--check-config] [--version] "
           "[--help]\n\n"
           "  --config FILE    bootstrap file (default: /etc/mailflow/mailflowd.toml when it is "
           "there)\n"
           "  --node FQDN      this node's name (default: the host's FQDN)\n"
           "  --domain DOMAIN  first start only: the first accepted domain (default: the domain "
           "part of the name)\n"
           "  --smtp-port N    first start only: port of the Default Frontend connector (25); 0 "
           "picks a free one\n"
           "  --submission-port N   first start only: port of the Client Frontend connector (587)\n"
           "  --submissions-port N  first start only: port of the Client Frontend TLS connector "
           "(465)\n"
           "  --check-config   reads and checks the bootstrap file, starts nothing\n\n"
           "Prints `ready` when everything is open. TERM or INT stops it, HUP reopens the log file "
           "and reads the\n"
           "bootstrap file again. Exit 0: stopped as asked; 1: failed; 2: wrong use or "
           "configuration.\n\n"
           "Example:\n  mailflowd --node mail.contoso.com --domain contoso.com\n";
}

}  // namespace mailflow

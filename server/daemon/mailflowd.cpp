// mailflowd: reads the command line and the bootstrap file, then runs the daemon. Exit 0 stopped as
// asked, 1 failed, 2 wrong use or configuration.
#include "server/daemon/command_line.hpp"
#include "server/daemon/daemon.hpp"
#include "storage/posix_files.hpp"

#include <iostream>

int main(int count, char** values) {
    using namespace mailflow;
    try {
        const auto line = CommandLine::parse(std::vector<std::string>(values + 1, values + count));
        if (!line.error.empty()) {
            std::cerr << "mailflowd: " << line.error << "\nSee mailflowd --help\n";
            return 2;
        }
        if (line.help) {
            std::cout << command_line_help();
            return 0;
        }
        if (line.version) {
            std::cout << "mailflowd " << MAILFLOW_VERSION << "\n";
            return 0;
        }
        PosixFiles files;
        auto bootstrap = load_bootstrap(files, line.config);
        if (!bootstrap.ok()) {
            for (const auto& error : bootstrap.errors) {
                std::cerr << "mailflowd: " << error << "\n";
            }
            return 2;
        }
        line.apply_to(bootstrap.settings);
        if (line.check_config) {
            std::cout << "the bootstrap file is fine\n";
            return 0;
        }
        Daemon daemon(std::move(bootstrap.settings), line.config);
        return daemon.run();
    } catch (const std::exception& error) {
        std::cerr << "mailflowd: " << error.what() << "\n";
        return 1;
    }
}

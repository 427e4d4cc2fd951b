// mailflow-lab: the world around a mail server, for tests, benchmarks and the demo. Exit 0 done, 1
// it does not hold, 2 wrong use, 125 the harness could not be set up.
#include "tests/lab/commands.hpp"
#include "tests/lab/options.hpp"

#include <iostream>
#include <string>
#include <vector>

int main(int count, char** values) {
    using namespace mailflow::lab;
    const std::vector<std::string> words(values + 1, values + count);
    try {
        if (words.empty() || words[0] == "--help" || words[0] == "help") {
            std::cout << help_text();
            return words.empty() ? 2 : 0;
        }
        if (words[0] == "--version") {
            std::cout << "mailflow-lab " << MAILFLOW_VERSION << "\n";
            return 0;
        }
        return run_subcommand(words);
    } catch (const UsageError& error) {
        std::cerr << "mailflow-lab: " << error.what() << "\nSee mailflow-lab --help\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "mailflow-lab: " << error.what() << "\n";
        return !words.empty() && words[0] == "run" ? 125 : 1;
    }
}

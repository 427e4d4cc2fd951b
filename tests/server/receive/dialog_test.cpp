#include "tests/support/dialog_runner.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace mailflow;

TEST_CASE(
    "every conversation goes as its file says, whole and octet by octet", "[receive][dialog]") {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(MAILFLOW_DIALOGS)) {
        if (entry.path().extension() == ".dialog") {
            files.push_back(entry.path().string());
        }
    }
    std::sort(files.begin(), files.end());
    REQUIRE(files.size() >= 40);

    for (const auto& file : files) {
        DYNAMIC_SECTION(std::filesystem::path(file).stem().string()) {
            CHECK_NOTHROW(run_dialog(file));
        }
    }
}

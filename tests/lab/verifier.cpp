#include "tests/lab/verifier.hpp"

#include "tests/lab/test_message.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

namespace mailflow::lab {

namespace {

struct Copies {
    std::uint64_t whole = 0;
    std::uint64_t damaged = 0;
};

// A file that vanishes while it is looked at (a Maildir in use) is none.
void read_folder(const std::string& folder, std::map<std::string, Copies>& copies) {
    namespace fs = std::filesystem;
    std::error_code error;
    fs::recursive_directory_iterator at(folder, error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
        if (at->is_directory(error) && at->path().filename() == "tmp") {
            at.disable_recursion_pending();
            continue;
        }
        if (!at->is_regular_file(error) || at->path().extension() == ".jsonl") continue;
        std::ifstream file(at->path(), std::ios::binary);
        const std::string content{
            std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        const auto found = find_test_message(content);
        if (!found) continue;
        auto& entry = copies[found->id];
        ++(found->whole ? entry.whole : entry.damaged);
    }
}

}  // namespace

std::string VerifyReport::text() const {
    return fmt::format(
        "acknowledged {}, delivered {}, lost {}, duplicates {}",
        acknowledged,
        delivered,
        lost.size(),
        duplicates);
}

VerifyReport verify_delivery(
    const std::vector<std::string>& acknowledged, const std::vector<std::string>& folders) {
    std::map<std::string, Copies> copies;
    for (const auto& folder : folders)
        read_folder(folder, copies);
    const std::set<std::string> ids(acknowledged.begin(), acknowledged.end());
    VerifyReport report;
    report.acknowledged = ids.size();
    for (const auto& id : ids) {
        const auto found = copies.find(id);
        if (found == copies.end() || found->second.whole == 0) {
            report.lost.push_back(id);
        } else {
            ++report.delivered;
        }
    }
    for (const auto& [id, entry] : copies) {
        report.damaged += entry.damaged;
        if (entry.whole > 1) report.duplicates += entry.whole - 1;
        if (!ids.contains(id)) ++report.unacknowledged;
    }
    return report;
}

}  // namespace mailflow::lab

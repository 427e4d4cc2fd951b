#include "tests/simulation/sim_store_check.hpp"

#include "storage/sqlite.hpp"
#include "tests/simulation/sim_ledger.hpp"
#include "transport/base/id.hpp"

#include <fmt/format.h>

namespace mailflow::sim {

namespace {

// Each counts rows that must not be there.
struct Rule {
    const char* what;
    const char* sql;
};

constexpr Rule kRules[] = {
    {"totals differ from the messages",
     "SELECT count(*) FROM totals WHERE messages <> (SELECT count(*) FROM message)"},
    {"totals differ from the deferred recipients",
     "SELECT count(*) FROM totals WHERE deferred <> "
     "(SELECT count(*) FROM recipient WHERE state = 1)"},
    {"totals differ from the held messages",
     "SELECT count(*) FROM totals WHERE held <> (SELECT count(*) FROM message WHERE held <> 0)"},
    {"a message miscounts its ready recipients",
     "SELECT count(*) FROM message WHERE ready <> "
     "(SELECT count(*) FROM recipient WHERE message = message.id AND state = 0)"},
    {"a message miscounts its deferred recipients",
     "SELECT count(*) FROM message WHERE deferred <> "
     "(SELECT count(*) FROM recipient WHERE message = message.id AND state = 1)"},
    {"a message miscounts its unreported recipients",
     "SELECT count(*) FROM message WHERE unreported <> "
     "(SELECT count(*) FROM recipient WHERE message = message.id AND state = 4 AND reported = 0)"},
    {"a message has no recipients",
     "SELECT count(*) FROM message WHERE NOT EXISTS "
     "(SELECT 1 FROM recipient WHERE message = message.id)"},
    {"a recipient has no message",
     "SELECT count(*) FROM recipient WHERE message NOT IN (SELECT id FROM message)"},
    {"a message in rows has no body",
     "SELECT count(*) FROM message WHERE file = 0 AND id NOT IN (SELECT id FROM body)"},
    {"a body has no message",
     "SELECT count(*) FROM body WHERE id NOT IN (SELECT id FROM message WHERE file = 0)"},
    {"a queue miscounts its recipients",
     "SELECT count(*) FROM next_hop WHERE deferred <> "
     "(SELECT count(*) FROM recipient WHERE next_hop = next_hop.id AND state = 1)"},
    {"a deferred recipient is in no queue",
     "SELECT count(*) FROM recipient WHERE state = 1 AND next_hop NOT IN "
     "(SELECT id FROM next_hop)"},
};

std::set<std::string> files_below(SimDisk& disk, const std::string& folder) {
    std::set<std::string> names;
    const auto folders = disk.list(folder);
    for (const auto& child : folders.value()) {
        const auto files = disk.list(folder + "/" + child);
        names.insert(files.value().begin(), files.value().end());
    }
    return names;
}

}  // namespace

StoreCheck check_store(
    SimDisk& disk, const std::string& vfs, const std::string& state_dir, bool thorough) {
    StoreCheck result;
    SqliteConnection connection({state_dir + "/queue.db", vfs}, SqliteRole::reader);
    for (const auto& rule : kRules) {
        const auto wrong = connection.number(rule.sql);
        if (wrong != 0) {
            result.problems.push_back(fmt::format("{} ({})", rule.what, wrong));
        }
    }
    if (thorough) {
        const auto words = connection.text("PRAGMA integrity_check");
        if (words != "ok") {
            result.problems.push_back("SQLite says: " + words);
        }
    }
    auto files = files_below(disk, state_dir + "/spool");
    auto row = connection.query("SELECT id, file, packed FROM message ORDER BY id");
    while (row.step()) {
        ++result.messages;
        const auto named = attempts_named_in(row.bytes(2));
        result.attempts.insert(named.begin(), named.end());
        const QueueId file{row.unsigned_integer(1)};
        if (file.value != 0 && files.erase(file.text()) == 0) {
            result.problems.push_back("the spool file " + file.text() + " is missing");
        }
    }
    for (const auto& name : files) {
        result.problems.push_back("the spool file " + name + " belongs to nobody");
    }
    return result;
}

}  // namespace mailflow::sim

#include "storage/spool.hpp"

#include "transport/base/id.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace mailflow {

namespace {

constexpr unsigned kFolders = 256;

std::string folder_name(unsigned number) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    return {kDigits[(number >> 4U) & 15U], kDigits[number & 15U]};
}

StoreFailure refused(const char* what, const std::string& path, const ErrorCode& error) {
    return {error, std::string("could not ") + what + " " + path + ": " + error.message()};
}

}  // namespace

std::string Spool::folder_of(std::uint64_t file) const {
    // The low 23 bits of an id are lane and sequence, mostly zero: the milliseconds spread evenly.
    return root_ + "/" + folder_name(static_cast<unsigned>((file >> 23U) % kFolders));
}

std::string Spool::path_of(std::uint64_t file) const {
    return folder_of(file) + "/" + QueueId{file}.text();
}

void Spool::remove(std::uint64_t file) const noexcept {
    const auto path = path_of(file);
    const auto removed = files_.remove(path);
    if (!removed && removed.error() != Error::not_found) {
        log_.warning(
            "could not remove a spool file",
            {{"path", path}, {"reason", removed.error().message()}});
    }
}

std::optional<StoreFailure> Spool::prepare(SqliteConnection& queue) const {
    if (auto failure = make_folders()) {
        return failure;
    }
    try {
        for (unsigned number = 0; number < kFolders; ++number) {
            sweep(root_ + "/" + folder_name(number), queue);
        }
    } catch (const SQLite::Exception& exception) {
        return failure_of("could not read", "queue.db", exception);
    }
    return std::nullopt;
}

std::optional<StoreFailure> Spool::make_folders() const {
    if (const auto made = files_.make_directory(root_); !made) {
        return refused("make the folder", root_, made.error());
    }
    const auto there = files_.list(root_);
    if (!there) {
        return refused("list", root_, there.error());
    }
    const std::unordered_set<std::string> names(there->begin(), there->end());
    bool made_one = false;
    for (unsigned number = 0; number < kFolders; ++number) {
        const auto name = folder_name(number);
        if (names.contains(name)) {
            continue;
        }
        made_one = true;
        const auto path = root_ + "/" + name;
        if (const auto made = files_.make_directory(path); !made) {
            return refused("make the folder", path, made.error());
        }
    }
    if (made_one) {
        if (const auto synced = files_.sync_directory(root_); !synced) {
            return refused("sync the folder", root_, synced.error());
        }
    }
    return std::nullopt;
}

void Spool::sweep(const std::string& folder, SqliteConnection& queue) const {
    const auto names = files_.list(folder);
    if (!names) {
        log_.warning(
            "could not list a spool folder",
            {{"path", folder}, {"reason", names.error().message()}});
        return;
    }
    for (const auto& name : *names) {
        const auto id = QueueId::parse(name);
        if (!id) {
            continue;  // not ours
        }
        auto row = queue.query("SELECT 1 FROM message WHERE id = ?1 AND file = ?1");
        row.bind(id->value);
        const bool referred_to = row.step();
        if (!referred_to) {
            log_.info("orphan spool file removed", {{"queue_id", *id}});
            remove(id->value);
        }
    }
}

}  // namespace mailflow

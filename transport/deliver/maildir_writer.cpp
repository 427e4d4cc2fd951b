#include "transport/deliver/maildir_writer.hpp"

#include "transport/base/error.hpp"
#include "transport/deliver/maildir_format.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// The folder a path is in.
std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

MaildirWriter::MaildirWriter(Files& files, MaildirPlace place)
    : files_(files)
    , place_(std::move(place))
    , folder_path_(place_.root + "/" + place_.folder)
    , tmp_path_(folder_path_ + "/tmp/" + place_.file)
    , new_path_(folder_path_ + "/new/" + place_.file) {}

Result<> MaildirWriter::append(std::string_view bytes) {
    if (!prepared_) {
        const auto ready = prepare();
        if (!ready) {
            return ready;
        }
        prepared_ = true;
    }
    return already_there_ ? Result<>() : file_->append(bytes);
}

Result<> MaildirWriter::prepare() {
    if (!place_.folder_is_known) {
        const auto made = make_folder();
        if (!made) {
            return made;
        }
    }
    if (place_.may_be_there) {
        const auto looked = find_earlier();
        if (!looked) {
            return looked;
        }
    }
    return already_there_ ? Result<>() : create_file();
}

// A folder whose entry is not on stable storage would take the message with it.
Result<> MaildirWriter::make_folder() {
    for (const auto* name : {"/tmp", "/new", "/cur"}) {
        const auto made = files_.make_directory(folder_path_ + name);
        if (!made) {
            return made;
        }
    }
    for (const auto& path : {folder_path_, place_.root, parent_of(place_.root)}) {
        const auto synced = files_.sync_directory(path);
        if (!synced) {
            return synced;
        }
    }
    return {};
}

Result<> MaildirWriter::find_earlier() {
    for (const auto* name : {"/new", "/cur"}) {
        const auto path = folder_path_ + name;
        const auto entries = files_.list(path);
        if (!entries) {
            return entries.error();
        }
        already_there_ =
            std::any_of(entries->begin(), entries->end(), [this](const std::string& entry) {
                return is_maildir_entry_of(entry, place_.file);
            });
        if (already_there_) {
            // The earlier attempt may have stopped between its rename and its sync.
            return files_.sync_directory(path);
        }
    }
    return {};
}

Result<> MaildirWriter::create_file() {
    auto file = files_.create(tmp_path_);
    if (!file && file.error() == Error::already_exists) {
        // Left behind by an attempt that a crash ended: never whole, never delivered.
        const auto removed = files_.remove(tmp_path_);
        if (!removed) {
            return removed;
        }
        file = files_.create(tmp_path_);
    }
    if (!file) {
        return file.error();
    }
    file_ = std::move(*file);
    return {};
}

Result<> MaildirWriter::finish() {
    if (already_there_) {
        return {};
    }
    const auto synced = file_->sync();
    file_.reset();
    if (!synced) {
        return synced;
    }
    const auto renamed = files_.rename(tmp_path_, new_path_);
    if (!renamed) {
        return renamed;
    }
    const auto kept = files_.sync_directory(folder_path_ + "/new");
    if (!kept) {
        // A second sync may succeed without having written anything: the next attempt must begin
        // anew instead of finding this file.
        (void)files_.remove(new_path_);
    }
    return kept;
}

void MaildirWriter::abandon() noexcept {
    file_.reset();
    if (!already_there_) {
        (void)files_.remove(tmp_path_);
    }
}

}  // namespace mailflow

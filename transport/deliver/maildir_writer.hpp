// One message on its way into one Maildir: tmp/ → sync → new/ → sync of new/ (decisions: a file in
// new/ is whole and stays). Every call blocks on the disk: used by local delivery on a worker, one
// call at a time. Owned by the delivery in progress.
#pragma once

#include "transport/ports/files.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

struct MaildirPlace {
    std::string root;
    std::string folder;            // one name, see maildir_folder
    std::string file;              // one name, see maildir_file_name
    bool folder_is_known = false;  // made and synced since the start: not looked at again
    bool may_be_there = true;      // an earlier attempt may have got through: look before writing
};

class MaildirWriter {
  public:
    // `files` outlives the writer.
    MaildirWriter(Files& files, MaildirPlace place);
    // Does nothing to the disk: what was not finished is abandoned first.
    ~MaildirWriter() = default;
    MaildirWriter(const MaildirWriter&) = delete;
    MaildirWriter& operator=(const MaildirWriter&) = delete;

    // The first call makes the folder, looks for the message and creates the file.
    Result<> append(std::string_view bytes);
    // The message is in new/ and survives a power loss.
    Result<> finish();
    // After a failure or instead of `finish`: leaves nothing behind, as far as the disk lets it.
    void abandon() noexcept;

    // An earlier attempt put the message there; nothing is written.
    [[nodiscard]] bool is_already_there() const noexcept { return already_there_; }

  private:
    Result<> prepare();
    Result<> make_folder();
    Result<> find_earlier();
    Result<> create_file();

    Files& files_;
    MaildirPlace place_;
    std::string folder_path_;
    std::string tmp_path_;
    std::string new_path_;
    std::unique_ptr<File> file_;
    bool prepared_ = false;
    bool already_there_ = false;
};

}  // namespace mailflow

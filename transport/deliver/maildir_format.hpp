// What a Maildir looks like, as pure text: names of folders and files, and line ends on disk. Used
// by Maildir delivery; any thread.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/id.hpp"
#include "transport/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow {

// Longest name of one file or folder on the file systems we know.
constexpr std::size_t kMaxFileName = 255;

// The folder of a mailbox: its name with `%XX` for `/`, `%`, control bytes and a leading dot, so
// that no name leaves the root or hides. Different names give different folders. Error::syntax for
// the empty name, Error::too_large above kMaxFileName.
[[nodiscard]] Result<std::string> maildir_folder(std::string_view mailbox);

// `<seconds>.<QueueId>.<recipient number>.<host>`: the same at every attempt, so that a repeated
// one finds itself and does not double.
[[nodiscard]] std::string maildir_file_name(
    UtcTime accepted, QueueId id, std::uint32_t recipient, std::string_view host);

// True when `entry` of new/ or cur/ is the file `name`, whatever flags a reader has given it since.
[[nodiscard]] bool is_maildir_entry_of(std::string_view entry, std::string_view name) noexcept;

// CRLF → LF over a stream that comes in pieces. Readers of Maildirs expect the lines of their own
// system (as Postfix, Dovecot and qmail write them); every other octet stays, a bare CR too. Binary
// content (RFC 3030) has no lines to convert: there CRLF may be data, so all of it stays.
class CrlfToLf {
  public:
    explicit CrlfToLf(bool is_binary = false) noexcept
        : is_binary_(is_binary) {}

    void convert(std::string_view piece, std::string& to);
    // A CR at the very end.
    void finish(std::string& to);

  private:
    bool is_binary_;
    bool pending_cr_ = false;
};

}  // namespace mailflow

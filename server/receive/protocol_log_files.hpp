// The protocol log's files: appends batches of lines to RECVyyyymmdd-n.log, begins a new file each
// UTC day and at kMaxFileSize, deletes the oldest beyond kMaxAge and kMaxTotalSize, and finds lines
// again. Blocking; used by one thread at a time (the log's writer), owned by ProtocolLog.
#pragma once

#include "server/receive/protocol_log_line.hpp"
#include "transport/base/clock.hpp"
#include "transport/ports/files.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

class ProtocolLogFiles {
  public:
    // Reference 12.2.
    static constexpr std::uint64_t kMaxFileSize = 10ULL * 1024 * 1024;
    static constexpr std::uint64_t kMaxTotalSize = 250ULL * 1024 * 1024;
    static constexpr auto kMaxAge = std::chrono::days(30);
    // What one question for lines looks at, and answers, at most.
    static constexpr std::uint64_t kMaxScan = 16ULL * 1024 * 1024;
    static constexpr std::size_t kMaxLines = 1000;

    // `files` outlives this.
    ProtocolLogFiles(std::string folder, Files& files);

    // Whole lines, each ended by LF; into the file of the day of `now`. On failure the first ones
    // may be there.
    Result<> append(std::string_view lines, UtcTime now);
    // Too old, or too much of it all.
    void delete_old(UtcTime now);

    struct Page {
        std::vector<ProtocolLogLine> lines;
        std::string cursor;  // where the next page begins; opaque
        bool more = false;   // there are lines behind the cursor already
    };

    // The last `count` lines of a connector, of all when it is empty.
    [[nodiscard]] Result<Page> last(std::string_view connector, std::size_t count);
    // At most `count` lines from the cursor on. Error::syntax: no cursor of ours.
    [[nodiscard]] Result<Page> after(
        std::string_view connector, std::string_view cursor, std::size_t count);

  private:
    // `RECV20261123-2.log`
    struct Name {
        std::uint32_t date = 0;  // 20261123
        std::uint32_t number = 0;

        [[nodiscard]] std::string text() const;
        [[nodiscard]] static std::optional<Name> parse(std::string_view text);
        friend auto operator<=>(const Name&, const Name&) = default;
    };

    [[nodiscard]] std::string path(const Name& name) const;
    // Sorted. Empty when there is no folder.
    [[nodiscard]] std::vector<Name> names();
    Result<> open_for(UtcTime now, std::size_t line);
    Result<> go_on_with(const Name& name);
    Result<> begin(const Name& name, UtcTime now);

    std::string folder_;
    Files& files_;
    std::unique_ptr<File> file_;  // being written; null: none
    Name name_;
    std::uint64_t size_ = 0;
};

}  // namespace mailflow

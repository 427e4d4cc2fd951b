// The protocol log's files: appends batches of lines to RECVyyyymmdd-n.log, begins a new file each
// UTC day and at kMaxFileSize, deletes the oldest beyond kMaxAge and kMaxTotalSize, and finds lines
// again. Blocking; used by one thread at a time (the log's writer), owned by ProtocolLog.
#pragma once

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

// One line of the log, unquoted but still escaped.
struct ProtocolLogLine {
    std::string date_time;
    std::string connector;
    std::string session;
    std::uint64_t sequence = 0;
    std::string local;
    std::string remote;
    std::string event;
    std::string data;
    std::string context;
};

// A CSV line of the log; none when it is not one (`#` lines, a torn line).
[[nodiscard]] std::optional<ProtocolLogLine> parse_protocol_log_line(std::string_view line);

class ProtocolLogFiles {
  public:
    // Reference 12.2.
    static constexpr std::uint64_t kMaxFileSize = 10ULL * 1024 * 1024;
    static constexpr std::uint64_t kMaxTotalSize = 250ULL * 1024 * 1024;
    static constexpr auto kMaxAge = std::chrono::days(30);
    // What one question for lines looks at, and answers, at most.
    static constexpr std::uint64_t kMaxScan = 32ULL * 1024 * 1024;
    static constexpr std::size_t kMaxLines = 1000;

    // `files` outlives this.
    ProtocolLogFiles(std::string folder, Files& files);

    // Whole lines, each ended by LF; the file of the day of `now`. On failure some may be lost.
    Result<> append(std::string_view lines, UtcTime now);

    struct Page {
        std::vector<ProtocolLogLine> lines;
        std::string cursor;  // where the next page begins; opaque
        bool more = false;   // there are lines behind the cursor already
    };

    // The last `count` lines of a connector, of all when it is empty. Without case.
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

    struct Place {
        Name name;
        std::uint64_t offset = 0;
    };

    [[nodiscard]] std::string path(const Name& name) const;
    [[nodiscard]] Result<std::vector<Name>> names();
    Result<> open_for(UtcTime now);
    Result<> go_on_with(const Name& name);
    Result<> begin(const Name& name, UtcTime now);
    void delete_old(UtcTime now);
    void read_lines(
        const Place& from,
        std::uint64_t until,
        std::string_view connector,
        std::vector<ProtocolLogLine>& into);

    std::string folder_;
    Files& files_;
    std::unique_ptr<File> file_;  // being written; null: none
    Name name_;
    std::uint64_t size_ = 0;
};

}  // namespace mailflow

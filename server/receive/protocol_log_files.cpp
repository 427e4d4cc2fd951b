#include "server/receive/protocol_log_files.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/date_time.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::string_view kPrefix = "RECV";
constexpr std::string_view kSuffix = ".log";
// What is read of a file at once.
constexpr std::uint64_t kPiece = 1024ULL * 1024;

std::uint32_t date_of(UtcTime time) {
    const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
    return static_cast<std::uint32_t>(static_cast<int>(day.year())) * 10000 +
           static_cast<unsigned>(day.month()) * 100 + static_cast<unsigned>(day.day());
}

std::string header(UtcTime now) {
    return fmt::format(
        "#Software: mailflow\n#Version: {}\n#Log-Type: SMTP Receive Protocol Log\n#Date: "
        "{}\n#Fields: {}\n",
        MAILFLOW_VERSION,
        to_iso8601(now),
        kProtocolLogFields);
}

// The lines of `text` that belong to the connector, at most `count`. Returns the octets that are
// done with: whole lines only.
std::size_t collect(
    std::string_view text,
    std::string_view connector,
    std::size_t count,
    std::vector<ProtocolLogLine>& lines) {
    std::size_t at = 0;
    while (lines.size() < count) {
        const auto end = text.find('\n', at);
        if (end == std::string_view::npos) {
            break;
        }
        auto line = parse_protocol_log_line(text.substr(at, end - at));
        at = end + 1;
        if (line && (connector.empty() || line->connector == connector)) {
            lines.push_back(std::move(*line));
        }
    }
    return at;
}

// The last `count` lines of one file, put in front of `lines`; `budget` octets may be looked at.
Result<> collect_backwards(
    File& file,
    std::uint64_t end,
    std::string_view connector,
    std::size_t count,
    std::uint64_t& budget,
    std::vector<ProtocolLogLine>& lines) {
    while (end > 0 && budget > 0 && lines.size() < count) {
        const auto size = std::min({end, kPiece, budget});
        const auto piece = file.read(end - size, static_cast<std::size_t>(size));
        if (!piece) {
            return piece.error();
        }
        budget -= size;
        // A piece that begins inside a file begins inside a line: that one is the next piece's.
        const auto torn = end == size ? std::size_t{0} : piece->find('\n') + 1;
        if (torn == 0 && end != size) {
            break;  // no line is that long: not our file
        }
        std::vector<ProtocolLogLine> found;
        collect(std::string_view(*piece).substr(torn), connector, SIZE_MAX, found);
        const auto wanted = std::min(found.size(), count - lines.size());
        lines.insert(
            lines.begin(),
            std::make_move_iterator(found.end() - static_cast<std::ptrdiff_t>(wanted)),
            std::make_move_iterator(found.end()));
        end -= size - torn;
    }
    return {};
}

std::string cursor_at(const std::string& name, std::uint64_t offset) {
    return name + ":" + std::to_string(offset);
}

}  // namespace

// ---- names

std::string ProtocolLogFiles::Name::text() const {
    return fmt::format("{}{:08}-{}{}", kPrefix, date, number, kSuffix);
}

std::optional<ProtocolLogFiles::Name> ProtocolLogFiles::Name::parse(std::string_view text) {
    constexpr std::size_t kDateDigits = 8;
    constexpr std::size_t kMaxNumberDigits = 9;
    if (!text.starts_with(kPrefix) || !text.ends_with(kSuffix)) {
        return std::nullopt;
    }
    text.remove_prefix(kPrefix.size());
    text.remove_suffix(kSuffix.size());
    if (text.size() < kDateDigits + 2 || text[kDateDigits] != '-' ||
        text.size() > kDateDigits + 1 + kMaxNumberDigits) {
        return std::nullopt;
    }
    const auto date = ascii::parse_number(text.substr(0, kDateDigits));
    const auto number = ascii::parse_number(text.substr(kDateDigits + 1));
    if (!date || !number) {
        return std::nullopt;
    }
    return Name{static_cast<std::uint32_t>(*date), static_cast<std::uint32_t>(*number)};
}

ProtocolLogFiles::ProtocolLogFiles(std::string folder, Files& files)
    : folder_(std::move(folder))
    , files_(files) {}

std::string ProtocolLogFiles::path(const Name& name) const {
    return folder_ + "/" + name.text();
}

std::vector<ProtocolLogFiles::Name> ProtocolLogFiles::names() {
    std::vector<Name> result;
    if (const auto list = files_.list(folder_)) {
        for (const auto& text : *list) {
            if (const auto name = Name::parse(text)) {
                result.push_back(*name);
            }
        }
    }
    std::sort(result.begin(), result.end());
    return result;
}

// ---- writing

Result<> ProtocolLogFiles::append(std::string_view lines, UtcTime now) {
    while (!lines.empty()) {
        const auto first = std::min(lines.find('\n') + 1, lines.size());
        if (const auto opened = open_for(now, first); !opened) {
            file_.reset();
            return opened;
        }
        // As many whole lines as the file has room for.
        auto part = lines;
        const auto room = static_cast<std::size_t>(kMaxFileSize - size_);
        if (part.size() > room) {
            part = part.substr(0, std::max(part.rfind('\n', room - 1) + 1, first));
        }
        if (const auto written = file_->append(part); !written) {
            file_.reset();  // opened anew, it is looked at for a torn line
            return written;
        }
        size_ += part.size();
        lines.remove_prefix(part.size());
    }
    return {};
}

// The day's newest file, or the next when the line finds no room in it.
Result<> ProtocolLogFiles::open_for(UtcTime now, std::size_t line) {
    const auto today = date_of(now);
    if (file_ != nullptr && name_.date == today && size_ + line <= kMaxFileSize) {
        return {};
    }
    if (const auto made = files_.make_directory(folder_); !made) {
        return made;
    }
    auto next = Name{today, 1};
    for (const auto& name : names()) {
        if (name.date == today) {
            next = name;
        }
    }
    if (files_.exists(path(next))) {
        if (const auto opened = go_on_with(next); !opened || size_ + line <= kMaxFileSize) {
            return opened;
        }
        ++next.number;
    }
    file_.reset();
    delete_old(now);
    return begin(next, now);
}

Result<> ProtocolLogFiles::go_on_with(const Name& name) {
    auto file = files_.open(path(name));
    if (!file) {
        return file.error();
    }
    const auto size = (*file)->size();
    if (!size) {
        return size.error();
    }
    file_ = std::move(*file);
    name_ = name;
    size_ = *size;
    // A crash or a full disk may have left a part of a line; it stays alone on its own.
    const auto end = file_->read(size_ == 0 ? 0 : size_ - 1, 1);
    if (size_ > 0 && end != Result<std::string>("\n")) {
        if (const auto closed = file_->append("\n"); !closed) {
            return closed;
        }
        ++size_;
    }
    return {};
}

Result<> ProtocolLogFiles::begin(const Name& name, UtcTime now) {
    auto file = files_.create(path(name));
    if (!file) {
        return file.error();
    }
    file_ = std::move(*file);
    name_ = name;
    size_ = 0;
    const auto words = header(now);
    if (const auto written = file_->append(words); !written) {
        return written;
    }
    size_ = words.size();
    return {};
}

void ProtocolLogFiles::delete_old(UtcTime now) {
    const auto all = names();
    std::vector<std::uint64_t> sizes;
    std::uint64_t total = file_ == nullptr ? kMaxFileSize : 0;  // room for the one to come
    for (const auto& name : all) {
        const auto file = files_.open(path(name));
        const auto size = file ? (*file)->size() : Result<std::uint64_t>(0);
        sizes.push_back(size ? *size : 0);
        total += sizes.back();
    }
    const auto oldest = date_of(now - kMaxAge);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool in_use = file_ != nullptr && all[i] == name_;
        if (in_use || (all[i].date >= oldest && total <= kMaxTotalSize)) {
            break;
        }
        // One that cannot be removed is tried again with the next file.
        static_cast<void>(files_.remove(path(all[i])));
        total -= sizes[i];
    }
}

// ---- reading

Result<ProtocolLogFiles::Page> ProtocolLogFiles::last(
    std::string_view connector, std::size_t count) {
    Page page;
    const auto wanted = std::min(count, kMaxLines);
    std::uint64_t budget = kMaxScan;
    const auto all = names();
    for (auto name = all.rbegin(); name != all.rend(); ++name) {
        const auto file = files_.open(path(*name));
        const auto size = file ? (*file)->size() : Result<std::uint64_t>(file.error());
        if (!size) {
            return size.error();
        }
        if (page.cursor.empty()) {
            page.cursor = cursor_at(name->text(), *size);
        }
        if (const auto read =
                collect_backwards(**file, *size, connector, wanted, budget, page.lines);
            !read) {
            return read.error();
        }
    }
    return page;
}

Result<ProtocolLogFiles::Page> ProtocolLogFiles::after(
    std::string_view connector, std::string_view cursor, std::size_t count) {
    Name from;
    std::uint64_t offset = 0;
    if (!cursor.empty()) {
        const auto colon = std::min(cursor.find(':'), cursor.size() - 1);
        const auto name = Name::parse(cursor.substr(0, colon));
        const auto number = ascii::parse_number(cursor.substr(colon + 1));
        if (!name || !number) {
            return Error::syntax;
        }
        from = *name;
        offset = *number;
    }
    Page page;
    page.cursor = cursor;
    const auto wanted = std::min(count, kMaxLines);
    std::uint64_t budget = kMaxScan;
    for (const auto& name : names()) {
        if (name < from) {
            continue;
        }
        const auto file = files_.open(path(name));
        if (!file) {
            return file.error();
        }
        offset = name == from ? offset : 0;
        for (;;) {
            page.more = page.lines.size() >= wanted || budget == 0;
            if (page.more) {
                return page;
            }
            const auto size = std::min(kPiece, budget);
            const auto piece = (*file)->read(offset, static_cast<std::size_t>(size));
            if (!piece) {
                return piece.error();
            }
            const auto done = collect(*piece, connector, wanted, page.lines);
            if (done == 0) {
                break;
            }
            budget -= done;
            offset += done;
            page.cursor = cursor_at(name.text(), offset);
        }
    }
    return page;
}

}  // namespace mailflow

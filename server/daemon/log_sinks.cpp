#include "server/daemon/log_sinks.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <new>
#include <unistd.h>
#include <utility>

namespace mailflow {

namespace {

// Octets that make the thread write without being asked, and those beyond which lines are dropped.
constexpr std::size_t kGatherAtMost = 64UL * 1024;
constexpr std::size_t kMaxGathered = 8UL * 1024 * 1024;

const char* to_text(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::debug: return "debug";
        case LogLevel::info: return "info";
        case LogLevel::warning: return "warning";
        case LogLevel::error: return "error";
    }
    return "error";
}

// sd-daemon(3): the priority prefix of a line.
const char* journal_prefix(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::debug: return "<7>";
        case LogLevel::info: return "<6>";
        case LogLevel::warning: return "<4>";
        case LogLevel::error: return "<3>";
    }
    return "<3>";
}

void append_json_text(std::string& line, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    line += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            line += '\\';
            line += c;
        } else if (ascii::is_control(c)) {
            const auto byte = static_cast<unsigned char>(c);
            line += "\\u00";
            line += kHex[byte >> 4U];
            line += kHex[byte & 15U];
        } else {
            line += c;
        }
    }
    line += '"';
}

std::string json_line(
    UtcTime time, LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    std::string line =
        "{\"time\":\"" + to_iso8601(time) + "\",\"level\":\"" + to_text(level) + "\",\"event\":";
    append_json_text(line, event);
    for (const auto& field : fields) {
        line += ',';
        append_json_text(line, field.key);
        line += ':';
        if (field.quoted) {
            append_json_text(line, field.text);
        } else {
            line += field.text;
        }
    }
    return line + '}';
}

bool needs_quotes(const std::string& text) {
    return text.empty() || text.find_first_of(" \"\\=") != std::string::npos ||
           std::any_of(text.begin(), text.end(), ascii::is_control);
}

int open_log_file(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

}  // namespace

Result<std::unique_ptr<DaemonLog>> DaemonLog::open(
    const Bootstrap::LogSettings& settings, const Clock& clock) {
    int descriptor = STDERR_FILENO;
    if (settings.target == LogTarget::file) {
        descriptor = open_log_file(settings.file);
        if (descriptor < 0) {
            return ErrorCode(errno, boost::system::system_category());
        }
    }
    return std::unique_ptr<DaemonLog>(new DaemonLog(settings, clock, descriptor));
}

DaemonLog::DaemonLog(const Bootstrap::LogSettings& settings, const Clock& clock, int descriptor)
    : settings_(settings)
    , clock_(clock)
    , descriptor_(descriptor)
    , thread_(std::make_unique<ThreadRunner>("log")) {}

DaemonLog::~DaemonLog() {
    thread_->post([this] { write_gathered(); });
    thread_.reset();
    if (descriptor_ != STDERR_FILENO) {
        ::close(descriptor_);
    }
}

void DaemonLog::write(
    LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept {
    try {
        auto line = log_line(settings_.format, clock_.now(), level, event, fields);
        if (settings_.target == LogTarget::journal) {
            line.insert(0, journal_prefix(level));
        }
        append(std::move(line), level >= LogLevel::warning);
    } catch (const std::bad_alloc&) {
        // A line that finds no memory must not stop mail.
        return;
    }
}

void DaemonLog::append(std::string line, bool hurry) {
    const std::lock_guard lock(mutex_);
    if (gathered_.size() + line.size() > kMaxGathered) {
        ++dropped_;
        return;
    }
    gathered_ += line;
    gathered_ += '\n';
    if (!ordered_ && (hurry || gathered_.size() > kGatherAtMost)) {
        ordered_ = true;
        thread_->post([this] { write_gathered(); });
    }
}

void DaemonLog::flush() noexcept {
    const std::lock_guard lock(mutex_);
    if (!ordered_ && !gathered_.empty()) {
        ordered_ = true;
        thread_->post([this] { write_gathered(); });
    }
}

void DaemonLog::write_gathered() noexcept {
    std::uint64_t dropped = 0;
    {
        const std::lock_guard lock(mutex_);
        writing_.swap(gathered_);
        dropped = std::exchange(dropped_, 0);
        ordered_ = false;
    }
    if (dropped > 0) {
        writing_ += log_line(
            settings_.format,
            clock_.now(),
            LogLevel::warning,
            "log lines dropped",
            {{"count", dropped}});
        writing_ += '\n';
    }
    std::string_view rest = writing_;
    while (!rest.empty()) {
        const auto written = ::write(descriptor_, rest.data(), rest.size());
        if (written < 0 && errno != EINTR) {
            break;  // a full disk or a closed pipe: these lines are lost, mail goes on
        }
        rest.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    writing_.clear();
}

void DaemonLog::reopen() noexcept {
    thread_->post([this] { open_again(); });
}

void DaemonLog::open_again() noexcept {
    if (settings_.target != LogTarget::file) {
        return;
    }
    write_gathered();
    const int again = open_log_file(settings_.file);
    if (again >= 0) {  // else the folder is gone: the old file goes on
        ::close(descriptor_);
        descriptor_ = again;
    }
}

std::string log_line(
    LogFormat format,
    UtcTime time,
    LogLevel level,
    std::string_view event,
    std::initializer_list<LogField> fields) {
    if (format == LogFormat::json) {
        return json_line(time, level, event, fields);
    }
    std::string line = to_iso8601(time);
    line += ' ';
    line += to_text(level);
    line += ' ';
    line += event;
    for (const auto& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        if (field.quoted && needs_quotes(field.text)) {
            line += '"';
            line += ascii::escaped(field.text);
            line += '"';
        } else {
            line += field.text;
        }
    }
    return line;
}

}  // namespace mailflow

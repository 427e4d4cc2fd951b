#include "server/daemon/log_sinks.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"

#include <mutex>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/file_helper.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace mailflow {

namespace {

constexpr std::size_t kQueuedLines = 8192;

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

// A file that can be opened again by name.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    explicit FileSink(const std::string& path) { file_.open(path); }

    void reopen() {
        const std::lock_guard lock(mutex_);
        file_.reopen(false);
    }

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        line.append(message.payload.data(), message.payload.data() + message.payload.size());
        line.push_back('\n');
        file_.write(line);
    }

    void flush_() override { file_.flush(); }

    spdlog::details::file_helper file_;
};

}  // namespace

struct DaemonLog::Output {
    std::shared_ptr<spdlog::details::thread_pool> pool =
        std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
    std::shared_ptr<FileSink> file;
    std::shared_ptr<spdlog::async_logger> logger;
};

Result<std::unique_ptr<DaemonLog>> DaemonLog::open(
    const Bootstrap::LogSettings& settings, const Clock& clock) {
    std::unique_ptr<DaemonLog> log(new DaemonLog(settings, clock));
    try {
        spdlog::sink_ptr sink;
        if (settings.target == LogTarget::file) {
            log->output_->file = std::make_shared<FileSink>(settings.file);
            sink = log->output_->file;
        } else {
            sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
            sink->set_pattern("%v");
        }
        log->output_->logger = std::make_shared<spdlog::async_logger>(
            "mailflowd", sink, log->output_->pool, spdlog::async_overflow_policy::overrun_oldest);
        log->output_->logger->set_level(spdlog::level::trace);
    } catch (const spdlog::spdlog_ex&) {
        return make_error_code(boost::system::errc::permission_denied);
    }
    return log;
}

DaemonLog::DaemonLog(const Bootstrap::LogSettings& settings, const Clock& clock)
    : settings_(settings)
    , clock_(clock)
    , output_(std::make_unique<Output>()) {}

DaemonLog::~DaemonLog() {
    if (output_->logger) {
        output_->logger->flush();
    }
}

void DaemonLog::write(
    LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept {
    try {
        auto line = log_line(settings_.format, clock_.now(), level, event, fields);
        if (settings_.target == LogTarget::journal) {
            line.insert(0, journal_prefix(level));
        }
        output_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
        dirty_.store(true, std::memory_order_relaxed);
    } catch (...) {
        // A line that cannot be written must not stop mail.
        dirty_.store(true, std::memory_order_relaxed);
    }
}

void DaemonLog::flush() noexcept {
    if (dirty_.exchange(false)) {
        output_->logger->flush();
    }
}

void DaemonLog::reopen() noexcept {
    if (!output_->file) {
        return;
    }
    try {
        output_->file->reopen();
    } catch (const spdlog::spdlog_ex&) {
        // The folder is gone or full: lines are lost until the next reopen, mail goes on.
        dirty_.store(false);
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

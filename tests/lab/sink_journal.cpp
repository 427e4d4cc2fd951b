#include "tests/lab/sink_journal.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace mailflow::lab {

namespace {

// In memory, for tests; a sink that writes to a folder keeps nothing.
constexpr std::size_t kMaxKept = 100'000;

boost::json::array strings(const std::vector<std::string>& texts) {
    boost::json::array array;
    for (const auto& text : texts)
        array.emplace_back(text);
    return array;
}

std::string now_text() {
    const auto now =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto since = now.time_since_epoch().count();
    const std::time_t seconds = since / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        since % 1000);
}

std::string to_json(const SinkMessage& message, const std::string& file) {
    boost::json::object json{
        {"number", message.number},
        {"session", message.session},
        {"time", now_text()},
        {"from", message.from},
        {"from_parameters", message.from_parameters},
        {"to", strings(message.to)},
        {"to_parameters", strings(message.to_parameters)},
        {"size", message.content.size()},
        {"acknowledged", message.acknowledged}};
    if (!file.empty()) json["file"] = file;
    return boost::json::serialize(json);
}

std::string to_json(const SinkSession& session) {
    return boost::json::serialize(boost::json::object{
        {"number", session.number},
        {"time", now_text()},
        {"local", session.local.text()},
        {"peer", session.peer.text()},
        {"helo", session.helo},
        {"messages", session.messages},
        {"commands", session.commands},
        {"pipelined", session.pipelined},
        {"dialogue", strings(session.dialogue)},
        {"ended", session.ended}});
}

void append_line(const std::string& path, const std::string& line) {
    std::ofstream file(path, std::ios::app | std::ios::binary);
    file << line << '\n';
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace

SinkJournal::SinkJournal(std::string folder)
    : folder_(std::move(folder)) {
    if (!folder_.empty()) std::filesystem::create_directories(folder_);
}

std::uint64_t SinkJournal::next_session() {
    const std::lock_guard lock(mutex_);
    return ++last_session_;
}

void SinkJournal::add(SinkMessage message) {
    const std::lock_guard lock(mutex_);
    message.number = ++message_count_;
    std::string file;
    if (!folder_.empty()) {
        file = fmt::format("{:06}.eml", message.number);
        std::ofstream out(folder_ + "/" + file, std::ios::binary);
        out << message.content;
        if (!out.flush()) throw std::runtime_error("cannot write " + folder_ + "/" + file);
    }
    const auto line = to_json(message, file);
    if (!folder_.empty()) append_line(folder_ + "/messages.jsonl", line);
    if (on_message_) on_message_(line);
    if (folder_.empty() && messages_.size() < kMaxKept) messages_.push_back(std::move(message));
    changed_.notify_all();
}

void SinkJournal::add(SinkSession session) {
    const std::lock_guard lock(mutex_);
    ++ended_sessions_;
    if (!folder_.empty()) {
        append_line(folder_ + "/sessions.jsonl", to_json(session));
    } else if (sessions_.size() < kMaxKept) {
        sessions_.push_back(std::move(session));
    }
    changed_.notify_all();
}

std::vector<SinkMessage> SinkJournal::messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
}

std::vector<SinkSession> SinkJournal::sessions() const {
    const std::lock_guard lock(mutex_);
    return sessions_;
}

std::uint64_t SinkJournal::message_count() const {
    const std::lock_guard lock(mutex_);
    return message_count_;
}

std::uint64_t SinkJournal::session_count() const {
    const std::lock_guard lock(mutex_);
    return last_session_;
}

void SinkJournal::on_message(std::function<void(const std::string&)> callback) {
    const std::lock_guard lock(mutex_);
    on_message_ = std::move(callback);
}

bool SinkJournal::wait_for_messages(std::uint64_t count, std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return message_count_ >= count; });
}

bool SinkJournal::wait_for_sessions(std::uint64_t count, std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return ended_sessions_ >= count; });
}

}  // namespace mailflow::lab

#include "tests/lab/smtp_sink.hpp"

#include "tests/lab/sink_session.hpp"

#include <utility>

namespace mailflow::lab {

namespace {

constexpr std::size_t kMaxSessions = 2000;
constexpr std::chrono::milliseconds kIdle{300'000};

}  // namespace

SmtpSink::SmtpSink(std::vector<Port> ports, SinkJournal& journal)
    : journal_(journal) {
    for (auto& port : ports) {
        listeners_.push_back(Listener{listen_tcp(port.endpoint), std::move(port.behaviour), {}});
    }
    for (auto& listener : listeners_) {
        listener.thread = std::thread([this, &listener] { accept_loop(listener); });
    }
}

SmtpSink::~SmtpSink() {
    stop_.set();
    for (auto& listener : listeners_)
        listener.thread.join();
    reap(true);
}

std::vector<Endpoint> SmtpSink::endpoints() const {
    std::vector<Endpoint> endpoints;
    for (const auto& listener : listeners_)
        endpoints.push_back(listener.bound.endpoint);
    return endpoints;
}

void SmtpSink::accept_loop(Listener& listener) {
    while (auto connection = accept_tcp(listener.bound.socket, stop_)) {
        reap(false);
        LineSocket socket(std::move(connection->first), kIdle, &stop_);
        const std::lock_guard lock(mutex_);
        if (workers_.size() >= kMaxSessions) {
            socket.write("421 4.3.2 Too many connections\r\n");
            continue;
        }
        SinkSession session;
        session.number = journal_.next_session();
        session.local = listener.bound.endpoint;
        session.peer = connection->second;
        auto& worker = workers_.emplace_back();
        worker.thread = std::thread([this,
                                     &listener,
                                     &worker,
                                     session = std::move(session),
                                     socket = std::move(socket)]() mutable {
            const SinkSessionRunner::Applies applies_to =
                [this](const Failure& failure, const std::string& key) {
                    return applies(failure, key);
                };
            SinkSessionRunner(
                std::move(socket),
                std::move(session),
                listener.behaviour,
                journal_,
                applies_to,
                stop_)
                .run();
            const std::lock_guard done(mutex_);
            worker.done = true;
        });
    }
}

void SmtpSink::reap(bool all) {
    std::list<Worker> ended;
    {
        const std::lock_guard lock(mutex_);
        for (auto at = workers_.begin(); at != workers_.end();) {
            const auto worker = at++;
            if (all || worker->done) ended.splice(ended.end(), workers_, worker);
        }
    }
    for (auto& worker : ended)
        worker.thread.join();
}

bool SmtpSink::applies(const Failure& failure, const std::string& key) {
    if (!failure.times) return true;
    const std::lock_guard lock(mutex_);
    return used_[failure.text + ' ' + key]++ < *failure.times;
}

}  // namespace mailflow::lab

#include "storage/tracking_log.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <exception>

namespace mailflow {

namespace {

constexpr Duration kWriteDelay = std::chrono::seconds(1);

}  // namespace

SqliteTrackingLog::SqliteTrackingLog(TrackingLogSettings settings, Parts parts)
    : settings_(std::move(settings))
    , parts_(parts)
    , queue_(settings_.batch_size, settings_.queue_capacity)
    , retention_days_(settings_.retention_days) {}

SqliteTrackingLog::~SqliteTrackingLog() = default;

Result<> SqliteTrackingLog::open() {
    const auto made = parts_.files.make_directory(settings_.folder);
    if (!made) {
        return made.error();
    }
    cleaned_ = tracking_day(parts_.lane.clock().now());
    remove_old_days();
    return {};
}

void SqliteTrackingLog::append(TrackingEvent event) noexcept {
    try {
        const auto next = queue_.push(std::move(event));
        if (next == TrackingQueue::Next::write_soon) {
            parts_.lane.post([&lane = parts_.lane, alive = Alive(alive_), this] {
                start_timer(lane, alive, this);
            });
        } else if (next == TrackingQueue::Next::write_now) {
            parts_.keeper.post([this] { write_queued(); });
        }
    } catch (const std::exception& error) {
        // Out of memory: history is what can go.
        parts_.log.error("a tracking event is lost", {{"reason", error.what()}});
    }
}

void SqliteTrackingLog::start_timer(Lane& lane, const Alive& alive, SqliteTrackingLog* log) {
    if (!alive.expired()) {
        lane.spawn("tracking", flush_soon(lane, alive, log));
    }
}

Task<void> SqliteTrackingLog::flush_soon(Lane& lane, Alive alive, SqliteTrackingLog* log) {
    const auto when = lane.clock().monotonic() + kWriteDelay;
    co_await lane.sleep_until(when);
    if (!alive.expired()) {
        log->parts_.keeper.post([log] { log->write_queued(); });
    }
}

Task<> SqliteTrackingLog::flush() {
    const auto work = [this] {
        write_queued();
        return true;
    };
    co_await offload(parts_.keeper, work);
}

Task<> SqliteTrackingLog::close() {
    alive_.reset();
    const auto work = [this] {
        write_queued();
        close_before(TrackingDay::max());
        return true;
    };
    co_await offload(parts_.keeper, work);
}

void SqliteTrackingLog::write_queued() noexcept {
    const auto batch = queue_.take();
    if (batch.dropped > 0) {
        parts_.log.error("tracking events are lost", {{"events", batch.dropped}});
    }
    std::size_t left = batch.events.size();
    try {
        std::map<TrackingDay, std::vector<const TrackingEvent*>> days;
        for (const auto& event : batch.events)
            days[tracking_day(event.time)].push_back(&event);
        for (const auto& [day, events] : days) {
            write_day(day, events);
            left -= events.size();
        }
        const auto today = tracking_day(parts_.lane.clock().now());
        if (today != cleaned_) {
            cleaned_ = today;
            close_before(today - std::chrono::days(1));
            remove_old_days();
        }
    } catch (const std::exception& error) {
        parts_.log.error(
            "tracking cannot be written", {{"events_lost", left}, {"reason", error.what()}});
    }
}

void SqliteTrackingLog::write_day(
    TrackingDay day, const std::vector<const TrackingEvent*>& events) {
    auto& writer = writers_[day];
    try {
        if (!writer) {
            writer = std::make_unique<TrackingDayWriter>(path_of(day), settings_.vfs);
        }
        writer->write(events);
    } catch (...) {
        // The next batch starts with a fresh connection.
        writers_.erase(day);
        throw;
    }
}

void SqliteTrackingLog::close_before(TrackingDay day) noexcept {
    for (auto it = writers_.begin(); it != writers_.end() && it->first < day;) {
        try {
            it->second->settle();
        } catch (const std::exception& error) {
            // It stays in the log beside the file, where readers find it.
            parts_.log.warning("a day of tracking is not settled", {{"reason", error.what()}});
        }
        it = writers_.erase(it);
    }
}

void SqliteTrackingLog::remove_old_days() {
    const auto oldest = cleaned_ - std::chrono::days(retention_days_.load());
    const auto all = days();
    if (!all) {
        return;
    }
    for (const auto day : *all) {
        if (day >= oldest) {
            continue;
        }
        writers_.erase(day);
        const auto path = path_of(day);
        for (const auto* suffix : {"", "-wal", "-shm"}) {
            const auto removed = parts_.files.remove(path + suffix);
            if (!removed && *suffix == '\0') {
                parts_.log.warning(
                    "an old day of tracking stays",
                    {{"file", path}, {"reason", removed.error().message()}});
            }
        }
    }
}

Result<std::vector<TrackingDay>> SqliteTrackingLog::days() {
    const auto names = parts_.files.list(settings_.folder);
    if (!names) {
        return names.error();
    }
    std::vector<TrackingDay> days;
    for (const auto& name : *names) {
        if (const auto day = parse_tracking_file_name(name)) days.push_back(*day);
    }
    std::sort(days.begin(), days.end());
    return days;
}

std::string SqliteTrackingLog::path_of(TrackingDay day) const {
    return settings_.folder + "/" + tracking_file_name(day);
}

Task<Result<std::vector<TrackingEvent>>> SqliteTrackingLog::find(TrackingQuery query) {
    co_await flush();
    const auto work = [this, &query] {
        return read(query);
    };
    auto found = co_await offload(parts_.reader, work);
    co_return found;
}

Result<std::vector<TrackingEvent>> SqliteTrackingLog::read(const TrackingQuery& query) {
    const auto all = days();
    if (!all) {
        return all.error();
    }
    // A message has no event before it was accepted, give or take a step of the clock.
    auto first = query.since ? tracking_day(*query.since) : TrackingDay::min();
    if (query.queue_id) {
        first = std::max(first, tracking_day(query.queue_id->time()) - std::chrono::days(1));
    }
    std::vector<TrackingEvent> found;
    for (auto day = all->rbegin(); day != all->rend() && found.size() < query.limit; ++day) {
        if (*day < first || (query.until && UtcTime(*day) >= *query.until)) {
            continue;
        }
        try {
            TrackingDayReader(path_of(*day), settings_.vfs).find(query, found);
        } catch (const SQLite::Exception& exception) {
            return error_of(exception);
        }
    }
    std::reverse(found.begin(), found.end());
    return found;
}

}  // namespace mailflow

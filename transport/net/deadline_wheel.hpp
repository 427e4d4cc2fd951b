// Coarse deadlines (one-second buckets) of connections: setting or moving one is a store, expiry
// calls back once. A node is re-filed only when its bucket comes up. Used on its lane only.
#pragma once

#include "transport/base/clock.hpp"

#include <boost/intrusive/list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace mailflow {

class DeadlineWheel;

// Base of what can expire. Unlinks itself when destroyed.
class Deadline : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    Deadline() = default;
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    virtual ~Deadline() = default;

  protected:
    // On the lane, from the wheel's tick; may destroy this.
    virtual void on_expired() = 0;

  private:
    friend class DeadlineWheel;
    std::optional<MonotonicTime> when_;
    std::int64_t filed_ = 0;  // the second whose bucket holds it; meaningful while linked
};

class DeadlineWheel {
  public:
    explicit DeadlineWheel(const Clock& clock);

    // Expires at `when`, rounded up to the next second. Replaces an earlier time.
    void set(Deadline& deadline, MonotonicTime when);
    void clear(Deadline& deadline) noexcept;
    // Expires all deadlines due by `now`.
    void tick(MonotonicTime now);
    // Everything expires now, and whatever is set later expires inside `set`: who waits for a peer
    // waits no longer.
    void stop();
    // A time at or before the earliest deadline; none when empty.
    [[nodiscard]] std::optional<MonotonicTime> next() const noexcept;

    // Called when `next` may have become earlier.
    void on_earlier(std::function<void()> callback) { on_earlier_ = std::move(callback); }

  private:
    static constexpr std::size_t kBuckets = 1024;
    using Bucket = boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>>;

    [[nodiscard]] Bucket& bucket_of(std::int64_t second) noexcept;
    void file(Deadline& deadline);

    std::array<Bucket, kBuckets> buckets_;
    std::int64_t ticked_;    // all deadlines of this second and earlier ones are handled
    std::int64_t earliest_;  // no deadline is filed before this second
    bool stopped_ = false;
    std::function<void()> on_earlier_;
};

}  // namespace mailflow

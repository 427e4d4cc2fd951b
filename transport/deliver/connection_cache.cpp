#include "transport/deliver/connection_cache.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

// A resting session; its deadline takes it out of the cache.
class ConnectionCache::Idle final : public Deadline {
  public:
    Idle(ConnectionCache& cache, std::unique_ptr<SmtpClientSession> session, Duration max_idle)
        : cache_(cache)
        , session_(std::move(session))
        , since_(cache.lane_.clock().monotonic()) {
        cache_.lane_.wheel().set(*this, since_ + max_idle);
    }

    ~Idle() override {
        if (session_) session_->close();
    }

    Idle(const Idle&) = delete;
    Idle& operator=(const Idle&) = delete;

    [[nodiscard]] std::unique_ptr<SmtpClientSession> release() noexcept {
        return std::move(session_);
    }

    [[nodiscard]] MonotonicTime since() const noexcept { return since_; }

  protected:
    void on_expired() override { cache_.drop(*this); }

  private:
    ConnectionCache& cache_;
    std::unique_ptr<SmtpClientSession> session_;
    MonotonicTime since_;
};

ConnectionCache::ConnectionCache(Lane& lane, const Limits& limits)
    : lane_(lane)
    , limits_(limits) {}

ConnectionCache::~ConnectionCache() = default;

std::unique_ptr<SmtpClientSession> ConnectionCache::take(const ConnectionKey& key) {
    for (auto found = idle_.find(key); found != idle_.end(); found = idle_.find(key)) {
        auto session = found->second->release();
        idle_.erase(found);
        if (!session->has_spoken()) return session;
        // Attack case 40: mostly a 421 that nobody waited for.
        session->close();
    }
    return nullptr;
}

std::unique_ptr<SmtpClientSession> ConnectionCache::put(
    const ConnectionKey& key, std::unique_ptr<SmtpClientSession> session, const Keep& keep) {
    if (closed_ || limits_.max_sessions == 0 || !session->is_usable() ||
        session->transactions() >= std::min(limits_.max_transactions, keep.max_transactions)) {
        return session;
    }
    while (idle_.size() >= limits_.max_sessions)
        drop_oldest();
    session->rest();
    const auto max_idle = std::min<Duration>(limits_.max_idle, keep.max_idle);
    idle_.emplace(key, std::make_unique<Idle>(*this, std::move(session), max_idle));
    return nullptr;
}

void ConnectionCache::close_all() noexcept {
    closed_ = true;
    idle_.clear();
}

void ConnectionCache::drop_oldest() {
    const auto oldest =
        std::min_element(idle_.begin(), idle_.end(), [](const auto& a, const auto& b) {
            return a.second->since() < b.second->since();
        });
    idle_.erase(oldest);
}

void ConnectionCache::drop(const Idle& idle) {
    const auto found = std::find_if(
        idle_.begin(), idle_.end(), [&](const auto& entry) { return entry.second.get() == &idle; });
    idle_.erase(found);
}

}  // namespace mailflow

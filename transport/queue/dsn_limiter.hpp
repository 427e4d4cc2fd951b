// How many reports one reverse-path gets in an hour (`dsn_rate_limit`): so that forged senders are
// not flooded by us. What is over the limit is collected for one notice an hour to the postmaster.
// All of it is in memory and bounded; a restart begins anew. Owned by DsnGenerator.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/mail/dsn_digest.hpp"
#include "transport/mail/email_address.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

class DsnLimiter {
  public:
    static constexpr std::size_t kMaxSenders = 10'000;  // counted at a time; the oldest goes
    static constexpr std::size_t kMaxListed = 500;      // reports a notice lists; it counts others
    static constexpr Duration kWindow = std::chrono::hours(1);

    // False: `sender` had its `limit` of reports within the hour. Counts nothing.
    [[nodiscard]] bool allows(
        const EmailAddress& sender, std::optional<std::uint32_t> limit, MonotonicTime now) const;
    // A report to `sender` is committed.
    void count(const EmailAddress& sender, MonotonicTime now);

    // A report that was not made.
    void collect(WithheldReport report, MonotonicTime now);

    // The first that is collected is an hour old; `at_once`: there is one.
    [[nodiscard]] bool is_due(MonotonicTime now, bool at_once) const noexcept;

    // All there is; nothing is collected any more.
    [[nodiscard]] WithheldReports take() noexcept { return std::exchange(collected_, {}); }

    // The notice of them could not be committed.
    void put_back(WithheldReports reports, MonotonicTime now);

    [[nodiscard]] std::size_t senders() const noexcept { return senders_.size(); }

  private:
    struct Window {
        MonotonicTime start{};
        std::uint32_t reports = 0;
    };

    void make_room(MonotonicTime now);

    std::map<std::string, Window> senders_;
    WithheldReports collected_;
    MonotonicTime collected_since_{};
};

}  // namespace mailflow

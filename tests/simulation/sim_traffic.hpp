// Who writes to whom in a simulated day: sessions of clients at random times, messages of all
// sizes, to mailboxes here, to the outside, to nobody; and again when no answer came. One thread.
#pragma once

#include "tests/simulation/sim_client.hpp"
#include "tests/simulation/sim_loop.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mailflow::sim {

inline constexpr std::string_view kOurDomain = "our.test";

class SimTraffic {
  public:
    struct Settings {
        std::size_t messages = 150;
        Endpoint frontend;      // takes mail for our mailboxes
        Endpoint applications;  // takes mail to anybody
    };

    // `parts.hooks.unfinished` is this object's own business.
    SimTraffic(SimClient::Parts parts, SimLoop& loop, Settings settings);

    // Sessions from `begin` to `end`; what is sent again may come later.
    void start(MonotonicTime begin, MonotonicTime end);

    // Every message has been answered or given up.
    [[nodiscard]] bool is_over() const noexcept;

    [[nodiscard]] std::set<std::size_t> waiting() const;

    void stop_cutting() noexcept { cuts_ = false; }

    // For good: every session ends.
    void shut_down();

  private:
    void start_session(std::size_t messages);
    void start_session(std::vector<std::size_t> attempts, bool to_applications);
    std::size_t compose(bool to_applications);
    void send_again(std::size_t attempt);
    [[nodiscard]] std::string choose_sender(bool to_applications);
    [[nodiscard]] std::string choose_recipient(std::size_t number, std::size_t index, bool outside);
    [[nodiscard]] std::size_t choose_size();

    SimClient::Parts parts_;
    SimLoop& loop_;
    Settings settings_;
    std::vector<std::unique_ptr<SimClient>> clients_;
    std::size_t planned_ = 0;  // sessions that are still to begin
    bool cuts_ = true;
};

}  // namespace mailflow::sim

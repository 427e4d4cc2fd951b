// Whether the name servers validate (decisions §2.8): each is asked for a name that is signed well
// and must have AD, and for one whose signatures are wrong and must not be answered; at start,
// every ten minutes, and after look-ups that failed. Part of one lane's CachingResolver.
#pragma once

#include "dns/channel.hpp"
#include "dns/limits.hpp"
#include "transport/net/lane.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace mailflow::dns {

struct ProbeZones {
    std::string secure;
    std::string bogus;
};

enum class ServerProof : std::uint8_t {
    validates,
    accepts_anything,  // no AD where it belongs, or an answer where there must be none
    silent,            // says nothing that can be judged
};

// What one server's two answers, for the secure and the bogus zone, come to.
[[nodiscard]] ServerProof judge_server(const ChannelReply& secure, const ChannelReply& bogus);

class DnssecProver {
  public:
    // One channel for each server. The lane outlives the prover.
    DnssecProver(Lane& lane, std::vector<std::unique_ptr<Channel>> servers, ProbeZones zones);
    ~DnssecProver();
    DnssecProver(const DnssecProver&) = delete;
    DnssecProver& operator=(const DnssecProver&) = delete;

    // From any thread: probes from now on, in a task of its own.
    void start();
    void stop();

    // Any thread.
    [[nodiscard]] DnssecTrust trust() const noexcept { return trust_; }

    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

    // A look-up failed: the next probe is not put off for long.
    void on_failure(MonotonicTime now) noexcept;

    // One round. Proven: at least one server validates, and each one that answers does.
    Task<void> probe();

  private:
    static Task<void> run(std::shared_ptr<bool> alive, DnssecProver* self, Lane* lane);

    Lane& lane_;
    std::vector<std::unique_ptr<Channel>> servers_;
    ProbeZones zones_;
    std::atomic<DnssecTrust> trust_ = DnssecTrust::unproven;
    std::string detail_ = "not probed yet";
    Duration wait_ = kFirstProbeRetry;  // after a round without proof
    MonotonicTime due_{};
    std::shared_ptr<bool> alive_;  // shared with the task
};

}  // namespace mailflow::dns

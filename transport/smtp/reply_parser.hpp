// Reads a peer's replies, fed in pieces of any size. Bounded whatever the peer sends: lines are cut
// at their cap, a reply with too many lines or octets, or one that is no reply at all, ends in
// `failed` and the connection with it. Used by the delivery agents; pure.
#pragma once

#include "transport/mail/enhanced_status.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::smtp {

// A reply as a peer sent it. Text is kept octet for octet, control octets replaced by `?`.
struct PeerReply {
    int code = 0;                    // 200–599
    EnhancedStatus status;           // of the last line that has one whose class fits the code
    std::vector<std::string> lines;  // without code and separator; never empty

    [[nodiscard]] bool is_completion() const noexcept { return code >= 200 && code < 300; }

    [[nodiscard]] bool is_intermediate() const noexcept { return code >= 300 && code < 400; }

    [[nodiscard]] bool is_temporary() const noexcept { return code >= 400 && code < 500; }

    [[nodiscard]] bool is_permanent() const noexcept { return code >= 500; }

    // Verbatim on one line, e.g. `550 5.1.1 User unknown`: the lines joined by a blank, each later
    // line without a repeated enhanced code; at most 1,024 octets. What diagnostics and `smtpctl`
    // show.
    [[nodiscard]] std::string one_line() const;
};

class ReplyParser {
  public:
    enum class State { incomplete, complete, failed };

    // Takes octets up to the end of one reply and says how many; those behind it stay for the next
    // one. Nothing is taken unless `state()` is incomplete.
    std::size_t feed(std::string_view bytes);

    [[nodiscard]] State state() const noexcept { return state_; }

    // Nothing of a reply has come yet.
    [[nodiscard]] bool is_fresh() const noexcept {
        return state_ == State::incomplete && octets_ == 0;
    }

    // When failed: what was wrong, one line, with the start of what the peer sent.
    [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

    // When complete: the reply; the parser is ready for the next one.
    [[nodiscard]] PeerReply take();

  private:
    void end_line();
    void fail(std::string_view reason);

    State state_ = State::incomplete;
    PeerReply reply_;
    std::string line_;        // the current line so far, cut at its cap
    std::size_t octets_ = 0;  // of this reply
    std::string failure_;
};

}  // namespace mailflow::smtp

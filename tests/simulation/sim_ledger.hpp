// The book of a simulated day: every message a client tried to send, what it was told, and every
// copy and report that came out at the other end. Its `check` is the promise of the product:
// acknowledged means delivered or reported, nothing is delivered in part, nothing reported twice.
#pragma once

#include "transport/base/random.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailflow::sim {

struct SentRecipient {
    std::string address;
    bool accepted = false;  // 250 to RCPT
};

// What the client knows at the end of one transaction.
enum class Fate : std::uint8_t {
    open,
    refused,       // a final refusal, or nothing was handed over
    acknowledged,  // 250 to the final dot
    unknown,       // the final dot was sent, no answer came
};

// One transaction of a client. A message sent again is another attempt with a number of its own.
struct Attempt {
    std::size_t number = 0;
    std::string sender;  // empty: null
    std::vector<SentRecipient> recipients;
    std::string text;  // header and body, CRLF
    bool eight_bit = false;
    unsigned resends = 0;
    Fate fate = Fate::open;

    [[nodiscard]] bool is_null() const noexcept { return sender.empty(); }
};

// `<m17@client.test>`
[[nodiscard]] std::string message_id_of(std::size_t attempt);
// The numbers of all attempts whose Message-ID occurs in `text`.
[[nodiscard]] std::vector<std::size_t> attempts_named_in(std::string_view text);

class Ledger {
  public:
    // Text of about `size` octets. The reference holds until the next call.
    Attempt& open(
        std::string sender,
        std::vector<std::string> recipients,
        std::size_t size,
        bool eight_bit,
        Random& random);
    // The same message once more.
    Attempt& reopen(std::size_t number);

    [[nodiscard]] Attempt& at(std::size_t number) { return attempts_.at(number); }

    [[nodiscard]] const std::vector<Attempt>& attempts() const noexcept { return attempts_; }

    // A whole message that somebody took over for `recipient`. `acknowledged`: by saying 250, so
    // that the server may forget it. `text` has CRLF.
    void arrived(
        std::string_view place,
        const std::string& recipient,
        const std::string& text,
        bool acknowledged);

    // Tracking has it that this failed for a null sender.
    void failed_in_tracking(std::size_t attempt, const std::string& recipient);

    // Adds to `violations` what is missing. Called when the queue is empty.
    void check();

    void violation(std::string words) { violations_.push_back(std::move(words)); }

    [[nodiscard]] const std::vector<std::string>& violations() const noexcept {
        return violations_;
    }

    // ---- counts
    [[nodiscard]] std::uint64_t duplicates() const;

    [[nodiscard]] bool is_delivered(std::size_t attempt, const std::string& recipient) const {
        return delivered_.contains({attempt, recipient});
    }

    // Acknowledged messages of null senders that tracking has to account for.
    [[nodiscard]] std::vector<std::size_t> undelivered_of_null_senders() const;

    [[nodiscard]] std::size_t acknowledged() const;

    [[nodiscard]] std::uint64_t reports() const noexcept { return message_ids_.size(); }

    [[nodiscard]] std::uint64_t delay_notices() const noexcept { return delays_; }

    [[nodiscard]] std::uint64_t expiries() const noexcept { return expiries_; }

  private:
    using Key = std::pair<std::size_t, std::string>;  // attempt, recipient

    [[nodiscard]] std::string make_text(
        const Attempt& attempt, std::size_t size, Random& random) const;
    void report_arrived(
        std::string_view place, const std::string& recipient, const std::string& text);
    void report_names(
        std::size_t attempt,
        const std::string& message_id,
        const std::string& recipient,
        const std::string& action);

    std::vector<Attempt> attempts_;
    std::map<Key, unsigned> copies_;       // of any kind
    std::set<Key> delivered_;              // acknowledged ones
    std::map<Key, std::string> failures_;  // Message-ID of the report
    std::map<Key, std::string> delayed_;   // likewise
    std::set<Key> tracked_failures_;
    std::set<std::string> message_ids_;  // of reports
    std::set<std::string> expired_reports_;
    std::uint64_t delays_ = 0;
    std::uint64_t expiries_ = 0;
    std::vector<std::string> violations_;
};

}  // namespace mailflow::sim

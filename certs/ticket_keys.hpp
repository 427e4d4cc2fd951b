// Keys that protect session tickets (RFC 8446 §4.6.1, RFC 5077 §4): the current one makes tickets,
// the one before still opens them. A turn makes a new pair of keys; nothing is ever written to
// disk, so a restart ends all resumption. Immutable; any thread.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/random.hpp"

#include <array>
#include <memory>

struct evp_cipher_st;
struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

namespace mailflow {

constexpr std::chrono::hours kTicketKeyLife{8};
// How long a ticket opens; shorter than a key lives, so that no ticket outlives its key.
constexpr std::chrono::hours kTicketLife{2};

class TicketKeys;
using TicketKeysPtr = std::shared_ptr<const TicketKeys>;

class TicketKeys {
  public:
    struct Key {
        std::array<unsigned char, 16> name{};
        std::array<unsigned char, 32> cipher{};
        std::array<unsigned char, 32> mac{};
    };

    // What OpenSSL hands over with each ticket.
    struct Ticket {
        unsigned char* name;   // 16 octets
        unsigned char* nonce;  // 16 octets
        evp_cipher_ctx_st* cipher;
        evp_mac_ctx_st* mac;
    };

    // What OpenSSL expects as the answer.
    enum class Answer : int { fail = -1, ignore = 0, use = 1, use_and_renew = 2 };

    // `before` may be null.
    [[nodiscard]] static TicketKeysPtr make(
        Random& random, UtcTime now, const TicketKeysPtr& before);

    TicketKeys(const Key& current, const Key* previous, UtcTime made);
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    [[nodiscard]] UtcTime due() const noexcept { return made_ + kTicketKeyLife; }

    // Names the current key in a new ticket and sets both contexts up.
    [[nodiscard]] Answer seal(const Ticket& ticket) const noexcept;
    // `ignore`: the key is too old, or not ours: a full handshake follows.
    [[nodiscard]] Answer open(const Ticket& ticket) const noexcept;

  private:
    [[nodiscard]] const Key* find(const unsigned char* name) const noexcept;
    [[nodiscard]] Answer prepare(const Ticket& ticket, const Key& key, bool sealing) const noexcept;

    Key current_;
    Key previous_;
    bool has_previous_;
    UtcTime made_;
    std::unique_ptr<evp_cipher_st, void (*)(evp_cipher_st*)>
        cipher_;  // fetched once, as it is dear
};

}  // namespace mailflow

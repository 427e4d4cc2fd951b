// Keys that protect session tickets (RFC 8446 §4.6.1, RFC 5077 §4): the current one makes tickets,
// the one before still opens them. A turn makes a new pair of keys; nothing is ever written to
// disk, so a restart ends all resumption. Immutable; any thread.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/random.hpp"

#include <array>
#include <memory>

struct ssl_st;
struct ssl_ctx_st;

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

    // `before` may be null.
    [[nodiscard]] static TicketKeysPtr make(
        Random& random, UtcTime now, const TicketKeysPtr& before);

    TicketKeys(const Key& current, const Key* previous, UtcTime made) noexcept;
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    [[nodiscard]] UtcTime due() const noexcept { return made_ + kTicketKeyLife; }

    [[nodiscard]] const Key& current() const noexcept { return current_; }

    // The key of this name; null: too old, or not ours.
    [[nodiscard]] const Key* find(const unsigned char* name) const noexcept;

  private:
    Key current_;
    Key previous_;
    bool has_previous_ = false;
    UtcTime made_;
};

}  // namespace mailflow

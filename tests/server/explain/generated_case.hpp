// Organizations and envelopes drawn from a seed: what the test "explain says what happens" runs
// through both explain and a receive session.
#pragma once

#include "server/explain/explain.hpp"
#include "tests/support/receive_fixture.hpp"
#include "tests/support/seeded_random.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

class Draw {
  public:
    explicit Draw(std::uint64_t seed)
        : random_(seed) {}

    // 0 … `limit` - 1.
    std::size_t below(std::size_t limit) {
        std::array<std::byte, 4> octets{};
        random_.fill(octets);
        std::size_t value = 0;
        for (const auto octet : octets)
            value = value * 256 + std::to_integer<std::size_t>(octet);
        return value % limit;
    }

    bool chance(std::size_t percent) { return below(100) < percent; }

    template <class T>
    const T& pick(const std::vector<T>& values) {
        return values[below(values.size())];
    }

  private:
    SeededRandom random_;
};

// Fills the parts and the directory of a fresh fixture: domains of all types, mailboxes, contacts,
// groups in groups, forwardings, restrictions, connectors, rewriting, remote domains.
void fill_organization(ReceiveFixture& fixture, Draw& draw);

// Who sends what to whom, from where; `local` is the fixture's front door.
[[nodiscard]] ExplainRequest draw_request(Draw& draw);

}  // namespace mailflow

// Organizations drawn from a seed: domains of all types, mailboxes, contacts, groups in groups and
// in circles, chains of forwardings, restrictions, send connectors, rewriting, remote domains. What
// property tests run the mail flow through; the same seed draws the same organization.
#pragma once

#include "tests/support/memory_directory.hpp"
#include "tests/support/property_seeds.hpp"
#include "tests/support/seeded_random.hpp"
#include "transport/org/organization.hpp"

#include <array>
#include <cstdint>
#include <map>
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

// As a test needs it to know the answer by itself.
struct GeneratedDirectory {
    std::vector<MailRecipient> recipients;
    std::map<std::string, std::vector<std::string>> members;  // names, by the name of the group

    void copy_to(MemoryDirectory& directory) const;
};

// Adds to `parts`, which have contoso.com as their default domain.
[[nodiscard]] GeneratedDirectory draw_organization(Organization::Parts& parts, Draw& draw);

// The name of a mailbox, and its address at contoso.com without the domain.
[[nodiscard]] std::string draw_mailbox(Draw& draw);

// Of a recipient, of nobody, of a role, of somebody elsewhere.
[[nodiscard]] std::string draw_address(Draw& draw);

}  // namespace mailflow

// Asks for the MX records of a domain from the console lane, with a limit of a few seconds: the
// resolver belongs to another lane and may take much longer. Made by MailFlow, used by the
// organization service and the admin API.
#pragma once

#include "transport/net/lane.hpp"
#include "transport/ports/resolver.hpp"

#include <chrono>

namespace mailflow {

class MxLookup {
  public:
    static constexpr Duration kLimit = std::chrono::seconds(3);

    // All outlive this and every look-up; `resolver` is used on `lane`.
    MxLookup(Lane& console, Lane& lane, Resolver& resolver) noexcept
        : console_(console)
        , lane_(lane)
        , resolver_(resolver) {}

    // On the console lane. DnsStatus::temporary when there is no answer in time.
    Task<DnsAnswer<MxRecord>> find(DomainName domain);

  private:
    Lane& console_;
    Lane& lane_;
    Resolver& resolver_;
};

}  // namespace mailflow

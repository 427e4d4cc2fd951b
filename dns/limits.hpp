// Every bound of the resolver on what the network feeds it, and its clocks. Used by all of dns/.
#pragma once

#include "transport/base/clock.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mailflow::dns {

// RFC 1035 §2.3.4: a label and a name on the wire, the root's octet included.
constexpr std::size_t kMaxLabelOctets = 63;
constexpr std::size_t kMaxNameOctets = 255;
// RFC 1035 §4.2.2: what the length prefix of TCP can hold.
constexpr std::size_t kMaxMessageOctets = 65'535;
// RFC 6891 §6.2.3: what we say we take by UDP; the size of the DNS flag day, below every path MTU.
constexpr std::uint16_t kEdnsPayloadOctets = 1232;

// Records kept of the answer section and of the authority section; the rest is walked over.
constexpr std::size_t kMaxRecords = 100;
// Links of one CNAME chain, over all queries that follow it.
constexpr std::size_t kMaxCnameDepth = 8;
// A TXT record after its strings are joined.
constexpr std::size_t kMaxTextOctets = 16'384;
// The data of a TLSA record; a whole certificate may stand in it.
constexpr std::size_t kMaxTlsaOctets = 8'192;

// Queries of one lane that may be under way; more are answered `temporary` at once.
constexpr std::size_t kMaxQueriesInFlight = 2'000;
// Coroutines that may wait for one query.
constexpr std::size_t kMaxWaitersPerQuery = 10'000;
constexpr std::size_t kMaxNameServers = 8;

// Cache of one lane: entries, and octets of what they hold.
constexpr std::size_t kMaxCacheEntries = 10'000;
constexpr std::size_t kMaxCacheOctets = 8UL * 1024 * 1024;
constexpr std::chrono::seconds kMinTtl{1};
constexpr std::chrono::seconds kMaxTtl{24 * 3600};
// RFC 2308 §5: one to three hours work well as the upper bound of a negative answer.
constexpr std::chrono::seconds kMaxNegativeTtl{3600};

// Decisions §2.8: how often a resolver has to prove that it validates; the first time for one that
// did not, doubled up to that; and how soon after failures.
constexpr Duration kProbeInterval = std::chrono::minutes(10);
constexpr Duration kFirstProbeRetry = std::chrono::seconds(5);
constexpr Duration kProbeAfterFailure = std::chrono::seconds(30);

// One try at one server; c-ares doubles it with each round over the servers.
constexpr Duration kTryTimeout = std::chrono::seconds(5);
constexpr int kTries = 2;
// A whole look-up of one name and type, retries and TCP included.
constexpr Duration kQueryTimeout = std::chrono::seconds(60);
// How late a time-out may be noticed.
constexpr Duration kTimerStep = std::chrono::milliseconds(250);

}  // namespace mailflow::dns

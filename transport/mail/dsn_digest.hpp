// The notice to the postmaster about reports that were not made because their reader had too many
// within the hour (`dsn_rate_limit`). Pure text.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/mail/dsn_report.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

struct WithheldReport {
    UtcTime time{};
    DsnKind kind = DsnKind::failed;
    std::string queue_id;  // of the message it would have been about
    std::string reader;    // who would have got it
    std::vector<std::string> recipients;
    std::string status;  // enhanced code of the last of them
};

struct WithheldReports {
    std::vector<WithheldReport> listed;
    std::uint64_t total = 0;  // with those that are not listed
};

struct DsnDigestInput {
    std::string server;
    EmailAddress from;
    EmailAddress to;
    UtcTime date{};
    std::string message_id;  // with angle brackets
};

// A whole message, all US-ASCII.
[[nodiscard]] std::string compose_dsn_digest(
    const DsnDigestInput& input, const WithheldReports& reports);

}  // namespace mailflow

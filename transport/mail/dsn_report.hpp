// A delivery status notification as text, both directions: multipart/report (RFC 6522) of a human
// part, the fields of RFC 3464 and the returned original; internationalized by RFC 6533. Pure: ids,
// times and boundary come from the caller, which is the queue's DSN generator, and streams the
// original between `head` and `tail`.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/result.hpp"
#include "transport/mail/content.hpp"
#include "transport/mail/delivery_status.hpp"
#include "transport/mail/email_address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

enum class DsnKind : std::uint8_t { failed, delayed, delivered, relayed, expanded };

[[nodiscard]] const char* to_text(DsnKind kind) noexcept;

// Who reads it, and why when it is not the sender of the original.
enum class DsnReader : std::uint8_t {
    sender,
    postmaster_copy,            // the sender is not told
    postmaster_no_sender,       // the original has the null reverse-path
    postmaster_unknown_sender,  // its reverse-path is nobody here
};

struct DsnRecipient {
    std::string original;  // the path as RCPT had it, without brackets; may be a bare `postmaster`
    EmailAddress address;  // where it was delivered to
    DeliveryStatus status;
    std::optional<UtcTime> last_attempt;
    std::optional<UtcTime> will_retry_until;  // delayed only
    std::string original_recipient{};         // ORCPT as DsnRequest has it; empty: not given
    std::string custom_text{};  // UTF-8, in place of what we explain; empty: explained by us
};

struct DsnInput {
    DsnKind kind = DsnKind::failed;
    std::string reporting_mta;  // RFC 3464 §2.2.2
    EmailAddress from;          // the postmaster's address
    EmailAddress to;            // reverse-path of the original, or the postmaster
    UtcTime date{};
    std::string message_id;  // of the report, with angle brackets
    std::string
        boundary;  // letters and digits that do not occur in the original: random, ≤ 60 characters

    ContentFacts original;                     // facts of the original message
    UtcTime arrival{};                         // when the original was accepted
    bool smtputf8 = false;                     // the original came with SMTPUTF8
    std::string envelope_id{};                 // ENVID, decoded; empty: not given
    std::optional<UtcTime> deliver_by_date{};  // RFC 2852 §5
    // True: the whole original stands between head and tail. False: its header fields only, without
    // the empty line.
    bool return_whole = true;

    std::vector<DsnRecipient> recipients;

    DsnReader reader = DsnReader::sender;
    // False: nothing for administrators, and no words of other hosts in the status part.
    bool with_diagnostics = true;
    std::string generating_server{};  // with diagnostics: the node
    std::string original_header{};    // with diagnostics: shown to administrators; may be cut
};

struct DsnText {
    std::string head;        // header, human part, status part, and the opening of the third part
    std::string tail;        // the closing delimiter
    bool eight_bit = false;  // head or original hold octets over 127: BODY=8BITMIME
    bool smtputf8 = false;   // the report itself must be sent with SMTPUTF8
};

[[nodiscard]] DsnText compose_dsn(const DsnInput& input);

// ---- reading one back

struct ReportedRecipient {
    std::string original_recipient;  // without its address type; empty when absent
    std::string final_recipient;
    std::string action;
    std::optional<EnhancedStatus> status;
    std::string remote_mta;
    std::string diagnostic;  // without its type
    std::optional<UtcTime> last_attempt;
    std::optional<UtcTime> will_retry_until;
};

struct DeliveryReportFields {
    std::string original_envelope_id;  // empty when absent
    std::string reporting_mta;
    std::optional<UtcTime> arrival;
    std::vector<ReportedRecipient> recipients;
};

// `text`: a whole report message, or the content of its message/delivery-status part. Error::syntax
// when there is no Reporting-MTA or a group of recipient fields lacks Final-Recipient, Action or
// Status (RFC 3464 §2.2.2, §2.3).
[[nodiscard]] Result<DeliveryReportFields> parse_delivery_status(std::string_view text);

}  // namespace mailflow

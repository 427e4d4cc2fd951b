// What is taken out of, added to and completed in the header of a message that comes in: the header
// firewall for everybody (RFC 8601 §5, RFC 5321 §4.4), the duties of a submission server where the
// connector has them (RFC 6409 §8; see submission_policy.hpp). Port-25 mail is otherwise never
// altered. Pure: the session scans, asks the directory, has the decision made here and puts it into
// the content.
//
//   HeaderScanner scanner(limits, wishes_for(context));        at DATA, then feed
//   facts = scanner.finish();  header = scanner.take_header();
//   senders = claimed_senders(header, *context.submission);    all granted? → from_is_granted
//   decision = decide_header(header, context);                 refused, or apply_to(content)
#pragma once

#include "transport/base/clock.hpp"
#include "transport/mail/content.hpp"
#include "transport/mail/enhanced_status.hpp"
#include "transport/mail/header_scanner.hpp"
#include "transport/mail/path.hpp"
#include "transport/mail/sender_policy.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// What a submission server knows beside the header.
struct SubmissionContext {
    std::string_view default_domain;  // of bare addresses; empty: they stay bare
    std::string_view message_id;      // `<queueid@fqdn>`, given when there is none
    UtcTime time{};                   // of acceptance: the Date when there is none
    ReversePath reverse_path;         // the From when there is none
    SenderPolicy sender_policy = SenderPolicy::refuse;
    // Primary address of the account; none: nobody logged in, or the session has the right
    // any-sender, and From is not judged.
    std::optional<EmailAddress> account;
    // Every address of claimed_senders() is one of the account's, or granted to it, and the list
    // is whole.
    bool from_is_granted = false;
};

struct HeaderContext {
    OwnNames names;                            // outlive the scanner
    bool accept_organization_headers = false;  // rights of the session
    bool accept_routing_headers = false;
    std::optional<SubmissionContext> submission;  // connectors with `submission`
};

// To be refused at the end of data.
struct HeaderRefusal {
    std::uint16_t code = 550;
    EnhancedStatus status{5, 7, 1};
    std::string_view text;  // of the reply, without codes
};

struct HeaderDecision {
    std::vector<HeaderEdit> edits;  // as Content wants them
    std::string added;              // complete fields, for the prefix behind Received
    std::optional<HeaderRefusal> refusal;
    // Facts that the added fields change.
    std::string message_id;  // empty: as scanned
    bool adds_date = false;
    bool adds_from = false;

    // Sets the edits, appends to the prefix, brings the facts up to date.
    void apply_to(Content& content) &&;
};

// The fields decide_header will look at, for the scanner.
[[nodiscard]] HeaderWishes wishes_for(const HeaderContext& context) noexcept;

[[nodiscard]] HeaderDecision decide_header(
    const ScannedHeader& header, const HeaderContext& context);

}  // namespace mailflow

#include "transport/mail/dsn_explanation.hpp"

#include "transport/mail/enhanced_status.hpp"

#include <array>

namespace mailflow {

namespace {

struct Row {
    std::uint16_t subject;
    std::uint16_t detail;
    std::string_view words;  // in the diagnostic; empty: any
    DsnExplanation explanation;
};

constexpr std::string_view kAskAdministrator =
    "Ask your administrator, and show this message: the details below say more.";
constexpr std::string_view kCheckAddress =
    "Check the address for typing errors and send the message again.";
constexpr std::string_view kSmaller =
    "Make the message smaller, for example by removing attachments, and send it again.";
constexpr std::string_view kOtherWay =
    "Send the message again later, or reach the recipient in another way.";
constexpr std::string_view kAskRecipient =
    "Ask the recipient, in another way, to let your messages through.";

// The first row that fits. The class of a code is not compared: a mailbox that is full is full for
// now (4.2.2) and for good (5.2.2).
constexpr std::array kRows = {
    // ---- the address
    Row{1, 0, "", {"The recipient's mail system does not accept your address.", kAskRecipient}},
    Row{1, 1, "", {"The address was not found at its destination.", kCheckAddress}},
    Row{1,
        2,
        "",
        {"The domain of this address (the part behind the @) was not found.", kCheckAddress}},
    Row{1, 3, "", {"This address is not written as addresses are.", kCheckAddress}},
    Row{1, 4, "", {"More than one recipient has this address.", kAskAdministrator}},
    Row{1,
        6,
        "",
        {"The recipient has moved, and no new address is known.",
         "Ask the recipient for the new address."}},
    Row{1,
        7,
        "",
        {"Your own address is not written as addresses are.",
         "Check the address your mail program sends with."}},
    Row{1,
        8,
        "",
        {"The recipient's mail system does not accept mail from your address.", kAskRecipient}},
    Row{1, 10, "", {"The domain of this address accepts no mail at all.", kCheckAddress}},
    // ---- the mailbox
    Row{2, 0, "", {"There is something wrong with the recipient's mailbox.", kOtherWay}},
    Row{2,
        1,
        "",
        {"The mailbox is disabled and accepts no messages.",
         "Reach the recipient in another way."}},
    Row{2, 2, "", {"The mailbox is full and accepts no messages now.", kOtherWay}},
    Row{2, 3, "", {"The message is larger than this recipient accepts.", kSmaller}},
    Row{2, 4, "", {"The group could not be resolved into its members.", kAskAdministrator}},
    // ---- the mail system
    Row{3, 0, "", {"The mail system could not handle the message.", kAskAdministrator}},
    Row{3, 1, "", {"The recipient's mail system has no room for messages now.", kOtherWay}},
    Row{3, 2, "", {"The recipient's mail system accepts no messages now.", kOtherWay}},
    Row{3,
        3,
        "",
        {"The recipient's mail system cannot do what was asked for with this message.",
         "Send the message again without special delivery options."}},
    Row{3, 4, "", {"The message is larger than the mail systems on its way accept.", kSmaller}},
    Row{3, 5, "", {"The mail system is not set up correctly.", kAskAdministrator}},
    // ---- the way
    Row{4, 1, "", {"The recipient's mail server does not answer.", kOtherWay}},
    Row{4, 2, "", {"The connection to the recipient's mail server broke.", kOtherWay}},
    Row{4, 3, "", {"The name service could not tell where the mail server is.", kOtherWay}},
    Row{4,
        4,
        "NonExistentDomain",
        {"The domain of this address (the part behind the @) does not exist.", kCheckAddress}},
    Row{4, 4, "connector", {"The mail system knows no way to this address.", kAskAdministrator}},
    Row{4,
        4,
        "RefusedTarget",
        {"The domain of this address names no mail server that can be used.", kCheckAddress}},
    Row{4, 4, "", {"No mail server was found for the domain of this address.", kCheckAddress}},
    Row{4, 6, "", {"The message went in a circle between mail servers.", kAskAdministrator}},
    Row{4,
        7,
        "DeliverBy",
        {"The message could not be delivered by the time you set.",
         "Send the message again with more time, or reach the recipient in another way."}},
    Row{4,
        7,
        "",
        {"The message could not be delivered in time. It will not be tried again.", kOtherWay}},
    // ---- the conversation of mail servers
    Row{5,
        3,
        "",
        {"The message has too many recipients.",
         "Send the message to fewer recipients at a time."}},
    Row{5,
        6,
        "",
        {"The recipient's mail system does not accept this kind of message.", kAskAdministrator}},
    // ---- the content
    Row{6,
        0,
        "",
        {"The message is not well formed.", "Send the message again from another mail program."}},
    Row{6,
        3,
        "",
        {"The recipient's mail system does not accept this kind of content.",
         "Send the message again as plain text, or its parts in another way."}},
    Row{6,
        7,
        "",
        {"The recipient's mail system does not know internationalized addresses.",
         "Use addresses of letters A to Z, if you and the recipient have such ones."}},
    Row{6,
        11,
        "",
        {"The message is not well formed.", "Send the message again from another mail program."}},
    // ---- what is allowed
    Row{7,
        1,
        "AuthRequired",
        {"This recipient takes messages only from senders who have logged in.",
         "Log in to your mail server and send the message again."}},
    Row{7,
        1,
        "RESOLVER.RST",
        {"You are not allowed to send messages to this recipient.",
         "Ask the owner of this address to allow it."}},
    Row{7,
        1,
        "elay",
        {"The mail server does not pass messages on to this address.",
         "Check that you use the right mail server and have logged in."}},
    Row{7, 1, "", {"The recipient's mail system refused the message by its rules.", kAskRecipient}},
    Row{7,
        2,
        "",
        {"You are not allowed to send messages to this group.",
         "Ask the owner of the group to allow it."}},
    Row{7, 3, "", {"You are not authorized to send this message.", kAskAdministrator}},
    Row{7,
        10,
        "",
        {"The message may travel encrypted only, and that is not possible to there.",
         "Send the message without that demand, or use another way."}},
    Row{7,
        30,
        "",
        {"The message may travel encrypted only, and that is not possible to there.",
         "Send the message without that demand, or use another way."}}};

// By subject (RFC 3463 §3): the second number, 0 to 7.
constexpr std::array<DsnExplanation, 8> kSubjects = {{
    {"The message could not be delivered.", kAskAdministrator},
    {"There is something wrong with this address.", kCheckAddress},
    {"The recipient's mailbox does not accept the message.", kOtherWay},
    {"The recipient's mail system does not accept the message.", kOtherWay},
    {"The recipient's mail server could not be reached.", kOtherWay},
    {"The mail servers did not understand each other.", kAskAdministrator},
    {"The recipient's mail system does not accept this kind of content.",
     "Send the message again as plain text, or its parts in another way."},
    {"The recipient's mail system refused the message by its rules.", kAskRecipient},
}};

constexpr std::uint16_t kFirstRuleCode = 900;  // reference 10.4: 5.7.900 to 5.7.999

}  // namespace

DsnExplanation explain_status(const DeliveryStatus& status) noexcept {
    const auto& code = status.status;
    for (const auto& row : kRows) {
        const bool is_code =
            code.is_given() && row.subject == code.subject && row.detail == code.detail;
        if (is_code && status.diagnostic.find(row.words) != std::string::npos) {
            return row.explanation;
        }
    }
    if (code.klass == 5 && code.subject == 7 && code.detail >= kFirstRuleCode) {
        return {"A rule of the mail system refused the message.", kAskAdministrator};
    }
    return code.is_given() && code.subject < kSubjects.size() ? kSubjects.at(code.subject)
                                                              : kSubjects.front();
}

}  // namespace mailflow

// What would happen to a message, and why: the answer of `smtpctl explain`. Plain data made by
// explain(), printed by the admin API as JSON. Nobody else's.
#pragma once

#include "transport/deliver/mx_targets.hpp"
#include "transport/ports/records/queued_message.hpp"
#include "transport/route/categorization.hpp"
#include "transport/smtp/reply.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

struct Explanation {
    // Another candidate and why it was not taken.
    struct Loser {
        std::string name;
        std::string address_space{};  // of a send connector: the best that matches
        std::string reason;
    };

    // In the order the session makes them; the last of a stage may be a refusal.
    struct Check {
        std::string stage;                   // connect, MAIL, RCPT, end of data
        std::string subject;                 // the address; empty where there is none
        std::string name;                    // `right to submit`
        std::optional<smtp::Reply> refusal;  // none: passed
        std::string detail{};                // what was found, or the reason the log would have
    };

    struct FieldChange {
        std::string before;  // the whole field, unfolded; empty: it is added
        std::string after;   // empty: it is taken out
    };

    struct Recipient {
        QueuedRecipient queued;
        ReversePath reverse_path;           // MAIL FROM as it gets it
        std::vector<FieldChange> header{};  // as it gets it
        std::optional<NextHop> hop{};       // none: it is not sent on
        std::string failure{};              // what its sender is told, or why it has to wait
        std::string send_connector{};       // the chosen one
        std::string address_space{};        // of the chosen one
        std::vector<Loser> losers{};        // send connectors
        std::string hosts{};                // `as configured`, or `unknown: …`
        std::vector<MailTarget> targets{};  // in the order they are tried
        std::string tls{};                  // what is done about TLS on the way
    };

    std::string local;            // the address and port the client is taken to connect to
    std::string connector;        // the receive connector; empty: none takes this client
    std::string why;              // it, and not another
    std::vector<Loser> losers{};  // receive connectors
    std::vector<Check> checks{};
    std::vector<CategorizerNote> steps{};
    std::vector<Recipient> recipients{};
    std::vector<std::string> notes{};  // what was taken for granted

    // Everybody who was named is accepted, and the message too.
    [[nodiscard]] bool is_accepted() const noexcept;
};

[[nodiscard]] boost::json::object to_json(const Explanation& explanation);

}  // namespace mailflow

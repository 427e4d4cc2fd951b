// Plays the driver of a ReceiveProtocol: refuses HELO names, senders and recipients that are `bad`,
// accepts everything else, and says in words what it was asked to do.
#pragma once

#include "transport/smtp/limits.hpp"
#include "transport/smtp/receive_protocol.hpp"

#include <string>
#include <string_view>

namespace mailflow::smtp {

class Session {
  public:
    explicit Session(std::optional<std::uint32_t> max_errors = 5)
        : protocol({"mail.contoso.com", "192.0.2.1", {.size = 1000}, max_errors}) {}

    explicit Session(ReceiveProtocol::Settings settings)
        : protocol(std::move(settings)) {}

    // The reply, or what is to be done.
    std::string say(std::string_view line) { return play(protocol.on_command(line)); }

    std::string play(Action action) {
        return std::visit([this](auto& a) { return answer(a); }, action);
    }

    // Up to an accepted recipient.
    void begin(std::string_view parameters = "") {
        say("EHLO client.example");
        say("MAIL FROM:<alice@example.com> " + std::string(parameters));
        say("RCPT TO:<bob@contoso.com>");
    }

    ReceiveProtocol protocol;
    bool over = false;
    UtcTime now{};

  private:
    std::string answer(SendReply& a) { return a.reply.one_line(); }

    std::string answer(CheckHelo& a) {
        if (a.name == "bad") {
            protocol.helo_refused();
            return "550";
        }
        return protocol.helo_accepted().one_line();
    }

    std::string answer(CheckSender& a) {
        if (!a.mail.path.is_null() && a.mail.path.address().local() == "bad") {
            protocol.sender_refused();
            return "550";
        }
        return protocol.sender_accepted(now).one_line();
    }

    std::string answer(CheckRecipient& a) {
        if (a.recipient.path.text().starts_with("bad@")) {
            protocol.recipient_refused();
            return "550";
        }
        return protocol.recipient_accepted().one_line();
    }

    std::string answer(CheckName& a) { return (a.expand ? "expand " : "verify ") + a.name; }

    std::string answer(BeginTls& a) { return a.reply.one_line(); }

    std::string answer(BeginAuth& a) {
        return "begin " + a.mechanism + (a.initial ? " '" + *a.initial + '\'' : std::string());
    }

    std::string answer(AuthResponse& a) { return "response '" + a.octets + '\''; }

    std::string answer(AuthCancelled& a) { return "cancelled " + a.reply.one_line(); }

    std::string answer(ApplyXclient& a) { return "xclient " + a.attributes.name.value_or("?"); }

    std::string answer(ReceiveData& a) { return a.reply.one_line(); }

    std::string answer(ReceiveChunk& a) {
        return "take " + std::to_string(a.size) + (a.last ? " last" : "");
    }

    std::string answer(DiscardChunk& a) {
        return "discard " + std::to_string(a.size) + ": " + a.reply.one_line();
    }

    std::string answer(Hangup& a) {
        over = true;
        return a.reply.one_line();
    }

    std::string answer(Drop&) {
        over = true;
        return "";
    }
};

}  // namespace mailflow::smtp

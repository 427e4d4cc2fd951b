// Command lines in every state of a session, all extensions on: whatever comes, a Command or a
// refusal, and a session that stays legal. The first octet of the input selects the state and what
// the driver decides.
#include "transport/mail/utf8.hpp"
#include "transport/smtp/limits.hpp"
#include "transport/smtp/receive_protocol.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace mailflow;
using namespace mailflow::smtp;

constexpr std::uint64_t kMaxChunk = 1 << 20;

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_clean(std::string_view text) {
    return utf8::is_valid(text) && std::none_of(text.begin(), text.end(), [](char c) {
               return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
           });
}

// The driver: refuses everything, or nothing.
struct Driver {
    ReceiveProtocol& protocol;
    bool refuses;
    bool& over;

    void operator()(const SendReply& action) const { check(action.reply); }

    void operator()(const CheckHelo&) const {
        if (refuses) {
            protocol.helo_refused();
        } else {
            check(protocol.helo_accepted());
        }
    }

    void operator()(const CheckSender& action) const {
        const auto& mail = action.mail;
        require(
            is_clean(mail.envelope_id.value_or("")) &&
            utf8::is_ascii(mail.envelope_id.value_or("")));
        require(is_clean(mail.authenticated_sender.value_or("")));
        require(!mail.priority || (*mail.priority >= -9 && *mail.priority <= 9));
        require(!mail.hold || mail.hold->hold_for.has_value() != mail.hold->hold_until.has_value());
        require(!mail.deliver_by || !mail.deliver_by->return_late || mail.deliver_by->seconds > 0);
        require(!mail.require_tls || protocol.is_secure());
        if (refuses) {
            protocol.sender_refused();
        } else {
            check(protocol.sender_accepted(UtcTime(std::chrono::seconds(1893456000))));
        }
    }

    void operator()(const CheckRecipient& action) const {
        const auto& dsn = action.recipient.dsn;
        require(is_clean(dsn.original_recipient));
        require(
            !dsn.wants(NotifyOn::never) ||
            dsn.notify == static_cast<std::uint8_t>(NotifyOn::never));
        if (refuses) {
            protocol.recipient_refused();
        } else {
            check(protocol.recipient_accepted());
        }
    }

    void operator()(const CheckName& action) const { require(!action.name.empty()); }

    void operator()(const BeginTls& action) const {
        check(action.reply);
        require(!protocol.is_secure());
        if (refuses) {
            check(protocol.start_tls_failed());
        } else {
            protocol.tls_started();
            require(protocol.helo().empty() && protocol.account().empty());
        }
    }

    void operator()(const BeginAuth& action) const {
        require(protocol.phase() == Phase::auth && protocol.account().empty());
        check(protocol.auth_challenge(action.initial.value_or("")));
    }

    void operator()(const AuthResponse& action) const {
        if (refuses) {
            protocol.auth_failed();
        } else if (action.octets.empty()) {
            check(protocol.auth_challenge("again"));
        } else {
            check(protocol.auth_succeeded("alice@contoso.com"));
        }
    }

    void operator()(const AuthCancelled& action) const {
        check(action.reply);
        require(protocol.phase() == Phase::greeted && protocol.account().empty());
    }

    void operator()(const ApplyXclient& action) const {
        const auto& client = action.attributes;
        require(is_clean(client.name.value_or("")) && is_clean(client.login.value_or("")));
        require(is_clean(client.helo.value_or("")));
        if (!refuses) check(protocol.xclient_applied("198.51.100.7", client.helo));
    }

    void operator()(const ReceiveData& action) const {
        check(action.reply);
        require(protocol.envelope().body != BodyType::binary_mime);
        finish();
    }

    void operator()(const ReceiveChunk& action) const {
        require(action.size <= kMaxChunk && !protocol.envelope().recipients.empty());
        if (action.last) {
            finish();
        } else if (refuses) {
            protocol.chunk_refused();
        } else {
            check(protocol.chunk_received(action.size));
        }
    }

    void operator()(const DiscardChunk& action) const {
        check(action.reply);
        require(action.size <= kMaxChunk && !action.reply.is_positive());
    }

    void operator()(const Hangup& action) const {
        check(action.reply);
        over = true;
    }

    void operator()(const Drop&) const { over = true; }

    void finish() const {
        require(protocol.phase() == Phase::data && !protocol.envelope().recipients.empty());
        protocol.end_transaction(!refuses);
        require(protocol.phase() == Phase::greeted);
    }

    static void check(const Reply& reply) {
        const auto wire = reply.wire();
        require(reply.code >= 200 && reply.code <= 599 && wire.ends_with("\r\n"));
    }
};

ReceiveProtocol::Settings settings() {
    ReceiveProtocol::Settings settings{"mail.contoso.com", "192.0.2.1", {.size = 1000}, 100};
    auto& offered = settings.extensions;
    offered.chunking = offered.binary_mime = offered.dsn = offered.start_tls = true;
    offered.auth = {"PLAIN", "LOGIN", "SCRAM-SHA-256"};
    offered.require_tls = offered.limits = offered.mt_priority = true;
    offered.future_release = offered.deliver_by = offered.verify = offered.xclient = true;
    offered.max_mails = 50;
    offered.max_hold = std::chrono::hours(24);
    offered.hold_until_limit = UtcTime(std::chrono::seconds(1893456000));
    settings.max_chunk = kMaxChunk;
    return settings;
}

// The commands that lead into each state.
constexpr std::array<std::array<const char*, 4>, 7> kStates = {{
    {},
    {"EHLO a.example"},
    {"EHLO a.example", "STARTTLS", "EHLO a.example"},
    {"EHLO a.example", "AUTH LOGIN"},
    {"EHLO a.example", "MAIL FROM:<a@b.example> SMTPUTF8"},
    {"EHLO a.example", "MAIL FROM:<a@b.example>", "RCPT TO:<bob@contoso.com>"},
    {"EHLO a.example",
     "MAIL FROM:<a@b.example> BODY=BINARYMIME",
     "RCPT TO:<bob@contoso.com>",
     "BDAT 5"},
}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    ReceiveProtocol protocol(settings());
    bool over = false;
    for (const auto* line : kStates[*data % kStates.size()]) {
        if (line == nullptr) break;
        auto action = protocol.on_command(line);
        std::visit(Driver{protocol, false, over}, action);
    }
    const bool refuses = *data >= 0x80;
    for (std::size_t at = 0; at <= input.size() && !over;) {
        const auto end = std::min(input.find('\n', at), input.size());
        const auto line = input.substr(at, end - at);
        auto action = line.size() > protocol.max_line() ? protocol.on_line_too_long()
                                                        : protocol.on_command(line);
        std::visit(Driver{protocol, refuses, over}, action);
        at = end + 1;
    }
    return 0;
}

// Command lines: whatever comes, a Command or a refusal, and a session that stays legal.
#include "transport/smtp/receive_protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace mailflow::smtp;

struct Accept {
    ReceiveProtocol& protocol;
    bool& over;

    void operator()(const SendReply& action) const { check(action.reply); }

    void operator()(const CheckHelo&) const { check(protocol.helo_accepted()); }

    void operator()(const CheckSender&) const { check(protocol.sender_accepted()); }

    void operator()(const CheckRecipient&) const { check(protocol.recipient_accepted()); }

    void operator()(const ReceiveData& action) const {
        check(action.reply);
        if (protocol.envelope().recipients.empty()) std::abort();
        protocol.end_transaction(true);
    }

    void operator()(const Hangup& action) const {
        check(action.reply);
        over = true;
    }

    void operator()(const Drop&) const { over = true; }

    template <class Other>
    void operator()(const Other&) const {}

    static void check(const Reply& reply) {
        const auto wire = reply.wire();
        if (reply.code < 200 || reply.code > 599 || !wire.ends_with("\r\n")) std::abort();
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    ReceiveProtocol protocol({"mail.contoso.com", "192.0.2.1", {.size = 1000}, 100});
    bool over = false;
    for (std::size_t at = 0; at <= input.size() && !over;) {
        const auto end = std::min(input.find('\n', at), input.size());
        auto action = protocol.on_command(input.substr(at, end - at));
        std::visit(Accept{protocol, over}, action);
        at = end + 1;
    }
    return 0;
}

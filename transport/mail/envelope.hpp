// What the wire said about one message: RFC 5321 §2.3.1 envelope. Never changed after commit.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/mail/path.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// RFC 6152, RFC 3030: the BODY parameter of MAIL.
enum class BodyType : std::uint8_t { seven_bit, eight_bit_mime, binary_mime };

// RFC 3461 §4.3: RET.
enum class DsnReturn : std::uint8_t { unspecified, full, headers };

// RFC 2852 §4: BY.
struct DeliverBy {
    // From acceptance; zero or negative only when not `return_late`.
    std::int32_t seconds = 0;
    bool return_late = false;  // R: a late message is returned; N: its sender is told, it goes on
    bool trace = false;        // T: each relaying is reported

    friend bool operator==(const DeliverBy&, const DeliverBy&) = default;
};

struct Envelope {
    ReversePath reverse_path;
    BodyType body = BodyType::seven_bit;
    bool smtputf8 = false;            // RFC 6531: the transaction asked for it
    std::uint64_t declared_size = 0;  // RFC 1870 SIZE=, 0 when absent
    std::vector<ForwardPath> recipients;
    DsnReturn dsn_return = DsnReturn::unspecified;
    std::string envelope_id;  // RFC 3461 §4.4 ENVID, decoded: printable ASCII; empty when absent
    // RFC 4954 §5 MAIL AUTH=, decoded, believed or not as the session's rights say: an address, or
    // `<>`; empty when absent or not believed.
    std::string authenticated_sender;
    bool require_tls = false;             // RFC 8689
    std::int8_t priority = 0;             // RFC 6710 MT-PRIORITY, -9 … 9
    std::optional<DeliverBy> deliver_by;  // RFC 2852
    UtcTime release{};                    // RFC 4865: held until then; 0: at once
};

}  // namespace mailflow

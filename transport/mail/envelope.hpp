// What the wire said about one message: RFC 5321 §2.3.1 envelope. Never changed after commit.
#pragma once

#include "transport/mail/path.hpp"

#include <cstdint>
#include <vector>

namespace mailflow {

// RFC 6152, RFC 3030: the BODY parameter of MAIL.
enum class BodyType : std::uint8_t { seven_bit, eight_bit_mime };

struct Envelope {
    ReversePath reverse_path;
    BodyType body = BodyType::seven_bit;
    bool smtputf8 = false;            // RFC 6531: the transaction asked for it
    std::uint64_t declared_size = 0;  // RFC 1870 SIZE=, 0 when absent
    std::vector<ForwardPath> recipients;
};

}  // namespace mailflow

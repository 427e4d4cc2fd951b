// RFC 6409 §8.1: what becomes of a submitted message whose From field is not the account's. A
// field of receive connectors, obeyed by the header policy.
#pragma once

#include <cstdint>

namespace mailflow {

enum class SenderPolicy : std::uint8_t { refuse, fix, ignore };

}  // namespace mailflow

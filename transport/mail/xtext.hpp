// Text inside parameters of MAIL and RCPT: xtext (RFC 3461 §4) and the forms of an
// internationalized address (RFC 6533 §3). A decoder gives text that can go into a log, a header
// field or a store as it stands: valid UTF-8 without controls. Used by the parameter parser, the
// client side and XCLIENT; pure.
#pragma once

#include "transport/base/result.hpp"

#include <string>
#include <string_view>

namespace mailflow {

// Error::syntax: no xtext, or what it stands for has controls or is no UTF-8.
[[nodiscard]] Result<std::string> decode_xtext(std::string_view text);
// Printable ASCII for any octets.
[[nodiscard]] std::string encode_xtext(std::string_view text);

// utf-8-addr-xtext and utf-8-addr-unitext: `\x{E9}` and, in the second, UTF-8 as it is.
[[nodiscard]] Result<std::string> decode_unitext(std::string_view text);
// utf-8-addr-unitext: for a peer that offers SMTPUTF8. `text`: as a decoder gave it.
[[nodiscard]] std::string encode_unitext(std::string_view text);
// utf-8-addr-xtext: the same in ASCII alone.
[[nodiscard]] std::string encode_unitext_ascii(std::string_view text);

}  // namespace mailflow

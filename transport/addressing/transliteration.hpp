// Letters outside ASCII as addresses spell them. Pure; used by address templates.
#pragma once

#include <cstdint>
#include <string_view>

namespace mailflow {

// The usual ASCII spelling of a letter from U+00C0 to U+024F (Latin-1, Latin Extended-A and -B),
// that of ICAO Doc 9303 (the names in passports) where it has one: `ö` oe, `ä` ae, `ü` ue, `å` aa,
// `ø` oe, `æ` ae, `œ` oe, `ß` ss, `þ` th, `ð` d, `ĳ` ij, `ł` l, `ñ` n; otherwise the letter without
// its marks. Of a capital only the first letter is one: `Ö` Oe. Empty: there is none.
[[nodiscard]] std::string_view ascii_spelling(std::uint32_t code_point) noexcept;

}  // namespace mailflow

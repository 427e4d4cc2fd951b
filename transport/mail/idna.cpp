#include "transport/mail/idna.hpp"

#include "transport/base/error.hpp"

#include <idn2.h>
#include <memory>

namespace mailflow::idna {

namespace {

struct FreeIdn2 {
    void operator()(char* text) const noexcept { ::idn2_free(text); }
};

using Idn2Text = std::unique_ptr<char, FreeIdn2>;

Result<std::string> checked(int outcome, char* text) {
    const Idn2Text owned(text);
    if (outcome == IDN2_OK) {
        return std::string(owned.get());
    }
    const bool too_long = outcome == IDN2_TOO_BIG_DOMAIN || outcome == IDN2_TOO_BIG_LABEL;
    return too_long ? Error::too_large : Error::syntax;
}

}  // namespace

Result<std::string> to_a_labels(std::string_view text) {
    char* converted = nullptr;
    // Without IDN2_USE_STD3_ASCII_RULES: libidn2 2.3 silently drops what those rules forbid, so
    // `a@b` would pass as `ab`. DomainName checks the labels that come out, where such a character
    // still stands.
    const auto outcome = ::idn2_to_ascii_8z(
        std::string(text).c_str(), &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    return checked(outcome, converted);
}

Result<std::string> to_u_labels(std::string_view text) {
    char* converted = nullptr;
    const auto outcome = ::idn2_to_unicode_8z8z(std::string(text).c_str(), &converted, 0);
    return checked(outcome, converted);
}

}  // namespace mailflow::idna

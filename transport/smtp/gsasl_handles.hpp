// GNU SASL's objects with their ends, and one step of a mechanism. Used by both sides of SASL,
// inside `smtp` only.
#pragma once

#include <cstddef>
#include <gsasl.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow::smtp::gsasl {

struct End {
    void operator()(Gsasl* library) const noexcept { gsasl_done(library); }

    void operator()(Gsasl_session* session) const noexcept { gsasl_finish(session); }
};

using Library = std::unique_ptr<Gsasl, End>;
using Session = std::unique_ptr<Gsasl_session, End>;

// Throws when there is no memory.
[[nodiscard]] Library make_library();

// Text the library allocated, wiped before it is given back.
[[nodiscard]] std::string take(char* text, std::size_t size);

struct Output {
    int code = GSASL_OK;
    std::string octets;
};

// Nothing as input and an empty one are not the same (RFC 4422 §4.3.b).
[[nodiscard]] Output run(const Session& session, std::optional<std::string_view> input);

}  // namespace mailflow::smtp::gsasl

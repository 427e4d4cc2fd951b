#include "transport/smtp/gsasl_handles.hpp"

#include <cstring>
#include <stdexcept>

namespace mailflow::smtp::gsasl {

Library make_library() {
    Gsasl* library = nullptr;
    if (gsasl_init(&library) != GSASL_OK) {
        throw std::runtime_error("GNU SASL cannot start");
    }
    return Library(library);
}

std::string take(char* text, std::size_t size) {
    std::string taken;
    if (text != nullptr) {
        taken.assign(text, size);
        explicit_bzero(text, size);
        gsasl_free(text);
    }
    return taken;
}

Output run(const Session& session, std::optional<std::string_view> input) {
    char* octets = nullptr;
    std::size_t size = 0;
    const auto* const data = !input ? nullptr : input->empty() ? "" : input->data();
    const auto length = input ? input->size() : 0;
    const int code = gsasl_step(session.get(), data, length, &octets, &size);
    return {code, take(octets, size)};
}

}  // namespace mailflow::smtp::gsasl

// The client side of SASL as a real client has it: GNU SASL's own. What the library asks for it
// finds in the properties.
#pragma once

#include <gsasl.h>
#include <map>
#include <string>

namespace mailflow {

using SaslProperties = std::map<Gsasl_property, std::string>;

inline SaslProperties sasl_credentials(const std::string& login, const std::string& password) {
    return {{GSASL_AUTHID, login}, {GSASL_PASSWORD, password}};
}

class SaslClient {
  public:
    SaslClient(const char* mechanism, const SaslProperties& properties) {
        gsasl_init(&library_);
        gsasl_client_start(library_, mechanism, &session_);
        for (const auto& [property, value] : properties)
            gsasl_property_set(session_, property, value.c_str());
    }

    ~SaslClient() {
        gsasl_finish(session_);
        gsasl_done(library_);
    }

    SaslClient(const SaslClient&) = delete;
    SaslClient& operator=(const SaslClient&) = delete;

    // First with nothing, then with each challenge.
    std::string step(const std::string& challenge) {
        char* octets = nullptr;
        std::size_t size = 0;
        code_ = gsasl_step(session_, challenge.data(), challenge.size(), &octets, &size);
        std::string answer(octets == nullptr ? "" : octets, octets == nullptr ? 0 : size);
        gsasl_free(octets);
        return answer;
    }

    // For SCRAM: the server has proved itself too.
    [[nodiscard]] bool is_content() const { return code_ == GSASL_OK; }

  private:
    Gsasl* library_ = nullptr;
    Gsasl_session* session_ = nullptr;
    int code_ = GSASL_OK;
};

}  // namespace mailflow

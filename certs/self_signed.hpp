// The certificate of the first start, so that mail is encrypted before anybody has configured
// anything: ECDSA P-256, signed by itself, for the node's name. Blocks for a moment: on a worker.
#pragma once

#include "certs/openssl_handles.hpp"
#include "transport/base/clock.hpp"
#include "transport/base/random.hpp"

#include <string>

namespace mailflow {

struct NewCertificate {
    X509Ptr certificate;
    PrivateKeyPtr key;
};

constexpr std::chrono::days kSelfSignedLife{5 * 365};

// Valid from an hour before `now` on, for peers whose clock is late. Throws std::runtime_error when
// OpenSSL cannot.
[[nodiscard]] NewCertificate make_self_signed(const std::string& fqdn, UtcTime now, Random& random);

}  // namespace mailflow

// The TLS context of a client: for STARTTLS towards other hosts, and for fetching. Made with each
// set of contexts; immutable, any lane.
#pragma once

#include "certs/certificate.hpp"
#include "transport/ports/tls_contexts.hpp"

namespace mailflow {

// `certificate`: what is sent when the server asks for one; null: none. Error::tls_failed: OpenSSL
// does not take it, `problem` (not null) says why.
[[nodiscard]] Result<TlsContextPtr> make_client_context(
    const TrustStorePtr& trust, const StoredCertificate* certificate, std::string* problem);

}  // namespace mailflow

// The certificates of the moment as TLS sees them: one OpenSSL context for each receive connector.
// An immutable snapshot; a change of certificates, connectors or ticket keys makes a new one,
// posted to every lane like the Organization. Sessions keep the context they began with.
#pragma once

#include "transport/org/receive_connector.hpp"
#include "transport/org/send_connector.hpp"

#include <memory>

struct ssl_ctx_st;

namespace mailflow {

using TlsContextPtr = std::shared_ptr<ssl_ctx_st>;

class TlsContexts {
  public:
    virtual ~TlsContexts() = default;
    // For STARTTLS and TLS on connect at this connector: certificate by reference 6.6, chosen again
    // by SNI during the handshake; ALPN, versions, groups, client certificates and tickets as the
    // connector says. Null: there is no usable certificate, so STARTTLS is not offered. Any lane.
    [[nodiscard]] virtual TlsContextPtr server_context(const ReceiveConnector& connector) const = 0;

    // For STARTTLS as a client of this connector (null: for mailbox servers and fetching): its
    // client certificate, the system's roots and the added ones, TLS 1.2 up. Whether the peer's
    // certificate is good enough is judged after the handshake, not by the context. Null: TLS
    // cannot be had, so a demand for it is not met. Any lane.
    [[nodiscard]] virtual TlsContextPtr client_context(const SendConnector* /*connector*/) const {
        return nullptr;
    }
};

using TlsContextsPtr = std::shared_ptr<const TlsContexts>;

}  // namespace mailflow

// The TLS contexts of one organization, one set of certificates and one pair of ticket keys: one
// OpenSSL context for each kind of receive connector, and one for each certificate that SNI may
// choose instead. Built by CertificateService on the console lane; immutable, used on any lane. A
// session keeps what it uses alive.
#pragma once

#include "certs/certificate.hpp"
#include "certs/ticket_keys.hpp"
#include "transport/ports/tls_contexts.hpp"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mailflow {

class TlsContextSet final : public TlsContexts {
  public:
    struct Parts {
        std::span<const StoredCertificate> certificates;
        std::span<const ReceiveConnector> connectors;
        std::string node_fqdn;
        UtcTime now{};
        TicketKeysPtr tickets;
        TrustStorePtr trust;  // certificates of peers are verified against it
        std::span<const SendConnector> send_connectors{};
    };

    // Where a certificate cannot be used (a key OpenSSL refuses), it is left out and named in
    // `problems`.
    TlsContextSet(const Parts& parts, std::vector<std::string>& problems);
    ~TlsContextSet() override;

    [[nodiscard]] TlsContextPtr server_context(const ReceiveConnector& connector) const override;
    // A connector whose certificate is not there, or cannot be used, sends none.
    [[nodiscard]] TlsContextPtr client_context(const SendConnector* connector) const override;

  private:
    struct Entry;
    class Builder;

    void make_clients(const Parts& parts, std::vector<std::string>& problems);

    std::vector<Entry> entries_;
    TlsContextPtr client_;                          // sends no certificate
    std::map<std::string, TlsContextPtr> clients_;  // by the connector's field `certificate`
};

// Whether sessions of this connector get tickets (decisions 2.15): none where anybody may come and
// nobody logs in, since resumption would only link visits of the same peer.
[[nodiscard]] bool gives_tickets(const ReceiveConnector& connector) noexcept;

}  // namespace mailflow

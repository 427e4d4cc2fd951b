// What makes certificates work in a running daemon: reads them from the store, makes the
// self-signed one of the first start, opens the private keys, and builds the TLS contexts of each
// organization and each turn of the ticket keys. Owned by the composition, used on the console
// lane; the contexts it builds are immutable and used on any lane.
//
// Wiring: `open` once, before the organization is opened; `build` for each published organization,
// its result posted to the lanes before that organization; `build` again at `rotation_due`.
#pragma once

#include "certs/certificate.hpp"
#include "certs/secret_box.hpp"
#include "certs/ticket_keys.hpp"
#include "transport/base/clock.hpp"
#include "transport/base/log.hpp"
#include "transport/base/random.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/certificate_store.hpp"
#include "transport/ports/files.hpp"
#include "transport/ports/tls_contexts.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Something an administrator should know about certificates. For status, log and metrics.
struct CertificateWarning {
    enum class Kind : std::uint8_t {
        none_usable,  // a connector that wants TLS has no certificate: STARTTLS is not offered
        self_signed,  // a connector shows a self-signed certificate: peers cannot verify it
        expired,      // a connector shows a certificate that is not valid now
        expiring,     // within 30, 14, 7 or 1 days
        unusable,     // a stored certificate or key cannot be read, or OpenSSL refuses it
    };

    Kind kind = Kind::none_usable;
    std::string subject;     // the connector's name, or the certificate's
    int days_threshold = 0;  // expiring: 30, 14, 7 or 1; it changes when the matter gets worse
    std::string text;        // one sentence

    friend bool operator==(const CertificateWarning&, const CertificateWarning&) = default;
};

class CertificateService {
  public:
    // References outlive the service.
    struct Parts {
        CertificateStore& store;
        Files& files;
        TaskRunner& worker;  // reads and makes keys
        const Clock& clock;
        Random& random;        // fit for secrets: SystemRandom
        std::string key_file;  // Bootstrap::key_file()
        std::string node_fqdn;
        Log log;
    };

    explicit CertificateService(Parts parts);
    ~CertificateService();
    CertificateService(const CertificateService&) = delete;
    CertificateService& operator=(const CertificateService&) = delete;

    // Once: key file, certificates, and in an empty store the first certificate. On failure `why`
    // (not null) says in one sentence what to do, and names the key file when it is about that.
    Task<Result<>> open(std::string* why);
    // Reads the certificates again, after a change of the store.
    Task<Result<>> reload();

    // The contexts of this organization, with ticket keys that are turned when their time has
    // come. Does not block, but costs about a millisecond for each certificate and each kind of
    // connector.
    [[nodiscard]] TlsContextsPtr build(const Organization& organization);
    // When `build` should be called again although nothing was changed: the ticket keys' turn.
    [[nodiscard]] UtcTime rotation_due() const noexcept;

    // About the contexts of the last `build`, as of its time.
    [[nodiscard]] const std::vector<CertificateWarning>& warnings() const noexcept {
        return warnings_;
    }

    // As of the last `open` or `reload`.
    [[nodiscard]] const std::vector<StoredCertificate>& certificates() const noexcept {
        return certificates_;
    }

    // For other secrets in the store; after `open`.
    [[nodiscard]] const SecretBox& secret_box() const noexcept { return *box_; }

  private:
    Result<> open_key_file(bool has_sealed, std::string& why);
    Task<Result<>> add_self_signed(std::string* why);
    Result<> load(const std::vector<CertificateRecord>& records, std::string& why);
    void note_unusable(const CertificateRecord& record, const std::string& reason);

    Parts parts_;
    std::optional<SecretBox> box_;
    std::vector<StoredCertificate> certificates_;
    std::vector<CertificateWarning> unusable_;
    std::vector<CertificateWarning> warnings_;
    TicketKeysPtr tickets_;
    std::shared_ptr<x509_store_st> trust_;
};

}  // namespace mailflow

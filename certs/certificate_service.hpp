// What makes certificates work in a running daemon: reads them from the store, makes the
// self-signed one of the first start, opens the private keys, and builds the TLS contexts of each
// organization and each turn of the ticket keys. Owned by the composition, used on the console
// lane; the contexts it builds are immutable and used on any lane.
//
// Wiring: `open` once, before the organization is opened; `build` for each published organization,
// its result posted to the lanes before that organization; `build` again at `rotation_due`.
#pragma once

#include "certs/certificate.hpp"
#include "certs/certificate_warnings.hpp"
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

class CertificateService {
  public:
    // References outlive the service.
    struct Parts {
        CertificateStore& store;
        Files& files;
        TaskRunner& worker;  // reads and makes keys
        const Clock& clock;
        Random& random;        // fit for secrets: SystemRandom; used on worker and console lane
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
    // Reads the certificates again, after a change of the store; the next `build` shows it.
    Task<Result<>> reload();

    // The contexts of this organization, with ticket keys that are turned when their time has
    // come. Does not block; costs a good part of a millisecond for each certificate and each kind
    // of connector.
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
    // What came of reading all records, on the worker.
    struct Loaded {
        std::vector<StoredCertificate> certificates;
        std::vector<CertificateWarning> unusable;
        std::size_t sealed = 0;  // private keys there are, and how many of them could be opened
        std::size_t opened = 0;
    };

    Task<Result<>> open_key_file(bool has_sealed, std::string* why);
    Task<Result<>> add_self_signed(std::vector<CertificateRecord>* records, std::string* why);
    [[nodiscard]] Loaded load(const std::vector<CertificateRecord>& records);
    void load_one(const CertificateRecord& record, Loaded& into);

    Parts parts_;
    std::optional<SecretBox> box_;
    TrustStorePtr trust_;
    std::vector<StoredCertificate> certificates_;
    std::vector<CertificateWarning> unusable_;  // of the store
    std::vector<CertificateWarning> warnings_;  // of the last build
    TicketKeysPtr tickets_;
};

}  // namespace mailflow

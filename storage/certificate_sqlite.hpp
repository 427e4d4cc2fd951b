// Certificates in organization.db. Called on the console lane; the work is done on the keeper.
#pragma once

#include "storage/organization_writer.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/certificate_store.hpp"

namespace mailflow {

class SqliteCertificateStore final : public CertificateStore {
  public:
    // Both outlive this.
    SqliteCertificateStore(OrganizationWriter& writer, TaskRunner& keeper) noexcept
        : writer_(writer)
        , keeper_(keeper) {}

    Task<Result<std::vector<CertificateRecord>>> read_all() override;
    Task<Result<>> add(CertificateRecord certificate, ChangeAuthor author) override;
    Task<Result<>> replace(CertificateRecord certificate, ChangeAuthor author) override;
    Task<Result<>> remove(std::string thumbprint, ChangeAuthor author) override;

  private:
    // On the keeper.
    Result<std::vector<CertificateRecord>> read();
    Result<> insert(const CertificateRecord& certificate, const ChangeAuthor& author);
    Result<> update(const CertificateRecord& certificate, const ChangeAuthor& author);
    Result<> erase(const std::string& thumbprint, const ChangeAuthor& author);

    OrganizationWriter& writer_;
    TaskRunner& keeper_;
};

}  // namespace mailflow

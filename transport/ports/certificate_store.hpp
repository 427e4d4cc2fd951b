// Certificates in the organization store: own rows, one transaction and version with the objects.
// Private keys are sealed before they come here. Called from the console lane and at start.
#pragma once

#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/ports/records/certificate_record.hpp"
#include "transport/ports/records/object_record.hpp"

#include <string>
#include <vector>

namespace mailflow {

class CertificateStore {
  public:
    virtual ~CertificateStore() = default;
    // All of them, oldest first (equally old ones by thumbprint).
    virtual Task<Result<std::vector<CertificateRecord>>> read_all() = 0;
    // Durable when it returns. Error::already_exists when thumbprint or name is taken.
    virtual Task<Result<>> add(CertificateRecord certificate, ChangeAuthor author) = 0;
    // Writes name, services and key anew; thumbprint, chain and `created` stay. Error::not_found,
    // or Error::already_exists when another has the name.
    virtual Task<Result<>> replace(CertificateRecord certificate, ChangeAuthor author) = 0;
    // Error::not_found.
    virtual Task<Result<>> remove(std::string thumbprint, ChangeAuthor author) = 0;
};

}  // namespace mailflow

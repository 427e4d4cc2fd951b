// Organization objects as rows of organization.db, written inside a transaction of the caller: by
// the object store, and by the recipient store when objects follow a recipient. On the keeper.
#pragma once

#include "storage/organization_writer.hpp"

#include <cstdint>
#include <vector>

namespace mailflow {

class ObjectRows {
  public:
    // Outlives this.
    explicit ObjectRows(OrganizationWriter& writer) noexcept
        : writer_(writer) {}

    // As the version `version`, with history. An error: the caller's transaction is to be undone.
    [[nodiscard]] ErrorCode write(std::uint64_t version, const std::vector<ObjectChange>& changes);

  private:
    ErrorCode apply(const ObjectChange& change);
    void note(std::uint64_t version, std::size_t number, const ObjectChange& change);

    OrganizationWriter& writer_;
};

}  // namespace mailflow

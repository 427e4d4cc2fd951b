// Organization objects in organization.db. Called on the console lane; the work is done on the
// keeper.
#pragma once

#include "storage/object_rows.hpp"
#include "storage/organization_writer.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/object_store.hpp"

namespace mailflow {

class SqliteObjectStore final : public ObjectStore {
  public:
    // Both outlive this.
    SqliteObjectStore(OrganizationWriter& writer, TaskRunner& keeper) noexcept
        : writer_(writer)
        , keeper_(keeper)
        , rows_(writer) {}

    Task<Result<ObjectSet>> read_all() override;
    Task<Result<std::uint64_t>> change(
        std::uint64_t expected, std::vector<ObjectChange> changes, ChangeAuthor author) override;
    Task<Result<std::vector<ObjectVersion>>> history(std::size_t limit) override;

  private:
    // On the keeper.
    Result<ObjectSet> read();
    Result<std::uint64_t> write(
        std::uint64_t expected,
        const std::vector<ObjectChange>& changes,
        const ChangeAuthor& author);
    Result<std::vector<ObjectVersion>> read_history(std::size_t limit);

    OrganizationWriter& writer_;
    TaskRunner& keeper_;
    ObjectRows rows_;
};

}  // namespace mailflow

// Organization objects, versioned. Changes are one transaction each and carry who and when. Called
// from the console lane and at start.
#pragma once

#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/ports/records/object_record.hpp"

#include <cstdint>
#include <vector>

namespace mailflow {

struct ObjectSet {
    std::uint64_t version = 0;
    std::vector<ObjectRecord> objects;  // by type, then name
};

class ObjectStore {
  public:
    virtual ~ObjectStore() = default;
    virtual Task<Result<ObjectSet>> read_all() = 0;
    // Applies all changes or none; durable when it returns. Error::conflict when the stored version
    // is not `expected`. Returns the new version.
    virtual Task<Result<std::uint64_t>> change(
        std::uint64_t expected, std::vector<ObjectChange> changes, ChangeAuthor author) = 0;
    // Newest first.
    virtual Task<Result<std::vector<ObjectVersion>>> history(std::size_t limit) = 0;
};

}  // namespace mailflow

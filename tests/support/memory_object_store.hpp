// An ObjectStore that keeps its objects in memory. One thread.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/object_store.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

class MemoryObjectStore final : public ObjectStore {
  public:
    Task<Result<ObjectSet>> read_all() override {
        if (error_) {
            co_return error_;
        }
        co_return objects_;
    }

    Task<Result<std::uint64_t>> change(
        std::uint64_t expected, std::vector<ObjectChange> changes, ChangeAuthor author) override {
        co_return change_now({expected, std::move(changes)}, std::move(author));
    }

    Result<std::uint64_t> change_now(const ObjectEdits& edits, ChangeAuthor author) {
        if (error_) {
            return error_;
        }
        if (edits.expected != objects_.version) {
            return Error::conflict;
        }
        auto next = objects_;
        for (const auto& change : edits.changes) {
            if (const auto error = apply(next.objects, change)) {
                return error;
            }
        }
        objects_ = std::move(next);
        std::sort(objects_.objects.begin(), objects_.objects.end(), is_before);
        add_version(std::move(author));
        return objects_.version;
    }

    Task<Result<std::vector<ObjectVersion>>> history(std::size_t limit) override {
        std::vector<ObjectVersion> newest(
            versions_.rbegin(),
            versions_.rbegin() + static_cast<std::ptrdiff_t>(std::min(limit, versions_.size())));
        co_return newest;
    }

    // A change of recipients counts in the same versions.
    void add_version(ChangeAuthor author) {
        versions_.push_back({++objects_.version, {}, std::move(author)});
    }

    // Every call ends so; no error: works again.
    void fail_with(ErrorCode error) noexcept { error_ = error; }

  private:
    static bool is_before(const ObjectRecord& a, const ObjectRecord& b) {
        return a.type != b.type ? a.type < b.type : ascii::less_ignoring_case(a.name, b.name);
    }

    static ErrorCode apply(std::vector<ObjectRecord>& records, const ObjectChange& change) {
        const auto find = [&records, &change](const std::string& name) {
            return std::find_if(records.begin(), records.end(), [&](const auto& record) {
                return record.type == change.type && ascii::equal_ignoring_case(record.name, name);
            });
        };
        const auto found = find(change.name);
        if (!change.new_name.empty()) {
            const auto holder = find(change.new_name);
            if (found == records.end()) return Error::not_found;
            if (holder != records.end() && holder != found) return Error::already_exists;
            found->name = change.new_name;
        } else if (!change.document) {
            if (found == records.end()) return Error::not_found;
            records.erase(found);
        }
        if (change.document && found == records.end()) {
            records.push_back({change.type, change.name, *change.document});
        } else if (change.document) {
            found->document = *change.document;
        }
        return {};
    }

    ObjectSet objects_;
    std::vector<ObjectVersion> versions_;
    ErrorCode error_;
};

}  // namespace mailflow

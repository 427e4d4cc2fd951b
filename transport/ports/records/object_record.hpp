// Stored organization objects: documents by type and name, and the history of changes to them.
#pragma once

#include "transport/base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// One object. `document` is JSON text of its fields as config/schema writes them.
struct ObjectRecord {
    std::string type;  // `send-connector`
    std::string name;  // unique within the type, compared without case
    std::string document;

    friend bool operator==(const ObjectRecord&, const ObjectRecord&) = default;
};

// One of the changes made as one transaction: writes an object, new or not; renames it, with or
// without a new document; removes it when neither a document nor a new name is given. Renaming or
// removing what is not there is Error::not_found, a new name that is taken Error::already_exists.
struct ObjectChange {
    std::string type;
    std::string name;
    std::optional<std::string> document;
    std::string new_name;  // not empty: rename
};

// Changes of objects that are stored with a change of recipients, as one transaction: `expected`
// and the errors are as of ObjectStore::change.
struct ObjectEdits {
    std::uint64_t expected = 0;
    std::vector<ObjectChange> changes = {};
};

struct ChangeAuthor {
    std::string who;   // `uid=0(root) via admin socket`
    std::string what;  // the command in words
};

struct ObjectVersion {
    std::uint64_t version = 0;
    UtcTime time{};
    ChangeAuthor author;
};

}  // namespace mailflow

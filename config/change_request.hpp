// One change an administrator asks for, and what became of it. Used by the services of config and
// by the admin API. Plain data.
#pragma once

#include "config/schema/document.hpp"
#include "transport/base/result.hpp"
#include "transport/ports/records/object_record.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

struct ChangeRequest {
    std::string type;            // `send-connector`, `mailbox`…
    std::string name;            // ignored for a single type
    boost::json::object fields;  // of `create` and `set`; `name` in a `set` renames
    ChangeAuthor author;
    bool what_if = false;  // check and show, change nothing
};

struct ChangeOutcome {
    enum class Status : std::uint8_t {
        done,       // or would be done, with what_if
        refused,    // `problems` say why
        not_found,  // no such type or object; `problems` say so
        failed,     // the store did not take it: `error`
    };

    Status status = Status::done;
    std::vector<schema::Problem> problems;
    std::vector<std::string> warnings;
    boost::json::object before;  // with its name first; empty when created
    boost::json::object after;   // empty when removed
    std::uint64_t version = 0;   // of the stored configuration; 0 for mailboxes
    ErrorCode error;

    [[nodiscard]] bool ok() const noexcept { return status == Status::done; }
};

}  // namespace mailflow

// A file of recipients, CSV with a header or JSON (an array of objects, or one object after
// another), read row by row; its size does not matter.
#pragma once

#include "config/schema/object_type.hpp"
#include "server/ctl/csv.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::ctl {

struct RecipientRow {
    std::uint64_t number = 0;    // as a spreadsheet counts: the header is 1; JSON: the object's
    boost::json::object fields;  // as the admin API takes them
    std::vector<std::string> problems;  // what this program says of it already
    std::size_t size = 0;               // octets, about
};

class RecipientFile {
  public:
    virtual ~RecipientFile() = default;
    // False at the end. Throws Failure when the rest cannot be read.
    virtual bool next(RecipientRow& row) = 0;
};

// By its name: `.json`, or else CSV. `kind` is that of rows which do not say theirs. Throws Failure
// when it cannot be read, or has columns that no recipient has.
[[nodiscard]] std::unique_ptr<RecipientFile> open_recipients(
    const std::string& path, std::string_view kind);

// The columns of an export.
[[nodiscard]] std::vector<std::string> export_columns(
    const std::vector<std::string_view>& kinds, bool with_secrets);
// One row of it.
[[nodiscard]] std::string export_line(
    const boost::json::object& row, const std::vector<std::string>& columns);

}  // namespace mailflow::ctl

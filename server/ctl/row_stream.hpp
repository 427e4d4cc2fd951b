// Rows printed as they come, page after page: what a list of a million recipients needs. A table
// takes its widths from the first page.
#pragma once

#include "server/ctl/output.hpp"

#include <boost/json/array.hpp>

#include <ostream>
#include <vector>

namespace mailflow::ctl {

class RowStream {
  public:
    // `out` outlives the stream.
    RowStream(std::vector<Column> columns, Format format, std::ostream& out)
        : columns_(std::move(columns))
        , format_(format)
        , out_(out) {}

    void add(const boost::json::array& rows);
    // What ends the output: a JSON array's bracket, the header of a table without rows.
    void finish();

  private:
    std::vector<Column> columns_;
    Format format_;
    std::ostream& out_;
    std::vector<std::size_t> widths_;
    bool begun_ = false;
};

}  // namespace mailflow::ctl

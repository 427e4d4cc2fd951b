#include "server/ctl/row_stream.hpp"

#include <boost/json/serialize.hpp>

namespace mailflow::ctl {

namespace json = boost::json;

void RowStream::add(const json::array& rows) {
    if (rows.empty()) {
        return;
    }
    if (format_ == Format::json) {
        for (const auto& row : rows) {
            out_ << (begun_ ? ",\n " : "[\n ") << json::serialize(row);
            begun_ = true;
        }
        return;
    }
    auto text = print_rows(rows, columns_, format_, &widths_);
    // Further pages have no header.
    out_ << (begun_ ? text.substr(text.find('\n') + 1) : text);
    begun_ = true;
}

void RowStream::finish() {
    if (format_ == Format::json) {
        out_ << (begun_ ? "\n]\n" : "[]\n");
    } else if (!begun_) {
        out_ << print_rows({}, columns_, format_);
    }
}

}  // namespace mailflow::ctl

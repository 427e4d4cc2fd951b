// Comma-separated values (RFC 4180): records of quoted and plain fields, line ends within quotes,
// CRLF or LF, a UTF-8 mark at the start. Nothing here knows what the fields mean.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::ctl {

constexpr std::size_t kMaxCsvField = 8UL * 1024 * 1024;    // octets
constexpr std::size_t kMaxCsvRecord = 12UL * 1024 * 1024;  // octets
constexpr std::size_t kMaxCsvFields = 256;

class CsvReader {
  public:
    // `in` outlives the reader.
    explicit CsvReader(std::istream& in)
        : in_(in) {}

    // The next record, from 1 on; false at the end. Lines that are empty are passed over. Throws
    // Failure when the rest cannot be read: an open quote, something over its limit.
    bool next(std::vector<std::string>& fields);

    // Of the last record: 1 for the first, which is the header.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  private:
    int get();
    [[noreturn]] void fail(std::string_view what) const;
    void read_quoted(std::string& field);
    void add(std::string& field, int octet);

    std::istream& in_;
    std::uint64_t number_ = 0;
    std::size_t size_ = 0;  // of this record
};

// One field as it is written: quoted where it must be.
[[nodiscard]] std::string csv_field(std::string_view text);

// A list in one field: elements with `;` between them, and `\` before a `;` or `\` of theirs.
[[nodiscard]] std::string joined_list(const std::vector<std::string>& elements);
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

// RFC 3629.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace mailflow::ctl

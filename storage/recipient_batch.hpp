// Many recipients at once, inside a transaction of the caller: each row is undone by itself when
// something of it is taken, and the names in it may be of later ones. On the keeper.
#pragma once

#include "storage/recipient_rows.hpp"
#include "storage/recipient_writer.hpp"
#include "transport/org/mail_recipient.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace mailflow {

class RecipientBatch {
  public:
    // All outlive this.
    RecipientBatch(
        SqliteConnection& connection,
        RecipientRows& rows,
        RecipientWriter& writer,
        const std::vector<MailRecipient>& recipients);

    // Once. What became of each; what SQLite throws for another reason than a taken key is thrown.
    [[nodiscard]] std::vector<Result<>> write();

  private:
    struct Row {
        Result<> result;
        std::int64_t id = 0;
        bool is_new = false;
        bool names_nobody = false;  // stays out of every attempt from then on
    };

    [[nodiscard]] bool write_rows(bool careful);
    [[nodiscard]] bool write_row(const MailRecipient& recipient, Row& row);
    void write_row_carefully(const MailRecipient& recipient, Row& row);
    [[nodiscard]] bool write_references();
    void leave_out_what_names_them();
    [[nodiscard]] std::set<std::string> lost_names() const;

    SqliteConnection& connection_;
    RecipientRows& rows_;
    RecipientWriter& writer_;
    const std::vector<MailRecipient>& recipients_;
    std::vector<Row> written_;
};

}  // namespace mailflow

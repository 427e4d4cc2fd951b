#include "storage/recipient_batch.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <utility>

namespace mailflow {

RecipientBatch::RecipientBatch(
    SqliteConnection& connection,
    RecipientRows& rows,
    RecipientWriter& writer,
    const std::vector<MailRecipient>& recipients)
    : connection_(connection)
    , rows_(rows)
    , writer_(writer)
    , recipients_(recipients)
    , written_(recipients.size()) {}

// First all rows, then all names in them. When a name is nobody's, all is undone and written again
// without the rows that need it: somebody else may have lost an address to one of them.
std::vector<Result<>> RecipientBatch::write() {
    for (bool careful = false;;) {
        SqliteSavepoint attempt(connection_);
        if (!write_rows(careful)) {
            careful = true;
            continue;
        }
        if (write_references()) {
            attempt.release();
            break;
        }
        leave_out_what_names_them();
    }
    std::vector<Result<>> results;
    results.reserve(written_.size());
    for (auto& row : written_)
        results.push_back(std::move(row.result));
    return results;
}

// Taken keys are rare: only when there is one is each row written so that it can be undone by
// itself. False: there is one, and the caller undoes all.
bool RecipientBatch::write_rows(bool careful) {
    for (std::size_t i = 0; i < recipients_.size(); ++i) {
        if (written_[i].names_nobody) continue;
        if (careful) {
            write_row_carefully(recipients_[i], written_[i]);
        } else if (!write_row(recipients_[i], written_[i])) {
            return false;
        }
    }
    return true;
}

// False: something of it is taken.
bool RecipientBatch::write_row(const MailRecipient& recipient, Row& row) {
    const auto known = rows_.find_id_by_name(recipient.name);
    row.is_new = !known;
    row.id = known ? *known : writer_.next_id();
    try {
        if (known) {
            writer_.update(row.id, recipient);
        } else {
            writer_.insert(row.id, recipient);
        }
    } catch (const SQLite::Exception& exception) {
        const auto error = error_of(exception);
        if (error != Error::already_exists) {
            throw;
        }
        row.result = error;
        return false;
    }
    row.result = Result<>();
    return true;
}

void RecipientBatch::write_row_carefully(const MailRecipient& recipient, Row& row) {
    SqliteSavepoint item(connection_);
    if (write_row(recipient, row)) item.release();
}

// False when one of the names is nobody's.
bool RecipientBatch::write_references() {
    bool all_found = true;
    for (std::size_t i = 0; i < recipients_.size(); ++i) {
        auto& row = written_[i];
        if (!row.result) {
            continue;
        }
        row.result = row.is_new ? writer_.add_references(row.id, recipients_[i])
                                : writer_.write_references(row.id, recipients_[i]);
        row.names_nobody = !row.result;
        all_found = all_found && row.result;
    }
    return all_found;
}

// Those who name a new row that stays out would find nobody the next time.
void RecipientBatch::leave_out_what_names_them() {
    for (bool more = true; more;) {
        more = false;
        const auto lost = lost_names();
        for (std::size_t i = 0; i < recipients_.size(); ++i) {
            auto& row = written_[i];
            if (!row.result) {
                continue;
            }
            visit_references(recipients_[i], [&](ReferenceRole, const std::string& name) {
                row.names_nobody = row.names_nobody || lost.contains(ascii::to_lower(name));
            });
            if (row.names_nobody) {
                row.result = make_error_code(Error::not_found);
                more = true;
            }
        }
    }
}

std::set<std::string> RecipientBatch::lost_names() const {
    std::set<std::string> names;
    for (std::size_t i = 0; i < recipients_.size(); ++i) {
        if (written_[i].names_nobody && written_[i].is_new) {
            names.insert(ascii::to_lower(recipients_[i].name));
        }
    }
    for (std::size_t i = 0; i < recipients_.size(); ++i) {
        if (written_[i].result) names.erase(ascii::to_lower(recipients_[i].name));
    }
    return names;
}

}  // namespace mailflow

// An import that is taken whole or not at all: its rows wait in the store, however many, and are
// then checked and written batch by batch in one transaction, which ends well only when every row
// is good.
#include "config/recipient_service.hpp"
#include "config/schema/values.hpp"
#include "config/scram_text.hpp"
#include "transport/base/error.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;
using Status = RowOutcome::Status;

namespace {

// Refused rows that are told one by one.
constexpr std::size_t kRefusedTold = 1000;
constexpr std::string_view kPassword = "password";
constexpr std::string_view kVerifier = "scram_verifier";

// The kind stays with the row, whatever the request that finishes says.
std::string staged_text(ImportRequest::Row& row, std::optional<RecipientKind> kind) {
    if (kind && !row.fields.contains("kind")) {
        row.fields["kind"] = to_text(*kind);
    }
    return json::serialize(row.fields);
}

ImportRequest::Row read_staged(const StagedRow& row) {
    return {row.number, std::move(json::parse(row.document).as_object())};
}

// All that is wrong with it is that others are not there yet.
bool waits(const RowOutcome& row) {
    return row.status == Status::refused && !row.missing.empty() &&
           row.missing.size() >= row.problems.size();
}

void count(const RowOutcome& row, RowCounts& counts) {
    switch (row.status) {
        case Status::created: ++counts.created; break;
        case Status::updated: ++counts.updated; break;
        case Status::unchanged: ++counts.unchanged; break;
        case Status::refused: ++counts.refused; break;
    }
}

}  // namespace

// No password is written down, also not while it waits.
Task<std::vector<Problem>> RecipientService::hide_password(ImportRequest::Row& row) {
    std::vector<Problem> problems;
    const auto* written = row.fields.if_contains(kPassword);
    if (written == nullptr || !written->is_string()) {
        co_return problems;
    }
    const std::string password(written->get_string());
    row.fields.erase(kPassword);
    if (password.empty()) {
        co_return problems;
    }
    Result<ScramVerifier> verifier = Error::syntax;
    if (password.size() <= schema::kMaxSecretLength) {
        verifier = co_await hash_password_(password);
    }
    if (verifier) {
        row.fields[kVerifier] = scram_text(*verifier);
    } else {
        problems.push_back(
            {"row " + std::to_string(row.number),
             std::string(kPassword),
             "is too long, or holds characters that no password may have (RFC 4013)"});
    }
    co_return problems;
}

Task<BatchOutcome> RecipientService::stage(ImportRequest request, WholeImport whole) {
    BatchOutcome outcome;
    if (whole.is_first) {
        staged_by_ = whole.id;
        const auto emptied = co_await store_.unstage();
        if (!emptied) {
            outcome.error = emptied.error();
            co_return outcome;
        }
    }
    if (whole.id != staged_by_) {
        outcome.problems.push_back(
            {{},
             {},
             "another import has begun, or the server did: nothing was taken, import again"});
        co_return outcome;
    }
    std::vector<StagedRow> rows;
    for (auto& row : request.rows) {
        auto problems = co_await hide_password(row);
        std::move(problems.begin(), problems.end(), std::back_inserter(outcome.problems));
        rows.push_back({row.number, staged_text(row, request.kind)});
    }
    if (!outcome.problems.empty() || rows.empty()) {
        co_return outcome;
    }
    const auto stored = co_await store_.stage(std::move(rows));
    if (!stored) {
        outcome.error = stored.error();
    }
    co_return outcome;
}

Task<BatchOutcome> RecipientService::import_staged(
    std::string id, ChangeAuthor author, OrganizationPtr organization) {
    BatchOutcome outcome;
    if (id != staged_by_) {
        outcome.problems.push_back(
            {{},
             {},
             "another import has begun, or the server did: nothing was taken, import again"});
        co_return outcome;
    }
    staged_by_.clear();
    outcome.counts.emplace();
    policies_of(organization);
    const auto begun = co_await store_.begin(author);
    if (!begun) {
        outcome.error = begun.error();
        co_return outcome;
    }
    co_await import_passes(outcome, author, organization);
    const bool keep = !outcome.error && outcome.counts->refused == 0;
    const auto ended = co_await store_.end(keep);
    if (!ended && !outcome.error) {
        outcome.error = ended.error();
    }
    // What is left waiting then is forgotten at the next import, or start.
    co_await store_.unstage();
    co_return outcome;
}

// Rows that name others further down are taken again when those are there.
Task<void> RecipientService::import_passes(
    BatchOutcome& outcome, const ChangeAuthor& author, OrganizationPtr organization) {
    Rows only;
    for (bool last = false;;) {
        auto waiting = co_await import_pass(outcome, only, last, author, organization);
        if (waiting.empty() || outcome.error) {
            break;
        }
        last = waiting.size() == only.size();  // nothing came of it
        only = std::move(waiting);
    }
}

// One way through the rows, or through `only` these, when there are any. Returns those that wait.
Task<RecipientService::Rows> RecipientService::import_pass(
    BatchOutcome& outcome,
    const Rows& only,
    bool last,
    const ChangeAuthor& author,
    OrganizationPtr organization) {
    Rows waiting;
    std::optional<std::uint64_t> after;
    for (;;) {
        const auto page = co_await store_.staged(after, kRecipientBatch);
        if (!page) {
            outcome.error = page.error();
            break;
        }
        ImportRequest request{{}, {}, author};
        for (const auto& row : *page) {
            if (only.empty() || std::binary_search(only.begin(), only.end(), row.number)) {
                request.rows.push_back(read_staged(row));
            }
        }
        const auto batch = co_await import(std::move(request), organization);
        outcome.error = batch.error;
        if (outcome.error) {
            break;
        }
        for (const auto& row : batch.rows) {
            if (!last && waits(row)) {
                waiting.push_back(row.row);
                continue;
            }
            count(row, *outcome.counts);
            if (row.status == Status::refused && outcome.rows.size() < kRefusedTold) {
                outcome.rows.push_back(row);
            }
        }
        if (page->size() < kRecipientBatch) {
            break;
        }
        after = page->back().number;
    }
    co_return waiting;
}

}  // namespace mailflow

// Many recipients at once: pages of them, rows of a file, and one change to all that fulfil a
// condition.
#include "config/recipient_service.hpp"
#include "config/scram_text.hpp"
#include "config/service_outcomes.hpp"
#include "transport/addressing/list_filter.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <unordered_map>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;
using Status = RowOutcome::Status;

namespace {

// Recipients one question for a page may look at: a condition that few fulfil does not hold the
// console up.
constexpr std::size_t kLookedAtPerPage = 10 * kRecipientBatch;
constexpr std::string_view kVerifier = "scram_verifier";

struct Filters {
    std::vector<ListFilter> all;
    std::vector<Problem> problems;

    explicit Filters(const std::vector<std::string>& texts) {
        for (const auto& text : texts) {
            std::string why;
            auto parsed = ListFilter::parse(text, &why);
            if (parsed) {
                all.push_back(std::move(*parsed));
            } else {
                problems.push_back({"--where " + text, {}, std::move(why)});
            }
        }
    }

    [[nodiscard]] bool match(const MailRecipient& recipient) const {
        return std::all_of(all.begin(), all.end(), [&recipient](const ListFilter& filter) {
            return filter.matches(recipient);
        });
    }
};

json::object list_row(const MailRecipient& recipient) {
    json::object row = {
        {"name", recipient.name},
        {"kind", to_text(recipient.kind)},
        {"primary", recipient.primary().text()}};
    for (auto& member : recipient_document(recipient))
        row.emplace(member.key(), std::move(member.value()));
    if (recipient.kind == RecipientKind::mailbox) {
        row["password_set"] = recipient.verifier.has_value();
    }
    return row;
}

json::object export_row(const MailRecipient& recipient, bool with_secrets) {
    json::object row = {{"name", recipient.name}, {"kind", to_text(recipient.kind)}};
    for (auto& member : recipient_document(recipient))
        row.emplace(member.key(), std::move(member.value()));
    if (with_secrets && recipient.verifier) row[kVerifier] = scram_text(*recipient.verifier);
    return row;
}

void refuse(RecipientDraft& draft, std::string_view field, std::string message) {
    const auto& recipient = draft.next.recipient;
    draft.next.problems.push_back(
        {title_of(recipient.kind, recipient.name), std::string(field), std::move(message)});
}

// What a row says beside the schema's fields; taken out of them.
struct RowHead {
    std::string name;
    RecipientKind kind = RecipientKind::mailbox;
    json::value verifier;  // null: not given
    std::vector<Problem> problems;
};

std::string take_text(json::object& fields, std::string_view key) {
    const auto* value = fields.if_contains(key);
    std::string text;
    if (value != nullptr && value->is_string()) text = ascii::trimmed(value->get_string());
    fields.erase(key);
    return text;
}

RowHead take_head(json::object& fields, std::optional<RecipientKind> kind) {
    RowHead head;
    head.name = take_text(fields, "name");
    head.kind = kind.value_or(RecipientKind::mailbox);
    if (const auto* verifier = fields.if_contains(kVerifier)) {
        head.verifier = *verifier;
        fields.erase(kVerifier);
    }
    const auto written = take_text(fields, "kind");
    const auto known = kind_of(ascii::to_lower(written));
    if (known) {
        head.kind = *known;
    } else if (!written.empty()) {
        head.problems.push_back(
            {{}, "kind", "\"" + written + "\" is none: write mailbox, contact or group"});
    } else if (!kind) {
        head.problems.push_back({{}, "kind", "is missing: write mailbox, contact or group"});
    }
    if (auto problem = schema::check_name(head.name); !problem.empty()) {
        head.problems.push_back({{}, "name", std::move(problem)});
    }
    return head;
}

void read_verifier(const json::value& written, RecipientDraft& draft) {
    if (written.is_null() || !draft.next.ok()) {
        return;
    }
    const auto text = written.is_string() ? ascii::trimmed(written.get_string()) : "-";
    if (text.empty()) {
        return;
    }
    auto verifier = parse_scram(text);
    if (!verifier || draft.next.recipient.kind != RecipientKind::mailbox) {
        refuse(draft, kVerifier, "is no verifier of a mailbox, as export --with-secrets writes it");
        return;
    }
    draft.next.recipient.verifier = std::move(*verifier);
}

bool is_unchanged(const RecipientDraft& draft) {
    return draft.current && draft.next.members.empty() &&
           draft.current->verifier == draft.next.recipient.verifier &&
           recipient_document(*draft.current) == recipient_document(draft.next.recipient);
}

RowOutcome outcome_of(const RecipientDraft& draft) {
    RowOutcome outcome;
    const auto& recipient = draft.next.recipient;
    outcome.row = draft.row;
    outcome.kind = recipient.kind;
    outcome.name = recipient.name;
    outcome.problems = draft.next.problems;
    outcome.missing = draft.missing;
    if (!draft.next.ok()) {
        return outcome;
    }
    outcome.primary = recipient.primary().text();
    outcome.status = !draft.current        ? Status::created
                     : is_unchanged(draft) ? Status::unchanged
                                           : Status::updated;
    return outcome;
}

void fail(RowOutcome& outcome, ErrorCode error) {
    outcome.status = Status::refused;
    std::string words = "could not be stored: " + error.message();
    if (error == Error::already_exists) {
        words = "its name, alias, login name or one of its addresses has just been taken";
    } else if (error == Error::not_found) {
        words = "names a recipient that is not there: see the other rows";
        outcome.missing.emplace_back("of another row");
    }
    outcome.problems.push_back({title_of(outcome.kind, outcome.name), {}, std::move(words)});
}

}  // namespace

Task<Result<RecipientPage>> RecipientService::page(RecipientQuery query) {
    RecipientPage result;
    Filters filters(query.where);
    if (!filters.problems.empty()) {
        result.problems = std::move(filters.problems);
        co_return result;
    }
    const auto limit = std::clamp<std::size_t>(query.limit, 1, kRecipientBatch);
    const auto page_size = filters.all.empty() ? limit : kRecipientBatch;
    std::string after = std::move(query.after);
    for (std::size_t looked_at = 0; looked_at < kLookedAtPerPage; looked_at += page_size) {
        Result<std::vector<MailRecipient>> page = std::vector<MailRecipient>();
        if (query.kind) {
            page = co_await store_.page_of(*query.kind, after, page_size);
        } else {
            page = co_await store_.page(after, page_size);
        }
        if (!page) {
            co_return page.error();
        }
        for (const auto& recipient : *page) {
            if (!filters.match(recipient)) continue;
            if (result.rows.size() == limit) {
                result.next = after;
                break;
            }
            result.rows.push_back(
                query.for_export ? export_row(recipient, query.with_secrets) : list_row(recipient));
            after = recipient.name;
        }
        if (!result.next.empty() || page->size() < page_size) {
            break;
        }
        after = page->back().name;
        result.next = result.rows.size() == limit || looked_at + page_size >= kLookedAtPerPage
                          ? after
                          : std::string();
        if (!result.next.empty()) {
            break;
        }
    }
    for (auto& row : result.rows) {
        if (!query.for_export || row.at("kind").as_string() != to_text(RecipientKind::group)) {
            continue;
        }
        auto members = co_await all_members(std::string(row.at("name").as_string()));
        if (!members) {
            co_return members.error();
        }
        row["members"] = std::move(*members);
    }
    co_return result;
}

// The drafts of the rows, those that are there already with what they are now.
Task<RecipientService::Drafts> RecipientService::read_rows(
    ImportRequest& request, const Organization& organization) {
    std::vector<RowHead> heads;
    std::vector<std::string> keys;
    for (auto& row : request.rows) {
        heads.push_back(take_head(row.fields, request.kind));
        keys.push_back(ascii::to_lower(heads.back().name));
    }
    std::unordered_map<std::string, bool> known;
    const auto taken = co_await store_.taken(std::move(keys), std::string());
    if (taken) {
        for (const auto& name : *taken)
            known.emplace(ascii::to_lower(name.owner), true);
    }
    Drafts drafts(request.rows.size());
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        auto& draft = drafts[i];
        auto& head = heads[i];
        draft.row = request.rows[i].number;
        draft.next.recipient.kind = head.kind;
        draft.next.recipient.name = head.name;
        draft.next.problems = std::move(head.problems);
        if (!taken) refuse(draft, {}, "recipients could not be read: " + taken.error().message());
        if (!draft.next.ok()) {
            continue;
        }
        const auto& fields = request.rows[i].fields;
        if (!known.contains(ascii::to_lower(head.name))) {
            draft.next =
                make_recipient(head.kind, head.name, fields, organization, RecipientOrigin::import);
            read_verifier(head.verifier, draft);
            continue;
        }
        auto found = co_await store_.find(head.name);
        if (!found || !*found) {
            refuse(draft, "name", "is there, and could not be read");
            continue;
        }
        draft.current = std::move(**found);
        if (draft.current->kind != head.kind) {
            refuse(
                draft,
                "kind",
                "is a " + std::string(to_text(draft.current->kind)) +
                    " already, and stays one: remove it first");
            continue;
        }
        const auto name = draft.current->name;
        draft.next =
            edit_recipient(*draft.current, name, fields, organization, RecipientOrigin::import);
        read_verifier(head.verifier, draft);
    }
    co_return drafts;
}

Task<BatchOutcome> RecipientService::import(ImportRequest request, OrganizationPtr organization) {
    BatchOutcome outcome;
    if (request.rows.size() > kRecipientBatch) {
        outcome.problems.push_back(
            {{}, {}, "at most " + std::to_string(kRecipientBatch) + " rows at a time"});
        co_return outcome;
    }
    policies_of(organization);
    auto drafts = co_await read_rows(request, *organization);
    outcome.error = co_await complete(drafts, *organization);
    if (outcome.error) {
        co_return outcome;
    }
    outcome = co_await store_batch(std::move(drafts), std::move(request.author), request.what_if);
    co_return outcome;
}

Task<BatchOutcome> RecipientService::set_where(
    SetWhereRequest request, OrganizationPtr organization) {
    BatchOutcome outcome;
    Filters filters(request.query.where);
    outcome.problems = std::move(filters.problems);
    if (request.fields.contains("name")) {
        outcome.problems.push_back({{}, "name", "cannot be the same for many"});
    }
    if (!outcome.problems.empty()) {
        co_return outcome;
    }
    const auto kind = request.query.kind.value_or(RecipientKind::mailbox);
    auto page = co_await store_.page_of(kind, request.query.after, kRecipientBatch);
    if (!page) {
        outcome.error = page.error();
        co_return outcome;
    }
    std::string next;
    if (page->size() == kRecipientBatch) next = page->back().name;
    Drafts drafts;
    for (auto& recipient : *page) {
        if (!filters.match(recipient)) continue;
        auto& draft = drafts.emplace_back();
        draft.current = std::move(recipient);
        const auto name = draft.current->name;
        draft.next = edit_recipient(*draft.current, name, request.fields, *organization);
    }
    policies_of(organization);
    outcome.error = co_await complete(drafts, *organization);
    if (outcome.error) {
        co_return outcome;
    }
    outcome = co_await store_batch(std::move(drafts), std::move(request.author), request.what_if);
    outcome.next = std::move(next);
    co_return outcome;
}

Task<BatchOutcome> RecipientService::store_batch(Drafts drafts, ChangeAuthor author, bool what_if) {
    BatchOutcome outcome;
    if (!what_if) {
        co_await hash_passwords(drafts);
    }
    std::vector<MailRecipient> records;
    std::vector<std::size_t> written;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        outcome.rows.push_back(outcome_of(drafts[i]));
        const auto status = outcome.rows.back().status;
        const bool only_members =
            drafts[i].current && !drafts[i].next.members.empty() &&
            recipient_document(*drafts[i].current) == recipient_document(drafts[i].next.recipient);
        if ((status == Status::created || status == Status::updated) && !only_members) {
            records.push_back(drafts[i].next.recipient);
            written.push_back(i);
        }
    }
    if (what_if) {
        co_return outcome;
    }
    if (!records.empty()) {
        const auto results = co_await store_.write_batch(std::move(records), author);
        if (!results) {
            outcome.error = results.error();
            co_return outcome;
        }
        for (std::size_t i = 0; i < written.size(); ++i) {
            if (!(*results)[i]) fail(outcome.rows[written[i]], (*results)[i].error());
        }
    }
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        auto& row = outcome.rows[i];
        if (row.status == Status::refused || drafts[i].next.members.empty()) {
            continue;
        }
        const auto error = co_await edit_members(drafts[i], author);
        if (error) {
            fail(row, error);
        }
    }
    co_return outcome;
}

}  // namespace mailflow

// mailbox|contact|group import and export: files of recipients, row by row over the admin API, so
// that neither side ever holds more than a batch.
#include "server/ctl/commands.hpp"
#include "server/ctl/recipient_file.hpp"
#include "server/ctl/url.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <unordered_set>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

// Of one request; the daemon takes 1,000 rows and 16 MB.
constexpr std::size_t kRowsPerRequest = 1000;
constexpr std::size_t kOctetsPerRequest = 6UL * 1024 * 1024;
constexpr auto kProgressEvery = std::chrono::seconds(5);

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::uint64_t key_of(std::string_view name) {
    return std::hash<std::string>()(ascii::to_lower(name));
}

// The names in a file, a few octets each: which of them comes twice, and what a row may refer to
// though it is not there yet.
class FileNames {
  public:
    void add(const RecipientRow& row) {
        const auto name = text_of(row.fields, "name");
        if (!names_.insert(key_of(name)).second && !name.empty()) repeated_.insert(row.number);
        others_.insert(key_of(text_of(row.fields, "alias")));
        const auto* addresses = row.fields.if_contains("addresses");
        if (addresses == nullptr || !addresses->is_array()) return;
        for (const auto& address : addresses->get_array()) {
            if (!address.is_string()) continue;
            const std::string_view text = address.get_string();
            others_.insert(
                key_of(ascii::starts_with_ignoring_case(text, "smtp:") ? text.substr(5) : text));
        }
    }

    [[nodiscard]] bool is_repeated(std::uint64_t row) const { return repeated_.contains(row); }

    [[nodiscard]] bool has(std::string_view name) const {
        return names_.contains(key_of(name)) || others_.contains(key_of(name));
    }

  private:
    std::unordered_set<std::uint64_t> names_;
    std::unordered_set<std::uint64_t> others_;
    std::unordered_set<std::uint64_t> repeated_;  // rows
};

struct Tally {
    std::int64_t created = 0;
    std::int64_t updated = 0;
    std::int64_t unchanged = 0;
    std::int64_t refused = 0;
};

void print_problems(Context& context, const json::object& row) {
    const auto number = row.at("row").to_number<std::uint64_t>();
    for (const auto& problem : row.at("problems").as_array()) {
        const auto column = text_of(problem.as_object(), "column");
        context.errors << "row " << number << (column.empty() ? "" : ", " + column) << ": "
                       << text_of(problem.as_object(), "message") << "\n";
    }
}

// One way through the file, or through those of its rows that waited for others.
class ImportPass {
  public:
    ImportPass(Context& context, const FileNames& names, std::string kind, bool what_if)
        : context_(context)
        , names_(names)
        , kind_(std::move(kind))
        , what_if_(what_if) {}

    // `only`: these rows, when there are any.
    void run(RecipientFile& file, const std::unordered_set<std::uint64_t>& only, bool last) {
        last_ = last;
        RecipientRow row;
        while (file.next(row)) {
            if (!only.empty() && !only.contains(row.number)) continue;
            take(row);
        }
        flush();
    }

    // Rows that name recipients who were not there yet.
    [[nodiscard]] const std::unordered_set<std::uint64_t>& waiting() const { return waiting_; }

    void forget_waiting() { waiting_.clear(); }

    [[nodiscard]] const Tally& tally() const { return tally_; }

  private:
    void take(RecipientRow& row) {
        if (names_.is_repeated(row.number)) {
            row.problems.push_back("name: an earlier row of the file has it already");
        }
        if (!row.problems.empty()) {
            ++tally_.refused;
            for (const auto& problem : row.problems)
                context_.errors << "row " << row.number << ": " << problem << "\n";
            return;
        }
        if (octets_ + row.size > kOctetsPerRequest) flush();
        octets_ += row.size;
        rows_.push_back(json::object{{"row", row.number}, {"fields", std::move(row.fields)}});
        if (rows_.size() == kRowsPerRequest) flush();
    }

    void flush() {
        if (rows_.empty()) {
            return;
        }
        std::string target = "/v1/recipients/import?kind=" + kind_;
        add_parameter(target, "what_if", what_if_ ? "true" : "");
        const auto answer =
            context_.client.send("POST", target, json::object{{"rows", std::move(rows_)}});
        rows_ = json::array();
        octets_ = 0;
        const auto& counts = answer.as_object().at("counts").as_object();
        tally_.created += counts.at("created").to_number<std::int64_t>();
        tally_.updated += counts.at("updated").to_number<std::int64_t>();
        tally_.unchanged += counts.at("unchanged").to_number<std::int64_t>();
        for (const auto& row : answer.as_object().at("rows").as_array())
            report(row.as_object());
        say_progress();
    }

    // All that is wrong with it is that others are not there yet.
    [[nodiscard]] bool waits(const json::object& row) const {
        const auto& missing = row.at("missing").as_array();
        if (missing.empty() || missing.size() < row.at("problems").as_array().size()) {
            return false;
        }
        return !what_if_ || std::all_of(missing.begin(), missing.end(), [this](const auto& name) {
            return names_.has(name.as_string());
        });
    }

    void report(const json::object& row) {
        const auto number = row.at("row").to_number<std::uint64_t>();
        const auto status = text_of(row, "status");
        if (status == "refused" && waits(row) && (what_if_ || !last_)) {
            if (what_if_) {
                ++tally_.created;  // once the others are there
            } else {
                waiting_.insert(number);
            }
            return;
        }
        if (status != "refused") {
            context_.out << "row " << number << ": would be " << status << ": "
                         << text_of(row, "kind") << " \"" << text_of(row, "name") << "\" ("
                         << text_of(row, "primary") << ")\n";
            return;
        }
        ++tally_.refused;
        print_problems(context_, row);
    }

    void say_progress() {
        const auto now = std::chrono::steady_clock::now();
        if (now - said_ >= kProgressEvery) {
            said_ = now;
            context_.errors << fmt::format(
                "… {} rows taken, {} refused\n",
                tally_.created + tally_.updated + tally_.unchanged,
                tally_.refused);
        }
    }

    Context& context_;
    const FileNames& names_;
    std::string kind_;
    bool what_if_;
    bool last_ = false;
    json::array rows_;
    std::size_t octets_ = 0;
    Tally tally_;
    std::unordered_set<std::uint64_t> waiting_;
    std::chrono::steady_clock::time_point said_ = std::chrono::steady_clock::now();
};

int print_tally(Context& context, const Tally& tally, bool what_if) {
    if (context.format == Format::json) {
        context.out << pretty_json(json::object{
            {"created", tally.created},
            {"updated", tally.updated},
            {"unchanged", tally.unchanged},
            {"refused", tally.refused}});
    } else {
        context.out << fmt::format(
            "{}{} created, {} updated, {} unchanged, {} refused\n",
            what_if ? "would be: " : "",
            tally.created,
            tally.updated,
            tally.unchanged,
            tally.refused);
    }
    return tally.refused > 0 ? 1 : 0;
}

Tally preview(
    Context& context, const FileNames& names, const std::string& path, const std::string& kind) {
    ImportPass pass(context, names, kind, true);
    const auto file = open_recipients(path, kind);
    pass.run(*file, {}, true);
    return pass.tally();
}

// All rows wait at the daemon, which then takes them in one transaction, or none.
class WholeImport {
  public:
    WholeImport(Context& context, std::string kind)
        : context_(context)
        , target_("/v1/recipients/import?kind=" + std::move(kind)) {
        add_parameter(target_, "whole", new_id());
    }

    // `names` has found no row that comes twice.
    Tally run(RecipientFile& file) {
        RecipientRow row;
        while (file.next(row)) {
            if (octets_ + row.size > kOctetsPerRequest) send();
            octets_ += row.size;
            rows_.push_back(json::object{{"row", row.number}, {"fields", std::move(row.fields)}});
            if (rows_.size() == kRowsPerRequest) send();
        }
        send();
        const auto answer = context_.client.send(
            "POST", target_ + "&finish=true", json::object{{"rows", json::array()}});
        return told(answer.as_object());
    }

  private:
    static std::string new_id() {
        std::random_device random;
        return fmt::format("{:08x}{:08x}", random(), random());
    }

    void send() {
        static_cast<void>(context_.client.send(
            "POST",
            target_ + (is_first_ ? "&first=true" : ""),
            json::object{{"rows", std::move(rows_)}}));
        is_first_ = false;
        rows_ = json::array();
        octets_ = 0;
    }

    [[nodiscard]] Tally told(const json::object& answer) const {
        const auto& counts = answer.at("counts").as_object();
        for (const auto& row : answer.at("rows").as_array())
            print_problems(context_, row.as_object());
        return {
            counts.at("created").to_number<std::int64_t>(),
            counts.at("updated").to_number<std::int64_t>(),
            counts.at("unchanged").to_number<std::int64_t>(),
            counts.at("refused").to_number<std::int64_t>()};
    }

    Context& context_;
    std::string target_;
    bool is_first_ = true;
    json::array rows_;
    std::size_t octets_ = 0;
};

// Rows that name others further down are taken again when those are there.
Tally import_file(
    Context& context, const FileNames& names, const std::string& path, const std::string& kind) {
    ImportPass pass(context, names, kind, false);
    std::unordered_set<std::uint64_t> rows;
    bool last = false;
    for (;;) {
        const auto file = open_recipients(path, kind);
        pass.run(*file, rows, last);
        if (pass.waiting().empty()) break;
        last = pass.waiting().size() == rows.size();  // nothing came of it
        rows = pass.waiting();
        pass.forget_waiting();
    }
    return pass.tally();
}

// First the preview, which names every bad row; what it cannot foresee the daemon finds.
int import_whole(
    Context& context, const FileNames& names, const std::string& path, const std::string& kind) {
    std::ostream nowhere(nullptr);
    Context quiet{
        context.client,
        context.format,
        true,
        context.yes,
        nowhere,
        context.errors,
        context.confirm,
        context.read_secret};
    auto tally = preview(quiet, names, path, kind);
    if (tally.refused == 0) {
        const auto file = open_recipients(path, kind);
        tally = WholeImport(context, kind).run(*file);
    }
    if (tally.refused > 0) {
        context.errors << fmt::format(
            "{} rows cannot be taken, so none was (--all-or-nothing)\n", tally.refused);
        return 1;
    }
    return print_tally(context, tally, false);
}

}  // namespace

int run_import(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"all-or-nothing"});
    allow_words(arguments, 3);
    const std::string kind(arguments.word(0));
    const std::string path(arguments.word(2));
    if (path.empty()) {
        throw UsageError("which file? Write: smtpctl " + kind + " import FILE.csv or FILE.json");
    }
    FileNames names;
    RecipientRow row;
    const auto file = open_recipients(path, kind);
    while (file->next(row)) {
        names.add(row);
    }
    if (context.what_if) {
        return print_tally(context, preview(context, names, path, kind), true);
    }
    if (arguments.has("all-or-nothing")) {
        return import_whole(context, names, path, kind);
    }
    return print_tally(context, import_file(context, names, path, kind), false);
}

int run_export(Context& context, const Arguments& arguments) {
    allow_flags(arguments, {"where", "out", "with-secrets", "all-kinds"});
    allow_words(arguments, 2);
    const std::string kind(arguments.word(0));
    const bool secrets = arguments.has("with-secrets");
    std::vector<std::string_view> kinds = {arguments.word(0)};
    if (arguments.has("all-kinds")) kinds = {"mailbox", "contact", "group"};
    const auto path = arguments.value("out");
    std::ofstream file;
    if (path) {
        file.open(*path, std::ios::binary | std::ios::trunc);
        if (!file) throw Failure(*path + " cannot be written");
    }
    std::ostream& out = path ? file : context.out;
    const bool as_json =
        context.format == Format::json || (path && ascii::to_lower(*path).ends_with(".json"));
    const auto columns = export_columns(kinds, secrets);
    std::string separator = as_json ? "[\n" : "";
    for (std::size_t i = 0; i < columns.size() && !as_json; ++i)
        out << (i == 0 ? "" : ",") << columns[i] << (i + 1 == columns.size() ? "\r\n" : "");
    for (const auto one : kinds) {
        std::string after;
        do {
            std::string target = "/v1/recipients?export=true&kind=" + std::string(one);
            add_parameter(target, "secrets", secrets ? "true" : "");
            add_parameter(target, "where", condition_of(arguments));
            add_parameter(target, "after", after);
            const auto answer = context.client.get(target);
            for (const auto& row : answer.as_object().at("rows").as_array()) {
                if (as_json) {
                    out << separator << json::serialize(row);
                    separator = ",\n";
                } else {
                    out << export_line(row.as_object(), columns);
                }
            }
            after = text_of(answer.as_object(), "next");
        } while (!after.empty());
    }
    if (as_json) out << (separator == "[\n" ? "[]\n" : "\n]\n");
    out.flush();
    if (!out) throw Failure("the export could not be written whole");
    return 0;
}

}  // namespace mailflow::ctl

// Documents: one object as JSON fields. A normalised document holds every field of its type in
// canonical form, in the schema's order; it is what the store keeps, the API shows and `config
// export` writes. The object's name is not in it. Pure; daemon and smtpctl.
#pragma once

#include "config/schema/object_type.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace mailflow::schema {

// Something wrong with a document, said so that it can be put right.
struct Problem {
    std::string object;   // `receive-connector "Default Frontend mail.contoso.com"`; may be empty
    std::string field;    // name in TOML and JSON; empty when it concerns the whole object
    std::string message;  // what is wrong and what is allowed

    // `receive-connector "Printers", bindings: …`
    [[nodiscard]] std::string text() const;
};

struct CheckedDocument {
    boost::json::object document;
    std::vector<Problem> problems;

    [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};

// A new object: unknown fields, wrong values and missing required fields are problems, the others
// get their defaults.
[[nodiscard]] CheckedDocument normalize(const ObjectType& type, const boost::json::object& input);

// An existing, normalised object with some fields changed. For a list `f` beside `f` (replaces):
// `add_f`, `remove_f`. An empty text or list takes a value back to none; null takes a field back to
// its default.
[[nodiscard]] CheckedDocument apply_edit(
    const ObjectType& type, const boost::json::object& current, const boost::json::object& edit);

// The field that key `name` of an edit means: itself, or what follows `add_` or `remove_` of a
// list. Null: unknown.
[[nodiscard]] const Field* field_of_edit_key(const ObjectType& type, std::string_view key);

// Empty when `name` may name an object: 1–64 characters of UTF-8, no control characters, no blanks
// at the ends.
[[nodiscard]] std::string check_name(std::string_view name);

// `receive-connector "Printers"`; the type alone for a single type.
[[nodiscard]] std::string object_title(const ObjectType& type, std::string_view name);

}  // namespace mailflow::schema

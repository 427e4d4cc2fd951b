// Help text made from the description of object types. Pure; smtpctl prints it, the reference page
// is made of it.
#pragma once

#include "config/schema/object_type.hpp"

#include <string>
#include <string_view>

namespace mailflow::schema {

// `SIZE`, `SECONDS`…: the placeholder of a flag's value; `mx|smart-hosts` for choices.
[[nodiscard]] std::string placeholder(const Field& field);

// What it is, what is allowed and its default, in one line.
[[nodiscard]] std::string field_help(const Field& field);

// The flags of `create` or `set` (which takes add and remove flags too, and no create-only ones), a
// line each.
[[nodiscard]] std::string flags_help(const ObjectType& type, std::string_view verb);

// Markdown: the type's fields as a table, one for each heading.
[[nodiscard]] std::string reference_table(const ObjectType& type);

}  // namespace mailflow::schema

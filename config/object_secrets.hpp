// The secret fields of objects: sealed before a document is stored, and never shown. Inside config
// only; console lane.
#pragma once

#include "config/schema/document.hpp"
#include "transport/ports/secrets.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mailflow {

// What `show` says instead of a secret.
inline constexpr std::string_view kSecretShown = "set";

struct SecretEdit {
    const schema::ObjectType& type;
    const std::string& name_before;     // equal to `name` but for a renaming
    const std::string& name;            // as it will be stored
    const boost::json::object* before;  // as stored; null: a new object
    boost::json::object& document;      // as it will be stored
};

// Seals what stands in clear; what was sealed for this object stays, or is sealed anew under the
// object's new name. `secrets` null: this server cannot keep any.
[[nodiscard]] std::vector<schema::Problem> seal_secrets(Secrets* secrets, SecretEdit edit);

// The document for eyes and answers: secrets say only that they are there.
[[nodiscard]] boost::json::object without_secrets(
    const schema::ObjectType& type, const boost::json::object& document);

// Secrets a document does not hold: no text is none, and no secret that is stored is empty.
void drop_empty_secrets(const schema::ObjectType& type, boost::json::object& document);

}  // namespace mailflow

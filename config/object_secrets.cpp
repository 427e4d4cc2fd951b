#include "config/object_secrets.hpp"

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

std::string_view text_of(const json::object* document, std::string_view field) {
    const auto* value = document == nullptr ? nullptr : document->if_contains(field);
    return value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                  : std::string_view();
}

// The sealed text to store, or what is wrong.
struct Sealed {
    std::string text;
    std::string problem;
};

Sealed seal_one(
    Secrets* secrets, const SecretEdit& edit, std::string_view field, std::string_view given) {
    if (secrets == nullptr) {
        return {{}, "cannot be kept: this server has no key file, see [storage] key_file"};
    }
    const auto context = secret_context(edit.name, field);
    if (!is_sealed(given)) {
        if (given == kSecretShown) {
            return {{}, "\"set\" is what show prints instead of it: give the secret itself"};
        }
        return {secrets->seal(given, context), {}};
    }
    if (secrets->open(given, context)) {
        return {std::string(given), {}};
    }
    const auto opened = secrets->open(given, secret_context(edit.name_before, field));
    if (!opened) {
        return {
            {},
            "is sealed for another object or with another server's key file: give the secret "
            "itself, or none"};
    }
    return {secrets->seal(*opened, context), {}};
}

}  // namespace

std::vector<Problem> seal_secrets(Secrets* secrets, SecretEdit edit) {
    std::vector<Problem> problems;
    for (const auto& field : edit.type.fields) {
        if (field.kind != schema::ValueKind::secret) {
            continue;
        }
        const auto given = text_of(&edit.document, field.name);
        const bool is_kept =
            edit.name == edit.name_before && given == text_of(edit.before, field.name);
        if (given.empty() || is_kept) {
            continue;
        }
        auto sealed = seal_one(secrets, edit, field.name, given);
        if (sealed.problem.empty()) {
            edit.document[field.name] = sealed.text;
        } else {
            problems.push_back(
                {schema::object_title(edit.type, edit.name),
                 std::string(field.name),
                 std::move(sealed.problem)});
        }
    }
    return problems;
}

json::object without_secrets(const schema::ObjectType& type, const json::object& document) {
    auto shown = document;
    for (const auto& field : type.fields) {
        const bool secret = field.kind == schema::ValueKind::secret;
        if (secret && !text_of(&shown, field.name).empty()) {
            shown[field.name] = kSecretShown;
        }
    }
    return shown;
}

void drop_empty_secrets(const schema::ObjectType& type, json::object& document) {
    for (const auto& field : type.fields) {
        const bool secret = field.kind == schema::ValueKind::secret;
        if (secret && document.contains(field.name) && text_of(&document, field.name).empty()) {
            document.erase(field.name);
        }
    }
}

}  // namespace mailflow

// A configuration as an administrator wrote it, or as `config export` did: TOML text taken apart
// into objects, before anything is known of what is stored. Inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"

#include <boost/json/object.hpp>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct WrittenObject {
    const schema::ObjectType* type = nullptr;
    std::string name;
    boost::json::object fields;  // as written, unchecked
};

struct WrittenConfiguration {
    std::vector<WrittenObject> objects;  // in the order of the text
    // Types the text speaks of, also by an empty list: those are meant to be as written and no
    // more; of others nothing is said.
    std::set<std::string_view> types;
    std::vector<schema::Problem> problems;  // syntax, unknown tables, objects without a name
};

[[nodiscard]] WrittenConfiguration read_configuration(std::string_view toml);

}  // namespace mailflow

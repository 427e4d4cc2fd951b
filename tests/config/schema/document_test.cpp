#include "config/schema/document.hpp"

#include "config/schema/help.hpp"
#include "config/schema/suggestion.hpp"
#include "config/schema/values.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace mailflow::schema {

namespace json = boost::json;

namespace {

const ObjectType& receive_connector() {
    return *find_type("receive-connector");
}

json::object some_connector() {
    return normalize(receive_connector(), {{"bindings", {"127.0.0.1:25"}}}).document;
}

std::string texts(const std::vector<Problem>& problems) {
    std::string all;
    for (const auto& problem : problems)
        all += problem.text() + "\n";
    return all;
}

}  // namespace

TEST_CASE("every type and field is described in full", "[config][schema]") {
    for (const auto& type : object_types()) {
        INFO(type.name);
        CHECK_FALSE(type.doc.empty());
        CHECK_FALSE(type.example.empty());
        std::set<std::string> names;
        for (const auto& field : type.fields) {
            INFO(field.name);
            CHECK_FALSE(field.doc.empty());
            CHECK(field.minimum <= field.maximum);
            CHECK(names.insert(std::string(field.name)).second);
            CHECK(names.insert(field.flag + " (flag)").second);
            CHECK(field.flag.find('_') == std::string::npos);
            CHECK((field.kind == ValueKind::choice) == !field.choices.empty());
            CHECK(find_field(type, field.name) == &field);
            CHECK(find_flag(type, field.flag) == (field.read_only ? nullptr : &field));
        }
    }
}

TEST_CASE("every default is a legal value in canonical form", "[config][schema]") {
    for (const auto& type : object_types()) {
        for (const auto& field : type.fields) {
            for (const auto standard : field.defaults) {
                INFO(type.name << " " << field.name);
                const auto checked = check_value(field, json::value(standard));
                CHECK(checked.problem.empty());
                CHECK(value_text(checked.value) == standard);
            }
        }
    }
}

TEST_CASE(
    "a normalised document holds every field in the order of the schema", "[config][schema]") {
    const auto document = some_connector();

    std::vector<std::string> keys;
    for (const auto& member : document)
        keys.emplace_back(member.key());
    std::vector<std::string> names;
    for (const auto& field : receive_connector().fields)
        names.emplace_back(field.name);
    CHECK(keys == names);
    CHECK(document.at("max_message_size").as_string() == "36 MB");
    CHECK(document.at("max_protocol_errors").as_int64() == 5);
    CHECK(document.at("message_rate_limit").as_string() == "unlimited");
    CHECK(document.at("permission_groups").as_array().empty());
    CHECK(document.at("fqdn").as_string().empty());
    CHECK(document.at("enabled").as_bool());
}

TEST_CASE("normalising a normalised document changes nothing", "[config][schema]") {
    const auto document = some_connector();

    const auto again = normalize(receive_connector(), document);

    CHECK(again.ok());
    CHECK(again.document == document);
}

TEST_CASE("a new document is refused with the field and what is allowed", "[config][schema]") {
    struct Row {
        json::object input;
        std::string says;
    };

    const std::vector<Row> table = {
        {{}, "bindings: is required: write an address and a port"},
        {{{"bindings", json::array{}}}, "bindings: is required"},
        {{{"bindings", {"x"}}}, "bindings: \"x\" is not allowed: write an address and a port"},
        {{{"bindings", {"1.2.3.4:25"}}, {"binding", {"1.2.3.4:25"}}},
         "binding: there is no such field; did you mean \"bindings\"?"},
        {{{"bindings", {"1.2.3.4:25"}}, {"size", "1 MB"}},
         "size: there is no such field; did you mean \"max_message_size\"?"},
        {{{"bindings", {"1.2.3.4:25"}}, {"add_bindings", {"1.2.3.4:26"}}},
         "add_bindings: there is no such field"},
        {{{"bindings", {"1.2.3.4:25"}}, {"tarpit_interval", "1h"}},
         "tarpit_interval: \"1h\" is not allowed: write a time such as 90s, 10m, 2d or hh:mm:ss "
         "from 0s to 10m"},
        {{{"bindings", {"1.2.3.4:25"}}, {"permission_groups", {"anonymus"}}},
         "did you mean \"anonymous\"?"},
    };
    for (const auto& row : table) {
        INFO(json::serialize(row.input));
        const auto checked = normalize(receive_connector(), row.input);
        CHECK_FALSE(checked.ok());
        CHECK_THAT(texts(checked.problems), Catch::Contains(row.says));
    }
}

TEST_CASE("lists take one value, many, and each only once", "[config][schema]") {
    const auto one = normalize(receive_connector(), {{"bindings", "127.0.0.1:25"}});
    const auto many = normalize(
        receive_connector(),
        {{"bindings", {"127.0.0.1:25", "127.0.0.1:26", "127.0.0.1:25"}},
         {"permission_groups", {"Anonymous", "anonymous"}}});

    CHECK(value_text(one.document.at("bindings")) == "127.0.0.1:25");
    CHECK(value_text(many.document.at("bindings")) == "127.0.0.1:25, 127.0.0.1:26");
    CHECK(value_text(many.document.at("permission_groups")) == "anonymous");
}

TEST_CASE("an edit replaces, adds to and removes from a list", "[config][schema]") {
    const auto current = some_connector();

    struct Row {
        json::object edit;
        std::string bindings;
    };

    const std::vector<Row> table = {
        {{{"bindings", {"127.0.0.1:26"}}}, "127.0.0.1:26"},
        {{{"add_bindings", {"127.0.0.1:26"}}}, "127.0.0.1:25, 127.0.0.1:26"},
        {{{"add_bindings", "127.0.0.1:25"}}, "127.0.0.1:25"},
        {{{"add_bindings", {"127.0.0.1:26"}}, {"remove_bindings", {"127.0.0.1:25"}}},
         "127.0.0.1:26"},
        {{{"enabled", "false"}}, "127.0.0.1:25"},
    };
    for (const auto& row : table) {
        INFO(json::serialize(row.edit));
        const auto edited = apply_edit(receive_connector(), current, row.edit);
        CHECK(texts(edited.problems) == "");
        CHECK(value_text(edited.document.at("bindings")) == row.bindings);
    }
}

TEST_CASE("an edit is refused with the field and what is allowed", "[config][schema]") {
    const auto current = some_connector();

    struct Row {
        json::object edit;
        std::string says;
    };

    const std::vector<Row> table = {
        {{{"remove_bindings", {"127.0.0.1:26"}}},
         "bindings: cannot remove 127.0.0.1:26: the list holds 127.0.0.1:25"},
        {{{"remove_bindings", {"127.0.0.1:25"}}}, "bindings: is required"},
        {{{"bindings", ""}}, "bindings: is required"},
        {{{"add_fqdn", "x"}}, "add_fqdn: there is no such field"},
        {{{"add_binding", "x"}}, "did you mean \"add_bindings\"?"},
        {{{"max_message_size", "1 KB"}}, "max_message_size: \"1 KB\" is not allowed"},
    };
    for (const auto& row : table) {
        INFO(json::serialize(row.edit));
        const auto edited = apply_edit(receive_connector(), current, row.edit);
        CHECK_THAT(texts(edited.problems), Catch::Contains(row.says));
    }
}

TEST_CASE("null takes a field back to its default and an empty text to none", "[config][schema]") {
    auto current = some_connector();
    current["max_message_size"] = "1 MB";
    current["fqdn"] = "mx.contoso.com";

    const auto edited =
        apply_edit(receive_connector(), current, {{"max_message_size", nullptr}, {"fqdn", ""}});

    CHECK(edited.ok());
    CHECK(edited.document.at("max_message_size").as_string() == "36 MB");
    CHECK(edited.document.at("fqdn").as_string().empty());
}

TEST_CASE("what is settable at creation only stays as it is", "[config][schema]") {
    const auto& type = *find_type("send-connector");
    const auto current = normalize(type, {{"address_spaces", {"smtp:*;1"}}}).document;

    const auto same = apply_edit(type, current, {{"usage", "custom"}});
    const auto changed = apply_edit(type, current, {{"usage", "internet"}});

    CHECK(same.ok());
    CHECK(
        texts(changed.problems) ==
        "usage: can only be given when the object is created: remove it and create it anew\n");
}

TEST_CASE("names are short, of one line and have no blanks at their ends", "[config][schema]") {
    CHECK(check_name("Default Frontend mail.contoso.com").empty());
    CHECK(check_name(std::string(64, 'x')).empty());
    CHECK(check_name("Büro").empty());
    CHECK(check_name("") == "a name is required");
    CHECK_FALSE(check_name(std::string(65, 'x')).empty());
    CHECK_FALSE(check_name(" x").empty());
    CHECK_FALSE(check_name("a\tb").empty());
}

TEST_CASE("the nearest name is proposed, and none when all are far", "[config][schema]") {
    const std::vector<std::string_view> names = {"state_dir", "node", "listen", "admin", "dns"};

    CHECK(nearest_name("state-dir", names) == "state_dir");
    CHECK(nearest_name("Lisen", names) == "listen");
    CHECK(nearest_name("nod", names) == "node");
    CHECK(nearest_name("database", names).empty());
    CHECK(nearest_name("", names).empty());
    CHECK(nearest_name(std::string(1000, 'n'), names).empty());
}

TEST_CASE("help and the reference page name every flag", "[config][schema]") {
    for (const auto& type : object_types()) {
        const auto create = flags_help(type, "create");
        const auto set = flags_help(type, "set");
        const auto reference = reference_table(type);
        for (const auto& field : type.fields) {
            INFO(type.name << " " << field.name);
            const bool fixed = field.create_only || field.read_only;
            CHECK((create.find("--" + field.flag + " ") == std::string::npos) == field.read_only);
            CHECK((set.find("  --" + field.flag + " ") == std::string::npos) == fixed);
            CHECK((set.find("--add-" + field.flag + " ") != std::string::npos) == field.list);
            CHECK_THAT(reference, Catch::Contains("`" + std::string(field.name) + "`"));
        }
    }
}

}  // namespace mailflow::schema

#include "server/admin/json_answers.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace mailflow {

namespace json = boost::json;

HttpResponse json_answer(const json::value& value, unsigned status) {
    return HttpResponse{status, "application/json", json::serialize(value)};
}

HttpResponse json_error(unsigned status, std::string_view text) {
    return json_answer(json::object{{"error", text}}, status);
}

bool parse_object(const std::string& body, json::object& into) {
    if (body.empty()) {
        return true;
    }
    boost::system::error_code error;
    json::value value = json::parse(body, error);
    if (error || !value.is_object()) {
        return false;
    }
    into = std::move(value.get_object());
    return true;
}

}  // namespace mailflow

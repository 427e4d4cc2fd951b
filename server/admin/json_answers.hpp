// Answers of the admin API in JSON. Pure.
#pragma once

#include "server/http/http_message.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace mailflow {

[[nodiscard]] HttpResponse json_answer(const boost::json::value& value, unsigned status = 200);
// `{"error": text}`.
[[nodiscard]] HttpResponse json_error(unsigned status, std::string_view text);
// The body as an object; none when it is not one. An empty body is an empty object.
[[nodiscard]] bool parse_object(const std::string& body, boost::json::object& into);

}  // namespace mailflow

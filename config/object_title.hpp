// How problems and warnings name an object: `send-connector "Internet"`.
#pragma once

#include <string>
#include <string_view>

namespace mailflow {

[[nodiscard]] inline std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

[[nodiscard]] inline std::string object_title(std::string_view type, std::string_view name) {
    return std::string(type) + " " + quoted(name);
}

}  // namespace mailflow

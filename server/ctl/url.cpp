#include "server/ctl/url.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"

namespace mailflow::ctl {

std::string encoded(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (ascii::is_alpha(c) || ascii::is_digit(c) || c == '-' || c == '.' || c == '_' ||
            c == '~') {
            result += c;
        } else {
            result += '%';
            result += hex_encode(std::string_view(&c, 1));
        }
    }
    return result;
}

void add_parameter(std::string& target, std::string_view name, std::string_view value) {
    if (value.empty()) {
        return;
    }
    target += target.find('?') == std::string::npos ? '?' : '&';
    target += name;
    target += '=';
    target += encoded(value);
}

}  // namespace mailflow::ctl

#include "transport/smtp/line_rules.hpp"

#include "transport/smtp/limits.hpp"

#include <algorithm>

namespace mailflow::smtp {

void LineRules::feed(std::string_view bytes, std::string& out) {
    if (rule_ == BareNewlines::normalize) {
        normalize(bytes, out);
        return;
    }
    check(bytes);
    out += bytes;
}

void LineRules::finish(std::string& out) {
    if (after_cr_ && rule_ == BareNewlines::reject) bare_newline_ = true;
    if (after_cr_ || line_ > 0) out += after_cr_ && rule_ == BareNewlines::reject ? "\n" : "\r\n";
    after_cr_ = false;
    line_ = 0;
}

// RFC 5321 §2.3.8: CR and LF occur only together.
void LineRules::check(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (after_cr_) {
            after_cr_ = false;
            if (bytes[at] == '\n') {
                line_ = 0;
                ++at;
                continue;
            }
            bare_newline_ = true;
            add_to_line(1);
        }
        const std::size_t stop = std::min(bytes.find('\r', at), bytes.size());
        const auto run = bytes.substr(at, stop - at);
        if (!bare_newline_ && run.find('\n') != std::string_view::npos) bare_newline_ = true;
        add_to_line(run.size());
        after_cr_ = stop < bytes.size();
        at = stop + 1;
    }
}

void LineRules::normalize(std::string_view bytes, std::string& out) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (after_cr_) {
            after_cr_ = false;
            out += "\r\n";
            line_ = 0;
            if (bytes[at] == '\n') {
                ++at;
                continue;
            }
        }
        const std::size_t stop = std::min(bytes.find_first_of("\r\n", at), bytes.size());
        out += bytes.substr(at, stop - at);
        add_to_line(stop - at);
        if (stop < bytes.size() && bytes[stop] == '\n') {
            out += "\r\n";
            line_ = 0;
        } else {
            after_cr_ = stop < bytes.size();
        }
        at = stop + 1;
    }
}

void LineRules::add_to_line(std::size_t octets) {
    line_ += octets;
    if (line_ > kMaxTextLine) long_line_ = true;
}

}  // namespace mailflow::smtp

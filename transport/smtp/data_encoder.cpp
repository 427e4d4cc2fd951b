#include "transport/smtp/data_encoder.hpp"

#include <algorithm>

namespace mailflow::smtp {

void DataEncoder::encode(std::string_view bytes, std::string& out) {
    if (bytes.empty()) return;
    if (pending_cr_) {
        pending_cr_ = false;
        if (bytes.front() == '\n') {
            out += "\r\n";
            line_start_ = true;
            bytes.remove_prefix(1);
        } else {
            out += ' ';
            line_start_ = false;
        }
    }
    std::size_t run = 0;
    std::size_t at = 0;
    std::size_t lf = 0;
    const auto flush = [&] {
        out.append(bytes.substr(run, at - run));
    };
    while (at < bytes.size()) {
        if (line_start_ && bytes[at] == '.') {
            // RFC 5321 §4.5.2: a line that begins with a dot gets another one in front.
            flush();
            out += '.';
            run = at;
        }
        const std::size_t start = at;
        if (lf <= at) lf = std::min(bytes.find('\n', at), bytes.size());
        at += std::min(bytes.substr(at, lf - at).find('\r'), lf - at);
        line_start_ = line_start_ && at == start;
        if (at == bytes.size()) break;
        if (bytes[at] == '\r' && at + 1 < bytes.size() && bytes[at + 1] == '\n') {
            at += 2;
            line_start_ = true;
            continue;
        }
        flush();
        // RFC 5321 §2.3.8: CR and LF only go out together.
        if (bytes[at] == '\n') {
            out += "\r\n";
            line_start_ = true;
        } else if (at + 1 == bytes.size()) {
            pending_cr_ = true;
        } else {
            out += ' ';
            line_start_ = false;
        }
        run = ++at;
    }
    flush();
}

void DataEncoder::finish(std::string& out) {
    if (pending_cr_) {
        out += ' ';
        line_start_ = false;
    }
    if (!line_start_) out += "\r\n";
    out += ".\r\n";
    pending_cr_ = false;
    line_start_ = true;
}

}  // namespace mailflow::smtp

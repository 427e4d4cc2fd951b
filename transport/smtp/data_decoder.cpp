#include "transport/smtp/data_decoder.hpp"

#include "transport/smtp/limits.hpp"

#include <algorithm>

namespace mailflow::smtp {

std::size_t DataDecoder::feed(std::string_view bytes, std::string& out) {
    const std::size_t before = out.size();
    const std::size_t taken =
        rule_ == BareNewlines::normalize ? feed_normalizing(bytes, out) : feed_strict(bytes, out);
    size_ += out.size() - before;
    return taken;
}

// Lines are found with `find` (memchr) and copied in runs that end only where an octet is left out:
// cost per line, not per octet.
std::size_t DataDecoder::feed_strict(std::string_view bytes, std::string& out) {
    std::size_t run = 0;  // start of what is to be copied
    std::size_t at = 0;
    const auto flush = [&](std::size_t end) {
        out.append(bytes.substr(run, end - run));
    };
    while (at < bytes.size() && state_ != State::complete) {
        switch (state_) {
            case State::line_start:
                if (bytes[at] == '.') {
                    // RFC 5321 §4.5.2: the first dot of a line is the stuffed one, or the end's.
                    flush(at);
                    run = ++at;
                    state_ = State::dot;
                } else {
                    state_ = State::text;
                }
                break;
            case State::dot:
                if (bytes[at] == '\r') {
                    // Held back until it is known whether this is the end.
                    flush(at);
                    run = ++at;
                    state_ = State::dot_cr;
                } else {
                    state_ = State::text;
                }
                break;
            case State::dot_cr:
                if (bytes[at] == '\n') {
                    // RFC 5321 §4.1.1.4: <CRLF>.<CRLF> and nothing else is the end.
                    run = ++at;
                    state_ = State::complete;
                } else {
                    // `.CR` and no LF: a line that began with a stuffed dot, and a CR alone in it.
                    out += '\r';
                    ++line_;
                    bare_newline_ = true;
                    state_ = State::text;
                }
                break;
            case State::text:
            case State::text_cr: at += take_text(bytes.substr(at)); break;
            case State::complete: break;
        }
    }
    flush(at);
    return at;
}

// Takes octets of a line up to its CRLF, or all.
std::size_t DataDecoder::take_text(std::string_view bytes) {
    std::size_t at = 0;
    if (state_ == State::text_cr) {
        if (bytes.front() == '\n') {
            end_line(1);
            return 1;
        }
        bare_newline_ = true;
        state_ = State::text;
    }
    while (true) {
        const std::size_t cr = bytes.find('\r', at);
        const std::size_t stop = std::min(cr, bytes.size());
        if (!bare_newline_ && bytes.substr(at, stop - at).find('\n') != std::string_view::npos)
            bare_newline_ = true;
        if (stop + 1 >= bytes.size()) {
            if (stop < bytes.size()) state_ = State::text_cr;
            line_ += bytes.size();
            if (line_ - (bytes.size() - stop) > kMaxTextLine) long_line_ = true;
            return bytes.size();
        }
        if (bytes[stop + 1] == '\n') {
            end_line(stop + 2);
            return stop + 2;
        }
        bare_newline_ = true;
        at = stop + 1;
    }
}

void DataDecoder::end_line(std::size_t octets) {
    constexpr std::size_t kCrlf = 2;
    if (line_ + octets > kMaxTextLine + kCrlf) long_line_ = true;
    line_ = 0;
    state_ = State::line_start;
}

std::size_t DataDecoder::feed_normalizing(std::string_view bytes, std::string& out) {
    std::size_t at = 0;
    while (at < bytes.size() && state_ != State::complete) {
        if (state_ == State::text) {
            const std::size_t stop = std::min(bytes.find_first_of("\r\n", at), bytes.size());
            out += bytes.substr(at, stop - at);
            line_ += stop - at;
            if (line_ > kMaxTextLine) long_line_ = true;
            at = stop;
        }
        if (at < bytes.size()) normalize(bytes[at++], out);
    }
    return at;
}

// A line begins behind a bare CR or LF too, so its first dot is a stuffed one; but the end of the
// message is CRLF.CRLF alone, as without normalizing.
void DataDecoder::normalize(char c, std::string& out) {
    const auto begin_line = [this](bool after_crlf) {
        line_ = 0;
        after_crlf_ = after_crlf;
        state_ = State::line_start;
    };
    // What was held back, `.` or `.CR`, is a line of its own.
    if (state_ == State::dot_cr) {
        if (c == '\n' && after_crlf_) {
            state_ = State::complete;
            return;
        }
        out += ".\r\n";
        begin_line(c == '\n');
        if (c == '\n') return;
    } else if (state_ == State::text_cr) {
        out += "\r\n";
        begin_line(c == '\n');
        if (c == '\n') return;
    } else if (state_ == State::dot && c == '\r') {
        state_ = State::dot_cr;
        return;
    } else if (state_ == State::dot && c == '\n') {
        out += '.';
    }

    if (c == '\n') {
        out += "\r\n";
        begin_line(false);
    } else if (c == '\r') {
        state_ = State::text_cr;
    } else if (c == '.' && state_ == State::line_start) {
        state_ = State::dot;
    } else {
        out += c;
        ++line_;
        state_ = State::text;
    }
}

}  // namespace mailflow::smtp

#include "transport/smtp/reply_parser.hpp"

#include "transport/base/ascii.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <utility>

namespace mailflow::smtp {

namespace {

constexpr std::size_t kMaxOneLine = 1024;
constexpr std::size_t kQuotedInFailure = 80;

std::string printable(std::string_view text) {
    std::string out(text);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return ascii::is_control(c); }, '?');
    return out;
}

// The enhanced code at the start of a reply text, as long as its class is the code's (RFC 2034 §3).
EnhancedStatus leading_status(std::string_view text, int code) {
    const auto status = EnhancedStatus::parse(text.substr(0, text.find(' ')));
    return status && status->klass == code / 100 ? *status : EnhancedStatus{};
}

}  // namespace

std::string PeerReply::one_line() const {
    std::string out = std::to_string(code);
    bool first = true;
    for (std::string_view line : lines) {
        if (!first && status.is_given() && leading_status(line, code).is_given()) {
            line.remove_prefix(std::min(line.size(), line.find(' ')));
            line = ascii::trimmed(line);
        }
        if (!line.empty()) {
            out += ' ';
            out += line;
        }
        first = false;
        if (out.size() > kMaxOneLine) break;
    }
    if (out.size() > kMaxOneLine) out.resize(kMaxOneLine);
    return out;
}

std::size_t ReplyParser::feed(std::string_view bytes) {
    std::size_t taken = 0;
    while (state_ == State::incomplete && taken < bytes.size()) {
        const std::string_view rest = bytes.substr(taken);
        const std::size_t lf = rest.find('\n');
        const std::string_view piece = rest.substr(0, lf);
        const std::size_t room = kMaxPeerReplyLine - std::min(kMaxPeerReplyLine, line_.size());
        line_.append(piece.substr(0, room));
        const std::size_t count = piece.size() + (lf == std::string_view::npos ? 0 : 1);
        taken += count;
        octets_ += count;
        if (octets_ > kMaxPeerReplyOctets) {
            fail("reply too long");
        } else if (lf != std::string_view::npos) {
            // A bare LF ends a line too: a reply misread costs more than a lenient end.
            end_line();
        }
    }
    return taken;
}

// RFC 5321 §4.2.1: Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring
// ] CRLF
void ReplyParser::end_line() {
    std::string_view line = line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool has_code = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' &&
                          ascii::is_digit(line[1]) && ascii::is_digit(line[2]);
    const char separator = line.size() > 3 ? line[3] : ' ';
    if (!has_code || (separator != ' ' && separator != '-')) {
        fail("not an SMTP reply");
        return;
    }
    const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (!reply_.lines.empty() && code != reply_.code) {
        fail("reply code changes between lines");
        return;
    }
    reply_.code = code;
    const std::string_view text = line.size() > 4 ? line.substr(4) : std::string_view{};
    if (const auto status = leading_status(text, code); status.is_given()) reply_.status = status;
    reply_.lines.push_back(printable(text));
    if (separator == ' ') {
        state_ = State::complete;
    } else if (reply_.lines.size() >= kMaxPeerReplyLines) {
        fail("reply with too many lines");
        return;
    }
    line_.clear();
}

void ReplyParser::fail(std::string_view reason) {
    state_ = State::failed;
    failure_ = std::string(reason) + ": \"" +
               printable(std::string_view(line_).substr(0, kQuotedInFailure)) + '"';
}

PeerReply ReplyParser::take() {
    state_ = State::incomplete;
    octets_ = 0;
    line_.clear();
    return std::exchange(reply_, {});
}

}  // namespace mailflow::smtp

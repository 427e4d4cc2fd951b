#include "transport/mail/trace_field.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/utf8.hpp"

#include <algorithm>
#include <vector>

namespace mailflow {

namespace {

constexpr std::size_t kWishedLine = 78;  // RFC 5322 §2.1.1
constexpr std::size_t kMaxHelo = 255;    // RFC 5321 §4.5.3.1.2
constexpr std::size_t kMaxComment = 60;  // of a greeting that is no name

// Sets words one after the other, on a new line where the next one would not fit.
class LineSetter {
  public:
    explicit LineSetter(std::string start)
        : text_(std::move(start))
        , column_(text_.size()) {}

    void add(std::string_view word) {
        if (!fresh_ && column_ + 1 + word.size() > kWishedLine) {
            break_line();
        }
        if (!fresh_) {
            text_ += ' ';
            ++column_;
        }
        text_ += word;
        column_ += word.size();
        fresh_ = false;
    }

    void break_line() {
        text_ += "\r\n\t";
        column_ = kTabWidth;
        fresh_ = true;
    }

    [[nodiscard]] std::string finish() && { return std::move(text_) + "\r\n"; }

  private:
    static constexpr std::size_t kTabWidth = 8;
    std::string text_;
    std::size_t column_;
    bool fresh_ = false;  // nothing on this line yet
};

bool is_host_text(std::string_view text) {
    return !text.empty() && text.size() <= kMaxHelo &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return ascii::is_alpha(c) || ascii::is_digit(c) || c == '.' || c == '-' || c == '_';
           });
}

// `[192.0.2.1]` or `[IPv6:…]` with nothing but the characters such a literal may have.
bool is_literal_text(std::string_view text) {
    return text.size() > 2 && text.size() <= kMaxHelo && text.starts_with('[') &&
           text.ends_with(']') && std::all_of(text.begin() + 1, text.end() - 1, [](char c) {
               return ascii::is_alpha(c) || ascii::is_digit(c) || c == '.' || c == ':';
           });
}

// Text of a comment: parentheses and backslashes quoted, everything but printable ASCII as `?`.
std::string as_comment(std::string_view text) {
    std::string comment;
    for (const char c : text) {
        if (comment.size() >= kMaxComment) {
            break;
        }
        if (c == '(' || c == ')' || c == '\\') {
            comment += '\\';
        }
        const bool printable = !ascii::is_control(c) && static_cast<unsigned char>(c) < 0x80;
        comment += printable ? c : '?';
    }
    return comment;
}

// Words of `from`'s clause. RFC 5321 §4.4: the name of the greeting, then, as a comment, the
// address of the peer.
std::vector<std::string> from_words(const ReceivedTrace& trace) {
    const auto peer = '(' + trace.client.literal() + ')';
    // Deviation: a name with underscores is no Domain but common and harmless, so it stands as it
    // was given.
    if (is_host_text(trace.helo) || is_literal_text(trace.helo)) {
        return {trace.helo, peer};
    }
    if (const auto domain = DomainName::parse(trace.helo)) {
        return {domain->text(), peer};
    }
    // Nothing that could stand as a domain: the address does, what was said goes into a comment.
    std::vector<std::string> words{trace.client.literal(), peer};
    words.push_back("(HELO " + as_comment(trace.helo) + ')');
    return words;
}

// `(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)`
std::string tls_comment(std::string_view tls) {
    const auto facts = ascii::split(tls, ' ');
    std::string comment = "(using " + as_comment(facts.front());
    if (facts.size() > 1) {
        comment += " with cipher " + as_comment(facts[1]);
    }
    return comment + ')';
}

}  // namespace

std::string with_keyword(ReceivedProtocol protocol) {
    std::string keyword = protocol.esmtp ? "ESMTP" : "SMTP";
    if (protocol.smtputf8) {
        keyword = "UTF8SMTP";
    }
    if (protocol.esmtp || protocol.smtputf8) {
        keyword += protocol.tls ? "S" : "";
        keyword += protocol.authenticated ? "A" : "";
    }
    return keyword;
}

// Time-stamp-line = "Received:" FWS Stamp
// Stamp           = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
// Opt-info        = [Via] [With] [ID] [For] [Additional-Registered-Clauses]
std::string make_received(const ReceivedTrace& trace) {
    LineSetter lines("Received: from");
    for (const auto& word : from_words(trace)) {
        lines.add(word);
    }
    lines.break_line();
    lines.add("by");
    lines.add(trace.by);
    lines.add("with");
    lines.add(trace.protocol);
    if (!trace.tls.empty()) {
        // RFC 5321 §4.4: ID = CFWS "ID" FWS ( Atom / msg-id ), so a comment may stand here.
        lines.add(tls_comment(trace.tls));
    }
    lines.add("id");
    const std::string end_of_id = trace.only_recipient ? "" : ";";
    lines.add(trace.id.text() + end_of_id);
    lines.break_line();
    if (trace.only_recipient) {
        // RFC 5321 §7.2: named only when it is the one recipient.
        lines.add("for");
        lines.add('<' + trace.only_recipient->text() + ">;");
    }
    lines.add(to_rfc5322(trace.time));
    return std::move(lines).finish();
}

std::string make_return_path(const ReversePath& path) {
    return "Return-Path: <" + path.text() + ">\r\n";
}

std::string make_date(UtcTime time) {
    return "Date: " + to_rfc5322(time) + "\r\n";
}

std::string make_message_id(std::string_view unique, std::string_view host) {
    return '<' + std::string(unique) + '@' + std::string(host) + '>';
}

std::string make_message_id_field(std::string_view message_id) {
    return fold("Message-ID", message_id);
}

}  // namespace mailflow

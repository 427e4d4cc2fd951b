#include "transport/smtp/extensions.hpp"

#include "transport/base/ascii.hpp"

namespace mailflow::smtp {

namespace {

void add(std::string& lines, std::string_view keyword) {
    if (!lines.empty()) lines += '\n';
    lines += keyword;
}

// RFC 1870 §4: `SIZE [1*20DIGIT]`; none or 0: no fixed limit. A number beyond 64 bits is as good as
// none.
void read_size(PeerExtensions& peer, std::string_view parameter) {
    peer.size = true;
    peer.max_size = ascii::parse_number(parameter.substr(0, parameter.find(' '))).value_or(0);
}

}  // namespace

std::string announcement(const ExtensionSet& extensions) {
    std::string lines;
    if (extensions.size) {
        add(lines, "SIZE " + std::to_string(*extensions.size));
    } else {
        add(lines, "SIZE");
    }
    if (extensions.pipelining) add(lines, "PIPELINING");
    if (extensions.enhanced_status_codes) add(lines, "ENHANCEDSTATUSCODES");
    if (extensions.eight_bit_mime) add(lines, "8BITMIME");
    if (extensions.smtputf8) add(lines, "SMTPUTF8");
    return lines;
}

PeerExtensions parse_extensions(const PeerReply& reply) {
    PeerExtensions peer;
    // RFC 5321 §4.1.1.1: the first line is the greeting, each later one a keyword with parameters.
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {
        const std::string_view line = ascii::trimmed(reply.lines[i]);
        const std::size_t blank = line.find(' ');
        const std::string_view keyword = line.substr(0, blank);
        const std::string_view parameter = blank == std::string_view::npos
                                               ? std::string_view{}
                                               : ascii::trimmed(line.substr(blank));
        if (ascii::equal_ignoring_case(keyword, "PIPELINING")) {
            peer.pipelining = true;
        } else if (ascii::equal_ignoring_case(keyword, "SIZE")) {
            read_size(peer, parameter);
        } else if (ascii::equal_ignoring_case(keyword, "8BITMIME")) {
            peer.eight_bit_mime = true;
        } else if (ascii::equal_ignoring_case(keyword, "SMTPUTF8")) {
            peer.smtputf8 = true;
        } else if (ascii::equal_ignoring_case(keyword, "ENHANCEDSTATUSCODES")) {
            peer.enhanced_status_codes = true;
        }
    }
    return peer;
}

}  // namespace mailflow::smtp

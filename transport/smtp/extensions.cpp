#include "transport/smtp/extensions.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace mailflow::smtp {

namespace {

// RFC 1870 §4: 0 says that there is no fixed limit, as no number does.
std::string size_line(const ExtensionSet& offered) {
    return offered.size && offered.size_value ? "SIZE " + std::to_string(*offered.size) : "SIZE";
}

std::string auth_line(const ExtensionSet& offered) {
    std::string line = "AUTH";
    for (const auto& mechanism : offered.auth) {
        line += ' ';
        line += mechanism;
    }
    return line;
}

std::string limits_line(const ExtensionSet& offered) {
    std::string line = "LIMITS";
    if (offered.max_mails) line += " MAILMAX=" + std::to_string(*offered.max_mails);
    if (offered.max_recipients) line += " RCPTMAX=" + std::to_string(*offered.max_recipients);
    return line;
}

// RFC 4865 §3: the longest interval in seconds and the latest time of release.
std::string future_release_line(const ExtensionSet& offered) {
    return "FUTURERELEASE " + std::to_string(offered.max_hold.count()) + ' ' +
           to_rfc3339(offered.hold_until_limit);
}

// RFC 2852 §2 (5): without a number any time is taken.
std::string deliver_by_line(const ExtensionSet& offered) {
    const auto least = offered.min_deliver_by.count();
    return least > 0 ? "DELIVERBY " + std::to_string(least) : "DELIVERBY";
}

// ---- what a peer offers

// The words behind a keyword.
std::vector<std::string_view> words_of(std::string_view text) {
    auto words = ascii::split(text, ' ');
    std::erase(words, std::string_view{});
    return words;
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return result;
}

using Words = std::vector<std::string_view>;

template <class Number>
std::optional<Number> read_number(std::string_view text) {
    const auto number = ascii::parse_number(text);
    if (!number || *number > std::numeric_limits<Number>::max()) return std::nullopt;
    return static_cast<Number>(*number);
}

// RFC 1870 §4: `SIZE [1*20DIGIT]`; none or 0: no fixed limit. A number beyond 64 bits is as good as
// none.
void read_size(PeerExtensions& peer, const Words& words) {
    peer.size = true;
    if (!words.empty()) peer.max_size = ascii::parse_number(words.front()).value_or(0);
}

// RFC 4954 §3. Twice is as once; the old `AUTH=` form, which some servers add, says the same.
void read_auth(PeerExtensions& peer, const Words& words) {
    for (const auto word : words) {
        auto mechanism = upper(word);
        const bool known =
            std::find(peer.auth.begin(), peer.auth.end(), mechanism) != peer.auth.end();
        if (!known && peer.auth.size() < kMaxPeerMechanisms) {
            peer.auth.push_back(std::move(mechanism));
        }
    }
}

// RFC 9422 §4: limits are name=value; unknown names are passed over.
void read_limits(PeerExtensions& peer, const Words& words) {
    for (const auto word : words) {
        const std::size_t equals = std::min(word.find('='), word.size());
        const auto name = word.substr(0, equals);
        const auto value =
            read_number<std::uint32_t>(word.substr(std::min(equals + 1, word.size())));
        // RFC 9422 §4.1–4.3: the values begin at 1.
        if (!value || *value == 0) continue;
        if (ascii::equal_ignoring_case(name, "MAILMAX")) {
            peer.max_mails = value;
        } else if (ascii::equal_ignoring_case(name, "RCPTMAX")) {
            peer.max_recipients = value;
        } else if (ascii::equal_ignoring_case(name, "RCPTDOMAINMAX")) {
            peer.max_recipient_domains = value;
        }
    }
}

// RFC 6710 §3 (5): at most the name of a profile.
void read_priority(PeerExtensions& peer, const Words& words) {
    peer.mt_priority = true;
    if (!words.empty()) peer.mt_priority_profile = upper(words.front());
}

// RFC 4865 §3: `FUTURERELEASE max-interval max-datetime`, both required. Without them nothing can
// be asked of the peer.
void read_future_release(PeerExtensions& peer, const Words& words) {
    if (words.size() < 2) return;
    const auto interval = read_number<std::uint32_t>(words[0]);
    const auto until = parse_iso8601(words[1]);
    if (!interval || !until) return;
    peer.future_release = true;
    peer.max_hold = std::chrono::seconds(*interval);
    peer.hold_until_limit = *until;
}

// RFC 2852 §2 (5): `DELIVERBY [min-by-time]`; behind a comma stands what later versions may say.
void read_deliver_by(PeerExtensions& peer, const Words& words) {
    peer.deliver_by = true;
    if (words.empty()) return;
    const auto minimum = words.front().substr(0, words.front().find(','));
    peer.min_deliver_by = std::chrono::seconds(read_number<std::int32_t>(minimum).value_or(0));
}

template <bool PeerExtensions::*flag>
void set(PeerExtensions& peer, const Words&) {
    peer.*flag = true;
}

struct Row {
    std::string_view keyword;
    void (*read)(PeerExtensions& peer, const Words& words);
};

constexpr std::array kRows = {
    Row{"8BITMIME", set<&PeerExtensions::eight_bit_mime>},
    Row{"AUTH", read_auth},
    Row{"BINARYMIME", set<&PeerExtensions::binary_mime>},
    Row{"CHUNKING", set<&PeerExtensions::chunking>},
    Row{"DELIVERBY", read_deliver_by},
    Row{"DSN", set<&PeerExtensions::dsn>},
    Row{"ENHANCEDSTATUSCODES", set<&PeerExtensions::enhanced_status_codes>},
    Row{"FUTURERELEASE", read_future_release},
    Row{"LIMITS", read_limits},
    Row{"MT-PRIORITY", read_priority},
    Row{"PIPELINING", set<&PeerExtensions::pipelining>},
    Row{"REQUIRETLS", set<&PeerExtensions::require_tls>},
    Row{"SIZE", read_size},
    Row{"SMTPUTF8", set<&PeerExtensions::smtputf8>},
    Row{"STARTTLS", set<&PeerExtensions::start_tls>},
};

}  // namespace

std::string announcement(const ExtensionSet& offered) {
    std::string lines;
    const auto add = [&lines](bool when, std::string_view line) {
        if (!when) return;
        if (!lines.empty()) lines += '\n';
        lines += line;
    };
    add(offered.announce_size, size_line(offered));
    add(offered.pipelining, "PIPELINING");
    add(offered.dsn, "DSN");
    add(offered.enhanced_status_codes, "ENHANCEDSTATUSCODES");
    add(offered.start_tls, "STARTTLS");
    add(!offered.auth.empty(), auth_line(offered));
    add(offered.eight_bit_mime, "8BITMIME");
    // RFC 3030 §3: BINARYMIME is nothing without CHUNKING.
    add(offered.binary_mime && offered.chunking, "BINARYMIME");
    add(offered.chunking, "CHUNKING");
    add(offered.smtputf8, "SMTPUTF8");
    add(offered.require_tls, "REQUIRETLS");
    // RFC 9422 §3: at least one limit.
    add(offered.limits && (offered.max_mails || offered.max_recipients), limits_line(offered));
    add(offered.mt_priority, "MT-PRIORITY MIXER");
    add(offered.future_release, future_release_line(offered));
    add(offered.deliver_by, deliver_by_line(offered));
    add(offered.xclient, "XCLIENT NAME ADDR PORT PROTO HELO LOGIN");
    return lines;
}

PeerExtensions parse_extensions(const PeerReply& reply) {
    PeerExtensions peer;
    // RFC 5321 §4.1.1.1: the first line is the greeting, each later one a keyword with parameters.
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {
        const std::string_view line = ascii::trimmed(reply.lines[i]);
        // `AUTH=LOGIN`: as servers older than RFC 4954 write it.
        const std::size_t end = std::min(line.find_first_of(" ="), line.size());
        const auto words = words_of(line.substr(std::min(end + 1, line.size())));
        for (const Row& row : kRows) {
            if (ascii::equal_ignoring_case(row.keyword, line.substr(0, end))) row.read(peer, words);
        }
    }
    return peer;
}

}  // namespace mailflow::smtp

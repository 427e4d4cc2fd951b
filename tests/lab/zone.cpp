#include "tests/lab/zone.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/ip_address.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace mailflow::lab {

namespace {

constexpr std::uint32_t kDefaultTtl = 300;
constexpr std::uint32_t kNegativeTtl = 60;
constexpr std::size_t kMaxTextString = 255;

// `mail.contoso.com` ⇄ `com.contoso.mail.`: the end mark keeps `a.b` and `a.bc` apart.
std::string reversed(std::string_view name) {
    if (name.empty()) return {};
    auto labels = ascii::split(name, '.');
    std::string key;
    for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
        key.append(*label);
        key.push_back('.');
    }
    return key;
}

std::string_view parent_of(std::string_view name) {
    const auto dot = name.find('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

std::optional<Misbehaviour> parse_misbehaviour(std::string_view text) {
    if (text == "SERVFAIL") return Misbehaviour::servfail;
    if (text == "REFUSED") return Misbehaviour::refused;
    if (text == "NXDOMAIN") return Misbehaviour::nxdomain;
    if (text == "DROP") return Misbehaviour::drop;
    if (text == "TRUNCATE") return Misbehaviour::truncate;
    return std::nullopt;
}

struct Token {
    std::string text;
    bool quoted = false;
};

// A line of the file after comments are gone and parentheses are joined.
struct Line {
    std::vector<Token> tokens;
    bool starts_with_blank = false;  // the name of the line before
    std::size_t number = 0;
};

class Tokenizer {
  public:
    explicit Tokenizer(std::string_view text)
        : text_(text) {}

    // False at the end. Blank lines come back without tokens.
    bool next(Line& line) {
        if (at_ >= text_.size()) return false;
        line = Line{};
        line.number = number_;
        line.starts_with_blank = is_blank(text_[at_]);
        for (int depth = 0; at_ < text_.size();) {
            const char c = text_[at_];
            if (c == '\n') {
                ++at_;
                ++number_;
                if (depth <= 0) return true;
            } else if (is_blank(c) || c == '\r') {
                ++at_;
            } else if (c == ';') {
                while (at_ < text_.size() && text_[at_] != '\n')
                    ++at_;
            } else if (c == '(' || c == ')') {
                depth += c == '(' ? 1 : -1;
                ++at_;
            } else {
                line.tokens.push_back(c == '"' ? quoted() : plain());
            }
        }
        return true;
    }

  private:
    static bool is_blank(char c) { return c == ' ' || c == '\t'; }

    Token plain() {
        const auto start = at_;
        while (at_ < text_.size() &&
               std::string_view(" \t\r\n;()\"").find(text_[at_]) == std::string_view::npos) {
            ++at_;
        }
        return Token{std::string(text_.substr(start, at_ - start)), false};
    }

    Token quoted() {
        Token token{{}, true};
        for (++at_; at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n'; ++at_) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
            token.text.push_back(text_[at_]);
        }
        if (at_ < text_.size() && text_[at_] == '"') ++at_;
        return token;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t number_ = 1;
};

}  // namespace

std::optional<Type> parse_type(std::string_view text) {
    if (text == "A") return Type::a;
    if (text == "AAAA") return Type::aaaa;
    if (text == "MX") return Type::mx;
    if (text == "TXT") return Type::txt;
    if (text == "CNAME") return Type::cname;
    if (text == "NS") return Type::ns;
    if (text == "SOA") return Type::soa;
    return std::nullopt;
}

class ZoneParser {
  public:
    Zone parse(std::string_view text) {
        Tokenizer tokenizer(text);
        for (Line line; tokenizer.next(line);) {
            if (line.tokens.empty()) continue;
            number_ = line.number;
            take(line);
        }
        return std::move(zone_);
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error("zone line " + std::to_string(number_) + ": " + what);
    }

    void take(const Line& line) {
        auto token = line.tokens.begin();
        const auto end = line.tokens.end();
        if (token->text == "$ORIGIN" || token->text == "$TTL") {
            if (line.tokens.size() != 2) fail(token->text + " takes one value");
            if (token->text == "$TTL") {
                ttl_ = number(token[1]);
            } else {
                origin_ = absolute(token[1].text);
            }
            return;
        }
        if (!line.starts_with_blank) {
            owner_ = absolute(token->text);
            ++token;
        }
        auto ttl = ttl_;
        for (; token != end; ++token) {
            if (token->text == "IN") continue;
            if (!ascii::parse_number(token->text)) break;
            ttl = number(*token);
        }
        if (token == end) fail("a record type is missing");
        const std::string word = token->text;
        const std::vector<Token> data(token + 1, end);
        auto& node = zone_.nodes_[reversed(owner_)];
        if (const auto misbehaviour = parse_misbehaviour(word)) {
            node.misbehaviour = *misbehaviour;
            for (const auto& name : data) {
                const auto type = parse_type(name.text);
                if (!type) fail("unknown type " + name.text);
                node.misbehaves_for.push_back(*type);
            }
            return;
        }
        const auto type = parse_type(word);
        if (!type) fail("unknown type " + word);
        node.records.push_back(record(*type, ttl, data));
    }

    Record record(Type type, std::uint32_t ttl, const std::vector<Token>& data) const {
        Record made;
        made.type = type;
        made.ttl = ttl;
        const auto need = [&](std::size_t count) {
            if (data.size() != count)
                fail("this type takes " + std::to_string(count) + " value(s)");
        };
        switch (type) {
            case Type::a:
            case Type::aaaa: {
                need(1);
                const auto address = IpAddress::parse(data[0].text);
                if (!address || address->is_v4() != (type == Type::a))
                    fail("not such an address: " + data[0].text);
                const auto& bytes = address->bytes();
                made.bytes.assign(bytes.begin(), bytes.begin() + (type == Type::a ? 4 : 16));
                break;
            }
            case Type::mx:
                need(2);
                made.preference = static_cast<std::uint16_t>(number(data[0]));
                made.name = absolute(data[1].text);
                break;
            case Type::cname:
            case Type::ns:
                need(1);
                made.name = absolute(data[0].text);
                break;
            case Type::soa:
                need(7);
                made.name = absolute(data[0].text);
                made.minimum = number(data[6]);
                break;
            case Type::txt:
                if (data.empty()) fail("TXT needs a text");
                for (const auto& text : data)
                    append_strings(made.bytes, text.text);
                break;
            default: fail("this type cannot stand in a zone");
        }
        return made;
    }

    // A text longer than a character-string may be becomes several.
    static void append_strings(std::string& bytes, std::string_view text) {
        do {
            const auto part = text.substr(0, kMaxTextString);
            bytes.push_back(static_cast<char>(part.size()));
            bytes.append(part);
            text.remove_prefix(part.size());
        } while (!text.empty());
    }

    std::uint32_t number(const Token& token) const {
        const auto value = ascii::parse_number(token.text);
        if (!value || *value > 0x7fff'ffff) fail("not a number: " + token.text);
        return static_cast<std::uint32_t>(*value);
    }

    std::string absolute(std::string_view name) const {
        if (name == "@") return origin_;
        std::string text = ascii::to_lower(name);
        if (text.ends_with('.')) {
            text.pop_back();
        } else if (!origin_.empty()) {
            text += '.' + origin_;
        }
        for (const auto label : ascii::split(text, '.')) {
            if (!text.empty() && (label.empty() || label.size() > 63))
                fail("not a name: " + std::string(name));
        }
        return text;
    }

    Zone zone_;
    std::string origin_;
    std::string owner_;
    std::uint32_t ttl_ = kDefaultTtl;
    std::size_t number_ = 0;
};

Zone Zone::parse(std::string_view text) {
    return ZoneParser().parse(text);
}

Zone Zone::load(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read the zone file " + path);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return parse(text);
}

bool Zone::has_name(std::string_view name) const {
    if (name.empty()) return true;
    const auto key = reversed(name);
    const auto at = nodes_.lower_bound(key);
    return at != nodes_.end() && std::string_view(at->first).starts_with(key);
}

// RFC 4592 §3.3.1: a wildcard stands in only directly below the closest name that exists.
const Zone::Node* Zone::find_node(std::string_view name, bool& exists) const {
    exists = has_name(name);
    if (exists) {
        const auto found = nodes_.find(reversed(name));
        return found == nodes_.end() ? nullptr : &found->second;
    }
    auto encloser = parent_of(name);
    while (!has_name(encloser))
        encloser = parent_of(encloser);
    const auto wildcard = encloser.empty() ? std::string("*") : "*." + std::string(encloser);
    const auto found = nodes_.find(reversed(wildcard));
    exists = found != nodes_.end();
    return exists ? &found->second : nullptr;
}

Zone::Found Zone::find(std::string_view name, Type type) const {
    Found found;
    const auto* const node = find_node(name, found.exists);
    if (node == nullptr) return found;
    const auto& types = node->misbehaves_for;
    if (types.empty() || std::find(types.begin(), types.end(), type) != types.end()) {
        found.misbehaviour = node->misbehaviour;
    }
    for (const auto& record : node->records) {
        if (record.type == type || record.type == Type::cname || type == Type::any)
            found.records.push_back(record);
    }
    return found;
}

std::pair<std::string, Record> Zone::authority(std::string_view name) const {
    for (auto at = name;; at = parent_of(at)) {
        if (const auto found = nodes_.find(reversed(at)); found != nodes_.end()) {
            for (const auto& record : found->second.records) {
                if (record.type == Type::soa) return {std::string(at), record};
            }
        }
        if (at.empty()) break;
    }
    Record made;
    made.type = Type::soa;
    made.ttl = kNegativeTtl;
    made.minimum = kNegativeTtl;
    return {std::string(), made};
}

}  // namespace mailflow::lab

#include "transport/deliver/access_tokens.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace mailflow {

namespace {

// What a log-in may take from the moment a token is handed out.
constexpr Duration kMinLife = std::chrono::seconds(60);
// RFC 6749 §5.1: expires_in is only recommended. Nobody gives less.
constexpr std::chrono::seconds kAssumedLife{300};
constexpr std::chrono::seconds kMaxLife = std::chrono::hours(24);
// An endpoint that refuses is not asked again with each message.
constexpr Duration kPauseAfterFailure = std::chrono::seconds(30);
constexpr Duration kTimeout = std::chrono::seconds(30);
constexpr std::size_t kMaxToken = 16UL * 1024;
constexpr std::size_t kMaxWords = 300;

namespace json = boost::json;

// application/x-www-form-urlencoded
std::string form_encoded(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (ascii::is_alpha(c) || ascii::is_digit(c) ||
            std::string_view("-._~").find(c) != std::string_view::npos) {
            encoded += c;
        } else {
            encoded += '%';
            encoded += kHex[octet >> 4U];
            encoded += kHex[octet & 15U];
        }
    }
    return encoded;
}

void add_field(std::string& form, std::string_view name, std::string_view value) {
    if (!value.empty()) {
        form += (form.empty() ? "" : "&") + std::string(name) + "=" + form_encoded(value);
    }
}

// What an endpoint says, fit for a log line.
std::string words(std::string_view text) {
    return ascii::escaped(text.substr(0, kMaxWords));
}

std::string_view text_of(const json::object& object, std::string_view name) {
    const auto* const found = object.if_contains({name.data(), name.size()});
    const auto* const text = found == nullptr ? nullptr : found->if_string();
    return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

struct TokenAnswer {
    std::string token;
    std::string refresh_token;
    std::chrono::seconds life = kAssumedLife;
    std::string problem;  // empty: there is a token
};

// Some endpoints write the number as text.
std::chrono::seconds life_of(const json::object& answer) {
    const auto* const value = answer.if_contains("expires_in");
    std::optional<std::uint64_t> seconds;
    if (value != nullptr && value->is_number()) {
        boost::system::error_code ignored;
        const auto number = value->to_number<std::uint64_t>(ignored);
        if (!ignored) seconds = number;
    } else {
        seconds = ascii::parse_number(text_of(answer, "expires_in"));
    }
    if (!seconds) {
        return kAssumedLife;
    }
    return std::min(kMaxLife, std::chrono::seconds(std::min<std::uint64_t>(*seconds, 1U << 30U)));
}

bool is_usable_token(std::string_view token) {
    return !token.empty() && token.size() <= kMaxToken &&
           std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// RFC 6749 §5.1, §5.2
TokenAnswer read_answer(const HttpsAnswer& answer) {
    TokenAnswer result;
    boost::system::error_code error;
    const auto value = json::parse({answer.body.data(), answer.body.size()}, error);
    const auto* const object = error ? nullptr : value.if_object();
    if (answer.status != 200 || object == nullptr) {
        result.problem = "the token endpoint answers with status " + std::to_string(answer.status);
        if (object != nullptr) {
            const auto code = text_of(*object, "error");
            const auto description = text_of(*object, "error_description");
            result.problem += code.empty() ? "" : ": " + words(code);
            result.problem += description.empty() ? "" : ": " + words(description);
        } else if (answer.status == 200) {
            result.problem += " and no JSON object";
        }
        return result;
    }
    result.token = text_of(*object, "access_token");
    result.refresh_token = text_of(*object, "refresh_token");
    result.life = life_of(*object);
    // RFC 6749 §7.1: a token of a type we do not know is not used.
    if (!ascii::equal_ignoring_case(text_of(*object, "token_type"), "Bearer")) {
        result.problem = "the token endpoint gives no bearer token";
    } else if (!is_usable_token(result.token)) {
        result.problem = "the token endpoint gives no token that can be used";
    }
    return result;
}

void wipe(std::string& secret) {
    explicit_bzero(secret.data(), secret.size());
    secret.clear();
}

}  // namespace

// What one connector has; used on the lane of its owner.
struct AccessTokens::Entry {
    OAuth2Settings settings;
    std::string token;
    std::string refresh_token;  // a newer one than the connector's; empty: none was given
    MonotonicTime good_until{};
    MonotonicTime ask_after{};
    TokenState state;
    bool running = false;
    std::vector<OneShot<bool>*> waiting;

    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    ~Entry() {
        wipe(token);
        wipe(refresh_token);
    }

    [[nodiscard]] bool has_token(MonotonicTime now) const {
        return !token.empty() && now + kMinLife <= good_until;
    }

    [[nodiscard]] std::string failure() const {
        return state.error.empty() ? "the token endpoint gives tokens that live too short"
                                   : state.error;
    }

    void take(TokenAnswer& answer, const Clock& clock) {
        state.fetched = clock.now();
        state.error = answer.problem;
        if (!answer.problem.empty()) {
            ask_after = clock.monotonic() + kPauseAfterFailure;
            return;
        }
        wipe(token);
        token = std::move(answer.token);
        good_until = clock.monotonic() + answer.life;
        state.expires = clock.now() + answer.life;
        // RFC 6749 §6: a new refresh token replaces the old one. It lives as long as the process:
        // what the connector holds is the administrator's.
        if (!answer.refresh_token.empty()) {
            wipe(refresh_token);
            refresh_token = std::move(answer.refresh_token);
        }
    }
};

namespace {

// The form of RFC 6749 §4.4.2 or §6, with the client's own secret in it (§2.3.1), as Google and
// Microsoft ask for it. Error::corrupt: a sealed secret does not open.
Result<std::string> request_form(
    const SendConnector& connector, const std::string& newer, const Secrets& secrets) {
    const auto& settings = connector.oauth2;
    std::string form;
    if (settings.refresh_token.empty()) {
        add_field(form, "grant_type", "client_credentials");
    } else {
        add_field(form, "grant_type", "refresh_token");
        if (!newer.empty()) {
            add_field(form, "refresh_token", newer);
        } else {
            auto opened = secrets.open(
                settings.refresh_token, secret_context(connector.name, "oauth2_refresh_token"));
            if (!opened) {
                return opened.error();
            }
            add_field(form, "refresh_token", *opened);
            wipe(*opened);
        }
    }
    add_field(form, "client_id", settings.client_id);
    if (!settings.client_secret.empty()) {
        auto opened = secrets.open(
            settings.client_secret, secret_context(connector.name, "oauth2_client_secret"));
        if (!opened) {
            return opened.error();
        }
        add_field(form, "client_secret", *opened);
        wipe(*opened);
    }
    add_field(form, "scope", settings.scope);
    return form;
}

HttpsRequest token_request(const SendConnector& connector, std::string form) {
    HttpsRequest request;
    request.url = connector.oauth2.token_url;
    request.method = "POST";
    request.content_type = "application/x-www-form-urlencoded";
    request.body = std::move(form);
    request.headers.emplace_back("Accept", "application/json");
    request.timeout = kTimeout;
    request.trusted_host = true;
    return request;
}

TokenAnswer no_answer(std::string problem) {
    TokenAnswer answer;
    answer.problem = std::move(problem);
    return answer;
}

TokenAnswer sealed_for_others() {
    return no_answer("its secrets cannot be opened with the key of this node");
}

Task<TokenAnswer> ask(
    HttpsFetcher& fetcher,
    const Secrets& secrets,
    const SendConnector& connector,
    const std::string& newer) {
    auto form = request_form(connector, newer, secrets);
    if (!form) {
        co_return sealed_for_others();
    }
    auto request = token_request(connector, std::move(*form));
    std::string why;
    auto said = co_await fetcher.fetch(std::move(request), &why);
    if (!said) {
        co_return no_answer(why.empty() ? said.error().message() : why);
    }
    auto answer = read_answer(*said);
    wipe(said->body);
    co_return answer;
}

}  // namespace

AccessTokens::AccessTokens(const Clock& clock, HttpsFetcher& fetcher, const Secrets& secrets)
    : clock_(clock)
    , fetcher_(fetcher)
    , secrets_(secrets) {}

Task<Result<std::string>> AccessTokens::token_for(
    const SendConnector& connector, std::string* why) {
    auto& kept = entries_[connector.name];
    // Another client, another token.
    if (!kept || kept->settings != connector.oauth2) {
        kept = std::make_shared<Entry>();
        kept->settings = connector.oauth2;
        kept->state.connector = connector.name;
    }
    const auto entry = kept;
    if (entry->running) {
        OneShot<bool> done;
        entry->waiting.push_back(&done);
        co_await done.wait();
    } else if (!entry->has_token(clock_.monotonic()) && clock_.monotonic() >= entry->ask_after) {
        entry->running = true;
        auto answer = co_await ask(fetcher_, secrets_, connector, entry->refresh_token);
        entry->take(answer, clock_);
        entry->running = false;
        for (auto* const waiter : std::exchange(entry->waiting, {})) {
            waiter->complete(true);
        }
    }
    if (!entry->has_token(clock_.monotonic())) {
        *why = entry->failure();
        co_return Error::unavailable;
    }
    co_return entry->token;
}

void AccessTokens::refuse(const std::string& connector) {
    const auto found = entries_.find(connector);
    if (found != entries_.end() && !found->second->running) {
        wipe(found->second->token);
    }
}

std::optional<TokenState> AccessTokens::state_of(const std::string& connector) const {
    const auto found = entries_.find(connector);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    auto state = found->second->state;
    state.valid = found->second->has_token(clock_.monotonic());
    return state;
}

}  // namespace mailflow

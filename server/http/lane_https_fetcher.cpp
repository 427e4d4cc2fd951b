#include "server/http/lane_https_fetcher.hpp"

#include "server/http/https_answer_reader.hpp"
#include "transport/base/error.hpp"
#include "transport/deliver/tls_policy.hpp"
#include "transport/net/connection.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow {

namespace {

// One address that does not answer leaves time for the next.
constexpr auto kConnectPatience = std::chrono::seconds(10);

// RFC 9112 §3; the connection ends with the answer.
std::string request_text(const HttpsRequest& request, const HttpsUrl& url) {
    auto text = fmt::format(
        "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: mailflow/{}\r\nAccept: */*\r\n"
        "Connection: close\r\n",
        request.method,
        url.target,
        url.authority(),
        MAILFLOW_VERSION);
    for (const auto& [name, value] : request.headers) {
        text += name + ": " + value + "\r\n";
    }
    if (!request.content_type.empty()) {
        text += fmt::format(
            "Content-Type: {}\r\nContent-Length: {}\r\n",
            request.content_type,
            request.body.size());
    }
    return text + "\r\n" + request.body;
}

// What would end a line ends the request for somebody else.
bool is_plain(std::string_view text) {
    return text.find_first_of("\r\n") == std::string_view::npos;
}

bool is_sendable(const HttpsRequest& request) {
    return is_plain(request.method) && is_plain(request.content_type) &&
           std::all_of(request.headers.begin(), request.headers.end(), [](const auto& field) {
               return is_plain(field.first) && is_plain(field.second);
           });
}

// RFC 8461 §3.3, RFC 6125: the chain leads to a trusted root and the certificate names the host.
// What is wrong; empty: nothing.
std::string certificate_problem(const HttpsUrl& url, const TlsFacts& facts) {
    TlsDemand demand;
    const bool is_address = std::holds_alternative<IpAddress>(url.host);
    demand.level = is_address ? TlsLevel::certificate_validation : TlsLevel::domain_validation;
    demand.names = {url.host_text()};
    if (const auto shortfall = judge_certificate(demand, facts)) {
        return shortfall->words;
    }
    const auto& addresses = facts.peer_addresses;
    if (is_address &&
        std::find(addresses.begin(), addresses.end(), url.host_text()) == addresses.end()) {
        return "the certificate does not name " + url.host_text();
    }
    return {};
}

std::string no_tls() {
    return "there is no TLS";
}

}  // namespace

Task<Result<HttpsAnswer>> LaneHttpsFetcher::fetch(HttpsRequest request, std::string* why) {
    const auto deadline = parts_.lane.clock().monotonic() + request.timeout;
    const auto url = parse_https_url(request.url);
    if (!url || !is_sendable(request)) {
        *why = "no https URL: " + request.url.substr(0, kMaxHttpsUrl);
        co_return Error::syntax;
    }
    const auto addresses = co_await find_addresses(*url, request.trusted_host, why);
    if (!addresses) {
        co_return addresses.error();
    }
    auto plain = co_await connect(*addresses, url->port, deadline, why);
    if (!plain) {
        co_return plain.error();
    }
    auto encrypted = co_await encrypt(std::move(*plain), *url, deadline, why);
    if (!encrypted) {
        co_return encrypted.error();
    }
    const auto text = request_text(request, *url);
    auto answer = co_await exchange(std::move(*encrypted), text, request.max_body, deadline, why);
    co_return answer;
}

// ---- where

std::vector<IpAddress> LaneHttpsFetcher::usable(
    const std::vector<IpAddress>& addresses, std::uint16_t port) const {
    auto rules = rules_;
    rules.port = port;
    std::vector<IpAddress> result;
    for (const auto& address : addresses) {
        if (judge_address(address, rules) == AddressUse::usable) {
            result.push_back(address);
        }
    }
    return result;
}

Task<Result<std::vector<IpAddress>>> LaneHttpsFetcher::find_addresses(
    const HttpsUrl& url, bool is_trusted, std::string* why) {
    std::vector<IpAddress> found;
    if (const auto* const address = std::get_if<IpAddress>(&url.host)) {
        found.push_back(*address);
    } else {
        const auto& name = std::get<DomainName>(url.host);
        const auto ipv6 = co_await parts_.resolver.find_ipv6(name);
        const auto ipv4 = co_await parts_.resolver.find_ipv4(name);
        found = interleave(ipv6.records, ipv4.records);
        if (found.empty()) {
            *why = name.text() + " has no address";
            if (!ipv4.detail.empty()) {
                *why += ": " + ipv4.detail;
            }
            co_return Error::not_found;
        }
    }
    if (!is_trusted) {
        // Decisions §2.8, §2.9: who publishes a policy does not choose which of our own services
        // is asked for it.
        found = usable(found, url.port);
        if (found.empty()) {
            *why = url.host_text() + " has only addresses that are not connected to";
            co_return Error::refused_target;
        }
    }
    co_return found;
}

Task<Result<std::unique_ptr<Stream>>> LaneHttpsFetcher::connect(
    const std::vector<IpAddress>& addresses,
    std::uint16_t port,
    MonotonicTime deadline,
    std::string* why) {
    ErrorCode error = Error::timed_out;
    for (const auto& address : addresses) {
        const Endpoint remote{address, port};
        const auto now = parts_.lane.clock().monotonic();
        if (now >= deadline) {
            break;
        }
        const auto until = std::min<MonotonicTime>(deadline, now + kConnectPatience);
        auto stream = co_await parts_.network.connect(parts_.lane, remote, std::nullopt, until);
        if (stream) {
            co_return std::move(*stream);
        }
        error = stream.error();
        *why = "cannot connect to " + remote.text() + ": " + error.message();
    }
    co_return error;
}

// ---- TLS

Task<Result<std::unique_ptr<Stream>>> LaneHttpsFetcher::encrypt(
    std::unique_ptr<Stream> stream, const HttpsUrl& url, MonotonicTime deadline, std::string* why) {
    auto context = contexts_ ? contexts_->client_context(nullptr) : TlsContextPtr();
    if (!context) {
        *why = no_tls();
        co_return Error::tls_failed;
    }
    const bool is_address = std::holds_alternative<IpAddress>(url.host);
    auto name = is_address ? std::string() : url.host_text();
    auto encrypted = co_await connect_tls(
        parts_.lane, std::move(stream), std::move(context), std::move(name), deadline, why);
    if (!encrypted) {
        *why = "TLS with " + url.host_text() + ": " + *why;
        co_return encrypted.error();
    }
    const auto problem = certificate_problem(url, encrypted->facts);
    if (!problem.empty()) {
        encrypted->stream->close();
        *why = "TLS with " + url.host_text() + ": " + problem;
        co_return Error::tls_failed;
    }
    co_return std::move(encrypted->stream);
}

// ---- HTTP

Task<Result<HttpsAnswer>> LaneHttpsFetcher::exchange(
    std::unique_ptr<Stream> stream,
    const std::string& request,
    std::size_t max_body,
    MonotonicTime deadline,
    std::string* why) {
    Connection connection(parts_.lane, std::move(stream));
    connection.set_deadline(deadline);
    auto error = co_await connection.write(request);
    HttpsAnswerReader reader(max_body);
    while (!error && !reader.is_done()) {
        const auto octets = co_await connection.read_some();
        Result<> taken;
        if (octets) {
            taken = reader.feed(*octets);
            connection.consume(octets->size());
        } else if (octets.error() == Error::end_of_stream) {
            // RFC 9112 §6.3, §9.8: an end that was not said by TLS is none; it may be anybody's
            // cut.
            taken = reader.end();
        } else {
            taken = octets.error();
        }
        error = taken ? ErrorCode() : taken.error();
    }
    if (error) {
        connection.close();
        *why = "the answer: " + error.message();
        co_return error;
    }
    connection.shutdown_send();
    connection.close();
    co_return reader.take();
}

}  // namespace mailflow

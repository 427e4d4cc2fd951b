#include "server/admin/tls_resource.hpp"

#include "server/admin/json_answers.hpp"
#include "transport/mail/date_time.hpp"

#include <boost/json/array.hpp>

namespace mailflow {

namespace json = boost::json;

namespace {

json::object to_json(const TlsPeer& peer, UtcTime now) {
    return {
        {"host", peer.host},
        {"state", peer.until > now ? "in clear" : "tried again"},
        {"until", to_iso8601(peer.until)},
        {"failed", to_iso8601(peer.failed)},
        {"failures", peer.failures},
        {"why", peer.why}};
}

json::object to_json(const StsPolicy& policy, UtcTime now) {
    json::array hosts;
    for (const auto& pattern : policy.mx) {
        hosts.emplace_back(pattern);
    }
    return {
        {"domain", policy.domain},
        {"mode", to_text(policy.mode)},
        {"state", policy.expires > now ? "valid" : "expired"},
        {"id", policy.id},
        {"mx", std::move(hosts)},
        {"fetched", to_iso8601(policy.fetched)},
        {"expires", to_iso8601(policy.expires)}};
}

json::object to_json(const TlsResultSum& sum) {
    const auto& result = sum.result;
    return {
        {"day", to_iso8601(sum.day).substr(0, 10)},
        {"domain", result.policy_domain},
        {"policy", to_text(result.policy)},
        {"host", result.host},
        {"result", to_text(result.type)},
        {"sessions", sum.sessions},
        {"detail", result.detail}};
}

template <class Rows, class... More>
json::array to_array(const Rows& rows, const More&... more) {
    json::array all;
    for (const auto& row : rows) {
        all.push_back(to_json(row, more...));
    }
    return all;
}

}  // namespace

HttpResponse TlsResource::handle(const HttpRequest& request) {
    const auto what = request.path.size() < 3 ? std::string() : request.path[2];
    if (peers_ == nullptr) {
        return json_error(409, "nothing is remembered about TLS: this server has none");
    }
    if (what == "names") {
        return forget(request);
    }
    if (request.method != HttpMethod::get) {
        return json_error(405, "what is remembered about TLS can be read, or forgotten by name");
    }
    const auto now = clock_.now();
    if (what == "peers") {
        return json_answer(to_array(peers_->peers(), now));
    }
    if (what == "policies") {
        return json_answer(to_array(peers_->policies(), now));
    }
    if (what == "results") {
        return json_answer(to_array(peers_->results()));
    }
    return json_error(404, "there is only /v1/tls/peers, policies, results and names/NAME");
}

HttpResponse TlsResource::forget(const HttpRequest& request) {
    if (request.method != HttpMethod::remove || request.path.size() != 4) {
        return json_error(405, "DELETE /v1/tls/names/NAME forgets a host or a domain");
    }
    const auto& name = request.path[3];
    if (!peers_->forget(name)) {
        return json_error(404, "nothing is remembered about \"" + name + "\"");
    }
    log_.info(
        "forgot what was remembered about TLS", {{"name", name}, {"uid", request.caller.uid}});
    return json_answer(json::object{{"forgotten", name}});
}

}  // namespace mailflow

#include "server/http/unix_http_server.hpp"

#include "server/http/peer_credentials.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <exception>
#include <sys/stat.h>
#include <unistd.h>

namespace mailflow {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t kMaxBody = 16UL * 1024 * 1024;
constexpr std::uint32_t kMaxHeader = 16 * 1024;
constexpr std::size_t kMaxSessions = 64;
constexpr auto kSessionIdle = std::chrono::seconds(60);

HttpMethod method_of(http::verb verb) {
    switch (verb) {
        case http::verb::get: return HttpMethod::get;
        case http::verb::post: return HttpMethod::post;
        case http::verb::patch: return HttpMethod::patch;
        case http::verb::delete_: return HttpMethod::remove;
        default: return HttpMethod::other;
    }
}

HttpResponse plain_error(unsigned status, std::string_view text) {
    return HttpResponse{status, "application/json", "{\"error\":\"" + std::string(text) + "\"}"};
}

}  // namespace

// Closes its session's socket when the session is idle for too long.
class UnixHttpServer::SessionDeadline final : public Deadline {
  public:
    explicit SessionDeadline(Socket& socket)
        : socket_(socket) {}

  private:
    void on_expired() override {
        ErrorCode ignored;
        socket_.close(ignored);
    }

    Socket& socket_;
};

struct UnixHttpServer::Session {
    explicit Session(Socket accepted)
        : socket(std::move(accepted))
        , deadline(socket) {}

    Socket socket;
    SessionDeadline deadline;
    boost::beast::flat_buffer buffer;
};

UnixHttpServer::UnixHttpServer(Lane& lane, HttpHandler& handler)
    : lane_(lane)
    , handler_(handler)
    , acceptor_(lane.executor()) {}

UnixHttpServer::~UnixHttpServer() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

Result<> UnixHttpServer::listen(const std::string& path) {
    ErrorCode error;
    Protocol::endpoint endpoint;
    try {
        endpoint = Protocol::endpoint(path);
    } catch (const boost::system::system_error& failure) {
        return failure.code();  // longer than sun_path
    }
    // The state directory's lock is ours, so a file that is there was left by a daemon that died.
    ::unlink(path.c_str());
    acceptor_.open(endpoint.protocol(), error);
    if (!error) {
        const auto mask = ::umask(0177);
        acceptor_.bind(endpoint, error);
        ::umask(mask);
    }
    if (!error) {
        acceptor_.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
        return error;
    }
    path_ = path;
    open_to_admin_group(path);
    lane_.spawn("admin accept", accept_loop());
    return {};
}

void UnixHttpServer::stop() {
    ErrorCode ignored;
    acceptor_.close(ignored);
    for (auto* session : sessions_) {
        session->socket.close(ignored);
    }
}

Task<void> UnixHttpServer::accept_loop() {
    while (acceptor_.is_open()) {
        auto [error, socket] = co_await acceptor_.async_accept(use_result);
        if (error) {
            if (acceptor_.is_open()) {
                lane_.log().warning("admin accept failed", {{"reason", error.message()}});
                const auto later = lane_.clock().monotonic() + std::chrono::seconds(1);
                co_await lane_.sleep_until(later);
            }
            continue;
        }
        if (sessions_.size() < kMaxSessions) {
            auto session = std::make_shared<Session>(Socket(std::move(socket)));
            lane_.spawn("admin session", serve(std::move(session)));
        }
    }
}

Task<void> UnixHttpServer::serve(std::shared_ptr<Session> session) {
    sessions_.insert(session.get());
    const auto caller = peer_credentials(session->socket.native_handle());
    const bool allowed = caller && may_administer(*caller);
    if (!allowed) {
        lane_.log().warning(
            "admin access refused", {{"caller", caller ? caller->text() : "unknown"}});
    }
    bool keep = true;
    while (keep) {
        http::request_parser<http::string_body> parser;
        parser.body_limit(kMaxBody);
        parser.header_limit(kMaxHeader);
        lane_.wheel().set(session->deadline, lane_.clock().monotonic() + kSessionIdle);
        const auto [read_error, read] =
            co_await http::async_read(session->socket, session->buffer, parser, use_result);
        lane_.wheel().clear(session->deadline);
        if (read_error) {
            break;
        }
        auto message = parser.release();
        keep = message.keep_alive();
        HttpRequest request;
        request.method = method_of(message.method());
        request.body = std::move(message.body());
        HttpResponse response;
        std::exception_ptr failure;
        if (!allowed) {
            response = plain_error(
                403, "only root, the daemon's user and members of mailflow-admin may administer");
        } else if (!parse_target(
                       std::string_view(message.target().data(), message.target().size()),
                       request.path,
                       request.query)) {
            response = plain_error(400, "malformed request target");
        } else {
            request.caller = *caller;
            try {
                response = co_await handler_.handle(std::move(request));
            } catch (...) {
                failure = std::current_exception();
            }
        }
        if (failure) {
            response = plain_error(500, "internal error; see the log");
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& exception) {
                lane_.log().error("admin request failed", {{"reason", exception.what()}});
            } catch (...) {
                lane_.log().error("admin request failed", {{"reason", "unknown"}});
            }
        }
        http::response<http::string_body> answer(
            static_cast<http::status>(response.status), message.version());
        answer.set(http::field::content_type, response.content_type);
        answer.body() = std::move(response.body);
        answer.keep_alive(keep);
        answer.prepare_payload();
        lane_.wheel().set(session->deadline, lane_.clock().monotonic() + kSessionIdle);
        const auto [write_error, written] =
            co_await http::async_write(session->socket, answer, use_result);
        keep = keep && !write_error;
    }
    sessions_.erase(session.get());
}

}  // namespace mailflow

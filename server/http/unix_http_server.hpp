// The admin API's door: HTTP over a Unix socket. Accepts callers whose uid is root's, the daemon's,
// or who belong to the admin group; the others get 403 and a log line. Lives on the console lane.
#pragma once

#include "server/http/http_message.hpp"
#include "transport/base/result.hpp"
#include "transport/net/lane.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <memory>
#include <set>
#include <string>

namespace mailflow {

class UnixHttpServer {
  public:
    using Protocol = asio::local::stream_protocol;
    using Socket = asio::basic_stream_socket<Protocol, Executor>;

    // `lane` and `handler` outlive the server; the server outlives its tasks (stop, then wait for
    // the lane's tasks).
    UnixHttpServer(Lane& lane, HttpHandler& handler);
    ~UnixHttpServer();
    UnixHttpServer(const UnixHttpServer&) = delete;
    UnixHttpServer& operator=(const UnixHttpServer&) = delete;

    // Binds `path` (mode 0660 and the group `mailflow-admin` when that exists, else 0600) and
    // accepts. A socket file nobody listens on is replaced.
    Result<> listen(const std::string& path);
    // Closes the door and every session.
    void stop();

  private:
    struct Session;
    class SessionDeadline;

    Task<void> accept_loop();
    Task<void> serve(std::shared_ptr<Session> session);

    Lane& lane_;
    HttpHandler& handler_;
    asio::basic_socket_acceptor<Protocol, Executor> acceptor_;
    std::set<Session*> sessions_;
    std::string path_;
};

}  // namespace mailflow

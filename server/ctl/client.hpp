// One request to the daemon over its Unix socket, and the answer. Blocking: smtpctl has nothing
// else to do.
#pragma once

#include <boost/json/value.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace mailflow::ctl {

// The daemon refused or cannot be reached: printed, exit 1.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Client {
  public:
    explicit Client(std::string socket_path)
        : socket_path_(std::move(socket_path)) {}

    // `target` is a path with its query, already encoded. A status of 400 and above becomes a
    // Failure with the daemon's words.
    [[nodiscard]] boost::json::value get(const std::string& target) const;
    [[nodiscard]] std::string get_text(const std::string& target) const;
    [[nodiscard]] boost::json::value send(
        std::string_view method, const std::string& target, const boost::json::value& body) const;
    [[nodiscard]] boost::json::value remove(const std::string& target) const;

  private:
    [[nodiscard]] std::string request(
        std::string_view method, const std::string& target, const std::string& body) const;

    std::string socket_path_;
};

}  // namespace mailflow::ctl

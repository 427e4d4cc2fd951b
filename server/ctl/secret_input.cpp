#include "server/ctl/secret_input.hpp"

#include "config/schema/values.hpp"
#include "server/ctl/arguments.hpp"
#include "server/ctl/client.hpp"

#include <cerrno>
#include <string_view>
#include <termios.h>
#include <unistd.h>

namespace mailflow::ctl {

namespace {

// Longer lines are cut; they are over any limit anyway.
constexpr std::size_t kMaxLine = 16384;

// The terminal does not show what is typed as long as this lives.
class NoEcho {
  public:
    explicit NoEcho(int terminal)
        : terminal_(terminal) {
        if (::tcgetattr(terminal_, &before_) != 0) {
            throw Failure("the terminal cannot be made not to show the password");
        }
        auto silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        silent.c_lflag |= ECHONL;
        if (::tcsetattr(terminal_, TCSADRAIN, &silent) != 0) {
            throw Failure("the terminal cannot be made not to show the password");
        }
    }

    ~NoEcho() { ::tcsetattr(terminal_, TCSADRAIN, &before_); }

    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

  private:
    int terminal_;
    termios before_{};
};

void say(int terminal, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(terminal, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return;
        }
        text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
}

std::string read_line(int terminal) {
    std::string line;
    char c = 0;
    for (;;) {
        const auto count = ::read(terminal, &c, 1);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            throw Failure("the terminal was closed; nothing was changed");
        }
        if (c == '\n') {
            return line;
        }
        if (line.size() < kMaxLine) line += c;
    }
}

std::string checked(std::string secret, std::size_t longest) {
    const auto problem = schema::check_secret(secret, longest);
    if (!problem.empty()) {
        throw Failure("the password " + problem);
    }
    return secret;
}

}  // namespace

boost::json::value secret_value(
    const schema::Field& field, const std::string& value, const ReadSecret& read) {
    if (value == "-") {
        return boost::json::value(read(std::string(field.name), schema::longest_secret(field)));
    }
    if (value == "none") {
        return nullptr;
    }
    const auto flag = "--" + field.flag;
    throw UsageError(
        flag +
        " is not taken from the command line, where every user of this host could read it: "
        "write " +
        flag + " - and type it or pipe it in; " + flag + " none removes it");
}

std::string read_secret_line(std::istream& in, std::size_t longest) {
    std::string line;
    if (!std::getline(in, line)) {
        throw Failure("the password is missing: the input has no line");
    }
    if (line.ends_with('\r')) {
        line.pop_back();
    }
    return checked(std::move(line), longest);
}

std::string ask_secret(int terminal, const std::string& question, std::size_t longest) {
    const NoEcho silence(terminal);
    say(terminal, question + ": ");
    auto first = checked(read_line(terminal), longest);
    say(terminal, question + ", once more: ");
    if (read_line(terminal) != first) {
        throw Failure("the two are not the same; nothing was changed");
    }
    return first;
}

}  // namespace mailflow::ctl

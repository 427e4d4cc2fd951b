#include "server/ctl/secret_input.hpp"

#include "server/ctl/arguments.hpp"
#include "server/ctl/client.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

using namespace mailflow;
using namespace mailflow::ctl;
using Catch::Matchers::Contains;

namespace {

schema::Field password_field() {
    schema::Field field;
    field.name = "password";
    field.flag = "password";
    field.kind = schema::ValueKind::secret;
    return field;
}

std::string line_of(const std::string& input) {
    std::istringstream in(input);
    return read_secret_line(in);
}

// A terminal with somebody at it: what is typed, and what the screen shows.
class Terminal {
  public:
    Terminal()
        : person_(::posix_openpt(O_RDWR | O_NOCTTY)) {
        REQUIRE(::grantpt(person_) == 0);
        REQUIRE(::unlockpt(person_) == 0);
        std::string name(128, '\0');
        REQUIRE(::ptsname_r(person_, name.data(), name.size()) == 0);
        program_ = ::open(name.c_str(), O_RDWR | O_NOCTTY);
        REQUIRE(program_ >= 0);
    }

    ~Terminal() {
        ::close(program_);
        ::close(person_);
    }

    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // Without the echo of the moment of typing: the program turns it off when it asks.
    void type(const std::string& text) {
        set_echo(false);
        REQUIRE(::write(person_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        // The kernel takes it in behind our back; what it has not yet taken in would be shown.
        constexpr int kPatience = 30'000;
        pollfd arrived{program_, POLLIN, 0};
        int there = 0;
        while (there < static_cast<int>(text.size())) {
            REQUIRE(::poll(&arrived, 1, kPatience) == 1);
            REQUIRE(::ioctl(program_, FIONREAD, &there) == 0);
        }
        set_echo(true);
    }

    [[nodiscard]] bool echoes() const {
        termios now{};
        return ::tcgetattr(program_, &now) == 0 && (now.c_lflag & ECHO) != 0;
    }

    [[nodiscard]] std::string screen() const {
        std::string text(1024, '\0');
        const auto count = ::read(person_, text.data(), text.size());
        text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
        return text;
    }

    [[nodiscard]] int program() const { return program_; }

  private:
    void set_echo(bool on) const {
        termios now{};
        ::tcgetattr(program_, &now);
        now.c_lflag = on ? now.c_lflag | ECHO : now.c_lflag & ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(program_, TCSANOW, &now);
    }

    int person_;
    int program_ = -1;
};

}  // namespace

TEST_CASE("A secret is asked for, removed, or refused on the command line", "[ctl][secret]") {
    const auto field = password_field();
    int asked = 0;
    const ReadSecret read = [&asked](const std::string&, std::size_t) {
        ++asked;
        return std::string("pencil");
    };

    CHECK(secret_value(field, "-", read) == "pencil");
    CHECK(secret_value(field, "none", read).is_null());
    CHECK(asked == 1);
    for (const auto* value : {"hunter2", "true", "", "None"}) {
        CAPTURE(value);
        CHECK_THROWS_AS(secret_value(field, value, read), UsageError);
    }
    CHECK_THROWS_WITH(
        secret_value(field, "hunter2", read), Contains("--password -") && !Contains("hunter2"));
    CHECK(asked == 1);
}

TEST_CASE("A piped secret is one line, every octet of it", "[ctl][secret]") {
    CHECK(line_of("pencil\n") == "pencil");
    CHECK(line_of("pencil") == "pencil");
    CHECK(line_of("pencil\r\n") == "pencil");
    CHECK(line_of("  pen cil \nmore\n") == "  pen cil ");
    CHECK(line_of(std::string(256, 'a')) == std::string(256, 'a'));
}

TEST_CASE("What is no secret is refused in words", "[ctl][secret]") {
    CHECK_THROWS_WITH(line_of(""), Contains("missing"));
    CHECK_THROWS_WITH(line_of("\n"), Contains("empty"));
    CHECK_THROWS_WITH(line_of(std::string(257, 'a')), Contains("too long: at most 256"));
    CHECK_THROWS_WITH(line_of("pen\tcil\n"), Contains("control character"));
    CHECK_THROWS_WITH(line_of("pencil\x1b[A"), Contains("control") && !Contains("pencil"));
}

TEST_CASE("A secret is typed twice and not shown", "[ctl][secret]") {
    Terminal terminal;
    terminal.type("pencil\npencil\n");

    CHECK(ask_secret(terminal.program(), "password") == "pencil");

    CHECK(terminal.echoes());
    CHECK_THAT(terminal.screen(), Contains("password: ") && !Contains("pencil"));
}

TEST_CASE("A secret mistyped once changes nothing", "[ctl][secret]") {
    Terminal terminal;
    terminal.type("pencil\npencli\n");

    CHECK_THROWS_AS(ask_secret(terminal.program(), "password"), Failure);

    CHECK(terminal.echoes());
}

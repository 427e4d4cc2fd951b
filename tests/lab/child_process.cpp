#include "tests/lab/child_process.hpp"

#include "tests/lab/socket.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace mailflow::lab {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCannotExecute = 127;
constexpr std::chrono::milliseconds kPoll{10};

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (auto& text : texts)
        out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
    std::vector<std::string> out;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string entry(*at);
        if (!added.contains(entry.substr(0, entry.find('=')))) out.push_back(entry);
    }
    for (const auto& [name, value] : added)
        out.push_back(name + "=" + value);
    return out;
}

// Between fork and exec in a process with threads: system calls only.
[[noreturn]] void become(char* const* command, char* const* environment, int output, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kCannotExecute);
    // Our handlers are not for the child: a signal that comes before exec ends it.
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (output >= 0) {
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
    }
    ::execvpe(command[0], command, environment);
    constexpr std::string_view kText = "cannot be executed\n";
    [[maybe_unused]] auto written =
        ::write(STDERR_FILENO, command[0], std::char_traits<char>::length(command[0]));
    written = ::write(STDERR_FILENO, ": ", 2);
    written = ::write(STDERR_FILENO, kText.data(), kText.size());
    ::_exit(kCannotExecute);
}

}  // namespace

ChildProcess::ChildProcess(const Settings& settings) {
    auto words = settings.command;
    auto variables = environment_with(settings.environment);
    const auto command = pointers(words);
    const auto environment = pointers(variables);
    Handle output;
    if (!settings.output.empty()) {
        constexpr mode_t kMode = 0644;
        output = Handle(::open(
            settings.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, kMode));
        if (!output) throw std::system_error(errno, std::generic_category(), settings.output);
    }
    const pid_t parent = ::getpid();
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_ = ::fork();
    const int error = errno;
    if (pid_ != 0) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid_ < 0) throw std::system_error(error, std::generic_category(), "fork");
    if (pid_ == 0) become(command.data(), environment.data(), output.number(), parent);
}

ChildProcess::~ChildProcess() {
    if (status()) return;
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::optional<int> ChildProcess::status() {
    if (status_) return status_;
    int raw = 0;
    const pid_t ended = ::waitpid(pid_, &raw, WNOHANG);
    if (ended == pid_) status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return status_;
}

void ChildProcess::signal(int number) const noexcept {
    if (!status_) ::kill(pid_, number);
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds patience) {
    const auto until = Clock::now() + patience;
    while (!status() && Clock::now() < until)
        ::usleep(static_cast<useconds_t>(kPoll.count() * 1000));
    return status();
}

int ChildProcess::stop(std::chrono::milliseconds patience) {
    if (status()) return *status_;
    signal(SIGTERM);
    if (const auto ended = wait(patience)) return *ended;
    signal(SIGKILL);
    int raw = 0;
    ::waitpid(pid_, &raw, 0);
    status_ = 128 + SIGKILL;
    return *status_;
}

}  // namespace mailflow::lab

// The process: bootstrap settings into threads, stores, mail flow and admin door; start order,
// signals, stop order. Used by mailflowd's main, on the main thread.
#pragma once

#include "config/bootstrap.hpp"

#include <memory>

namespace mailflow {

class Daemon {
  public:
    // `settings` are checked and final (file and command line); `config_file` is read again at HUP,
    // may be empty.
    Daemon(Bootstrap settings, std::string config_file);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    // Starts, says `ready`, serves until TERM or INT, stops. The exit status: 0 stopped as asked, 1
    // failed, 2 wrong configuration. Words about failures go to standard error and the log.
    int run();

  private:
    struct Members;
    std::unique_ptr<Members> members_;
};

}  // namespace mailflow

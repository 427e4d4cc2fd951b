// The outside world's mail servers: listens on any number of ports, takes any mail, and misbehaves
// by port or by address (behaviour.hpp). A thread per connection; its own few lines of SMTP, apart
// from the product's grammar.
#pragma once

#include "tests/lab/behaviour.hpp"
#include "tests/lab/sink_journal.hpp"
#include "tests/lab/socket.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mailflow::lab {

class SmtpSink {
  public:
    struct Port {
        Endpoint endpoint;
        Behaviour behaviour;
    };

    // Listens when it returns; port 0 takes a free one. The journal outlives the sink. Throws
    // std::system_error.
    SmtpSink(std::vector<Port> ports, SinkJournal& journal);
    ~SmtpSink();
    SmtpSink(const SmtpSink&) = delete;
    SmtpSink& operator=(const SmtpSink&) = delete;

    // In the order given, with the real ports.
    [[nodiscard]] std::vector<Endpoint> endpoints() const;

  private:
    struct Listener {
        Bound bound;
        Behaviour behaviour;
        std::thread thread;
    };

    struct Worker {
        std::thread thread;
        bool done = false;
    };

    void accept_loop(Listener& listener);
    void reap(bool all);
    // Counts one use of a failure by its key; true while it still applies.
    bool applies(const Failure& failure, const std::string& key);

    SinkJournal& journal_;
    Interrupt stop_;
    std::list<Listener> listeners_;
    std::mutex mutex_;
    std::list<Worker> workers_;
    std::map<std::string, std::uint64_t> used_;
};

}  // namespace mailflow::lab

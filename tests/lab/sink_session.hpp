// One connection to the sink, from greeting to end, on its own thread.
#pragma once

#include "tests/lab/behaviour.hpp"
#include "tests/lab/sink_journal.hpp"
#include "tests/lab/socket.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow::lab {

class SinkSessionRunner {
  public:
    // True while a failure kept by this key still applies; counts the use.
    using Applies = std::function<bool(const Failure& failure, const std::string& key)>;

    // All outlive the runner.
    SinkSessionRunner(
        LineSocket socket,
        SinkSession session,
        const Behaviour& port,
        SinkJournal& journal,
        const Applies& applies,
        const Interrupt& stop);

    void run();

  private:
    enum class Next { go_on, end };

    Next command(const std::string& line);
    Next hello(std::string_view verb, std::string_view rest);
    Next mail(std::string_view rest);
    Next rcpt(std::string_view rest);
    Next data();
    Next end_of_data(bool oversize);
    Next reply(std::string_view text);
    Next drop();

    // What the port says at this stage, carried out; nothing when it says nothing.
    std::optional<Next> port_failure(Stage stage);
    // Likewise for one address.
    std::optional<Next> address_failure(Stage stage, const std::string& address);
    // For the first recipient of the transaction that fails at this stage.
    std::optional<Next> recipient_failure(Stage stage);
    Next fail(const Failure& failure);
    void reset();

    LineSocket socket_;
    SinkSession session_;
    const Behaviour& port_;
    SinkJournal& journal_;
    const Applies& applies_;
    const Interrupt& stop_;
    bool greeted_ = false;
    bool in_mail_ = false;
    std::chrono::milliseconds slow_{0};
    SinkMessage message_;
};

}  // namespace mailflow::lab

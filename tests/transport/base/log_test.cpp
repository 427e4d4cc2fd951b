#include "transport/base/log.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace mailflow {

namespace {

class KeepingSink final : public LogSink {
  public:
    [[nodiscard]] bool on(LogLevel level) const noexcept override {
        return level >= LogLevel::info;
    }

    void write(
        LogLevel /*level*/,
        std::string_view event,
        std::initializer_list<LogField> fields) noexcept override {
        std::string line(event);
        for (const auto& field : fields) {
            line += ' ' + std::string(field.key) + '=';
            line += field.quoted ? '"' + field.text + '"' : field.text;
        }
        lines.push_back(line);
    }

    std::vector<std::string> lines;
};

}  // namespace

TEST_CASE("A log line is an event and its fields; numbers stand without quotes", "[base][log]") {
    KeepingSink sink;
    const Log log(sink);

    log.info("message accepted", {{"id", QueueId{1}}, {"size", 4096U}, {"peer", "192.0.2.1"}});

    CHECK(
        sink.lines == std::vector<std::string>{
                          R"(message accepted id="0000000000001" size=4096 peer="192.0.2.1")"});
}

TEST_CASE(
    "A level that is off writes nothing, and neither does a log without a sink", "[base][log]") {
    KeepingSink sink;

    Log(sink).debug("read");
    Log().error("lost");

    CHECK(sink.lines.empty());
    CHECK_FALSE(Log(sink).on(LogLevel::debug));
    CHECK(Log(sink).on(LogLevel::error));
    CHECK_FALSE(Log().on(LogLevel::error));
}

}  // namespace mailflow

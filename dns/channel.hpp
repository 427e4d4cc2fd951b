// One question to the name servers and what came of it: the seam between the cache and the wire.
// AresChannel asks real servers; tests script the replies. Used on one lane.
#pragma once

#include "dns/message.hpp"
#include "transport/base/task.hpp"

#include <string>

namespace mailflow::dns {

struct ChannelReply {
    // False: no usable answer (time-out, SERVFAIL from all servers, malformed); `failure` says so
    // for people.
    bool answered = false;
    Answer answer;
    std::string failure;
};

class Channel {
  public:
    virtual ~Channel() = default;

    // Ends within the channel's own time limit; never throws.
    virtual Task<ChannelReply> ask(Question question) = 0;
    // Queries under way and later ones end at once, unanswered. The lane must run on until its
    // tasks have ended before the channel is destroyed.
    virtual void stop() = 0;
};

}  // namespace mailflow::dns

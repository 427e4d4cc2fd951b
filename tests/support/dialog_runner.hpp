// Plays a conversation file against a real ReceiveServer on doubles. A line of a .dialog file is
// one of
//   # comment
//   set FIELD VALUE   before `connect`: see dialog_settings.hpp
//   connect [ADDRESS] a client connects; done by itself before the first C or S
//   hello NAME        the client says EHLO NAME and hears 250
//   offers KEYWORD    the last EHLO reply had this line; `lacks` is the opposite
//   tls [HOW]         from here on the client speaks TLS: `1.2`, `certified`, `stranger`, `http`
//                     (ALPN), `talks` (a command at once), and `fails` when the server is not to
//                     agree
//   submit F T HEADER a whole message from F to T with this header is accepted
//   C: text           the client sends the line and CRLF
//   R: text           the client sends exactly this; \r \n \t \0 \\ and \xNN are escapes
//   repeat N R: text  the same N times
//   S: text           the server's next line begins with this
//   S~ regex          the server's next line matches this as a whole
//   rest              what is left of a reply of several lines, whatever it says
//   reads N           the server gets at most N octets of the client by one read
//   quiet             the server has said nothing more
//   wait SECONDS      time passes
//   end               the client closes its sending side
//   reset             the client's connection breaks
//   stop              the server is told to stop
//   closed            the server has closed the connection
//   stored N          so many messages are in the queue, and announced
//   bodies N          so many bodies are kept
//   body text         the last message's body, escapes as above
//   header text       the last message's header as it will be sent holds this; `no-header` is the
//                     opposite
//   envelope text     the last message's envelope and origin, as the fixture writes them, hold this
//   logged text       some log line holds this
// Each file is played twice: with whole pieces and octet by octet (`set pieces whole` forbids the
// second).
#pragma once

#include <string>

namespace mailflow {

// Throws std::runtime_error with file, line and both texts when the conversation goes otherwise.
void run_dialog(const std::string& path);

}  // namespace mailflow

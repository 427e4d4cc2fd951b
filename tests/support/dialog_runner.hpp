// Plays a conversation file against a real ReceiveServer on doubles. A line of a .dialog file is
// one of
//   # comment
//   set FIELD VALUE          before `connect`: a setting of the connector, the organization or a
//   double (see .cpp) connect [ADDRESS]        a client connects; done by itself before the first C
//   or S C: text                  the client sends the line and CRLF R: text                  the
//   client sends exactly this; \r \n \t \0 \\ and \xNN are escapes repeat N R: text         the
//   same N times S: text                  the server's next line begins with this S~ regex the
//   server's next line matches this as a whole quiet                    the server has said nothing
//   more wait SECONDS             time passes end                      the client closes its
//   sending side reset                    the client's connection breaks stop the server is told to
//   stop closed                   the server has closed the connection stored N                 so
//   many messages are in the queue, and announced bodies N                 so many bodies are kept
//   body text                the last message's body, escapes as above
//   logged text              some log line holds this
// Each file is played twice: with whole pieces and octet by octet (`set pieces whole` forbids the
// second).
#pragma once

#include <string>

namespace mailflow {

// Throws std::runtime_error with file, line and both texts when the conversation goes otherwise.
void run_dialog(const std::string& path);

}  // namespace mailflow

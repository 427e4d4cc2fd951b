// Content on its way out through DATA: dot-stuffing (RFC 5321 §4.5.2), the final CRLF.CRLF, and
// never a CR or LF alone (attack case 3): a bare LF becomes CRLF, a bare CR a blank. Long lines
// pass unchanged. One per transaction; pure.
#pragma once

#include <string>
#include <string_view>

namespace mailflow::smtp {

class DataEncoder {
  public:
    // Appends the encoded octets to `out`.
    void encode(std::string_view bytes, std::string& out);
    // Ends an unfinished last line and appends the final dot.
    void finish(std::string& out);

  private:
    bool line_start_ = true;
    bool pending_cr_ = false;  // a CR that ended the last piece; its LF may come
};

}  // namespace mailflow::smtp

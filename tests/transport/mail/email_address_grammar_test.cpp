// The grammar of addresses as SMTP has it, address by address: what is read and in which form it is
// written, what is refused and by which rule. Topics and their order are those of the published
// collections of corner cases; the addresses are made from the grammar. Where RFC 5322 has more
// (comments, folds, obsolete forms), SMTP refuses it.
#include "transport/base/error.hpp"
#include "transport/mail/path.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

namespace mailflow {

namespace {

struct Row {
    std::string text;
    std::string written;  // empty: refused; `=`: as it was read
    const char* why;
};

using Rows = std::vector<Row>;

std::string times(std::size_t count, const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

void check(const Rows& rows) {
    for (const auto& row : rows) {
        CAPTURE(row.text, row.why);
        const auto address = EmailAddress::parse(row.text);
        if (row.written.empty()) {
            CHECK(address.has_error());
            continue;
        }
        REQUIRE(address.has_value());
        const auto written = address->text();
        CHECK(written == (row.written == "=" ? row.text : row.written));
        CHECK(EmailAddress::parse(written).value() == *address);
    }
}

Rows structure() {
    return {
        {"", "", "empty"},
        {"a", "", "no domain"},
        {"@", "", "neither part"},
        {"a@", "", "no domain behind @"},
        {"@a", "", "no local part"},
        {"@a.example", "", "no local part"},
        {"a@b", "=", "a single label is a Domain (section 4.1.2)"},
        {"alice@example.com", "=", "Mailbox"},
        {"a@b.c", "=", "one letter each"},
        {"a@b@c", "", "@ is no atext"},
        {"a@@b", "", "an empty part"},
        {"a@b.example@", "", "@ ends no Domain"},
        {"alice example.com", "", "no @"},
        {"alice.example.com", "", "no @"},
        {"a,b@d", "", "comma is special"},
        {"a;b@d", "", "semicolon is special"},
        {"a:b@d", "", "colon is special"},
        {"a<b@d", "", "< is special"},
        {"a>b@d", "", "> is special"},
        {"a[b@d", "", "[ is special"},
        {"a]b@d", "", "] is special"},
        {R"(a\b@d)", "", "backslash is special"},
        {"<a@d>", "", "brackets belong to the Path"},
        {"Alice <a@d>", "", "a display name is RFC 5322's"},
        {"mailto:a@d", "", "colon is special"},
        {"a@d,b@e", "", "one Mailbox, no list"},
        {"team:a@d;", "", "no group"},
        {"@relay:a@d", "", "a source route belongs to the Path"},
    };
}

Rows local_part() {
    return {
        {"1@d", "=", "a digit is atext"},
        {"1234567890@d", "=", "digits"},
        {"AbC@d", "=", "the case of a local part stays"},
        {"!@d", "=", "atext"},
        {"#@d", "=", "atext"},
        {"$@d", "=", "atext"},
        {"%@d", "=", "atext"},
        {"&@d", "=", "atext"},
        {"'@d", "=", "atext"},
        {"*@d", "=", "atext"},
        {"+@d", "=", "atext"},
        {"-@d", "=", "atext"},
        {"/@d", "=", "atext"},
        {"=@d", "=", "atext"},
        {"?@d", "=", "atext"},
        {"^@d", "=", "atext"},
        {"_@d", "=", "atext"},
        {"`@d", "=", "atext"},
        {"{@d", "=", "atext"},
        {"|@d", "=", "atext"},
        {"}@d", "=", "atext"},
        {"~@d", "=", "atext"},
        {"!#$%&'*+-/=?^_`{|}~@d", "=", "all of atext"},
        {"bob+lists@d", "=", "a subaddress is atext"},
        {"a%b@d", "=", "the percent hack is for the host to know"},
        {"a!b@d", "=", "a bang path is for the host to know"},
        {"-a-@d", "=", "hyphens stand anywhere in a local part"},
        {"a.b@d", "=", "Dot-string"},
        {"a.b.c.d.e@d", "=", "Dot-string"},
        {"a.!.b@d", "=", "an atom of one special"},
        {".@d", "", "no atom"},
        {"..@d", "", "no atom"},
        {".a@d", "", "a dot first"},
        {"a.@d", "", "a dot last"},
        {"a..b@d", "", "an empty atom"},
        {"a...b@d", "", "empty atoms"},
        {" a@d", "", "a blank is no atext"},
        {"a @d", "", "a blank is no atext"},
        {"a b@d", "", "a blank is no atext"},
        {"a. b@d", "", "blanks around dots are obsolete (RFC 5322 section 4.4)"},
        {"a .b@d", "", "blanks around dots are obsolete"},
        {"\ta@d", "", "a tab is no atext"},
    };
}

Rows quoted_strings() {
    return {
        {R"("a"@d)", "a@d", "quotes that are not needed go"},
        {R"("a.b"@d)", "a.b@d", "quotes that are not needed go"},
        {R"(""@d)", "=", "a Quoted-string may be empty"},
        {R"(" "@d)", "=", "qtextSMTP has the blank"},
        {R"("   "@d)", "=", "blanks are kept"},
        {R"(" a"@d)", "=", "a blank first"},
        {R"("a "@d)", "=", "a blank last"},
        {R"("a b"@d)", "=", "a blank inside"},
        {R"("."@d)", "=", "a dot alone must be quoted"},
        {R"(".a"@d)", "=", "a dot first must be quoted"},
        {R"("a."@d)", "=", "a dot last must be quoted"},
        {R"("a..b"@d)", "=", "two dots must be quoted"},
        {R"("@"@d)", "=", "@ must be quoted"},
        {R"("a@b"@d)", "=", "@ must be quoted"},
        {R"("a@b.c@d"@e)", "=", "@ must be quoted"},
        {"\"(a)\"@d", "=", "no comment inside of quotes"},
        {R"("<a>"@d)", "=", "brackets inside of quotes"},
        {R"("[a]"@d)", "=", "brackets inside of quotes"},
        {R"("a,b;c:d"@e)", "=", "specials inside of quotes"},
        {R"("a'b"@d)", "a'b@d", "a single quote is atext"},
        {R"("!#$%&'*+-/=?^_`{|}~"@d)", "!#$%&'*+-/=?^_`{|}~@d", "atext needs no quotes"},
        {R"("\""@d)", "=", "quoted-pairSMTP"},
        {R"("\\"@d)", "=", "quoted-pairSMTP"},
        {R"("\a"@d)", "a@d", "a quoted pair that is not needed"},
        {R"("\ "@d)", R"(" "@d)", "a quoted pair that is not needed"},
        {R"("\@"@d)", R"("@"@d)", "a quoted pair that is not needed"},
        {R"("a\"b"@d)", "=", "a quote is quoted"},
        {R"("a\\b"@d)", "=", "a backslash is quoted"},
        {R"("a\\\"b"@d)", "=", "both, one after the other"},
        {R"("\~"@d)", "~@d", "quoted-pairSMTP ends at 126"},
        {R"("\"@d)", "", "the quote is quoted: no end"},
        {R"("a\"@d)", "", "the quote is quoted: no end"},
        {R"("\\\"@d)", "", "the quote is quoted: no end"},
        {R"(")", "", "a quote alone"},
        {R"("")", "", "no domain"},
        {R"("@d)", "", "no end"},
        {R"("a@d)", "", "no end"},
        {R"(a"@d)", "", "no beginning"},
        {R"("""@d)", "", "a quote inside of quotes"},
        {R"("a"b"@d)", "", "a quote inside of quotes"},
        {R"("a""b"@d)", "", "one Quoted-string only"},
        {R"("a"b@d)", "", "a Quoted-string is a whole local part in SMTP"},
        {R"(a"b"@d)", "", "a Quoted-string is a whole local part in SMTP"},
        {R"("a".b@d)", "", "words with dots are obsolete (RFC 5322 section 4.4)"},
        {R"(a."b"@d)", "", "words with dots are obsolete"},
        {R"("a"."b"@d)", "", "words with dots are obsolete"},
        {R"("a" @d)", "", "a blank behind the quotes"},
        {R"( "a"@d)", "", "a blank before the quotes"},
        {"\"a\tb\"@d", "", "qtextSMTP has no tab"},
        {"\"a\\\tb\"@d", "", "quoted-pairSMTP has no tab"},
        {"\"a\rb\"@d", "", "qtextSMTP has no CR"},
        {"\"a\nb\"@d", "", "qtextSMTP has no LF"},
        {"\"a\r\n b\"@d", "", "no fold in SMTP"},
        {"\"a\\\r\n b\"@d", "", "no quoted line end"},
        {std::string("\"a\0b\"@d", 7), "", "no NUL"},
        {std::string("\"\\\0\"@d", 6), "", "no quoted NUL (RFC 5322 section 4.1 has it)"},
        {"\"\x01\"@d", "", "no control"},
        {"\"\\\x01\"@d", "", "no quoted control"},
        {"\"\x7f\"@d", "", "no DEL"},
        {"\"\\\x7f\"@d", "", "no quoted DEL"},
        {"\"\\\xc3\xb6\"@d", "", "a quoted pair is ASCII (RFC 6531 adds qtext only)"},
    };
}

Rows lengths() {
    const auto label = std::string(63, 'd');
    const auto longest = label + '.' + label + '.' + label + '.' + label;
    return {
        {std::string(64, 'a') + "@d", "=", "a local part of 64 (section 4.5.3.1.1)"},
        {std::string(65, 'a') + "@d", "", "a local part of 65"},
        {times(31, "a.") + "aa@d", "=", "64 with dots"},
        {times(32, "a.") + "a@d", "", "65 with dots"},
        {'"' + std::string(62, ' ') + "\"@d", "=", "64 with quotes"},
        {'"' + std::string(63, ' ') + "\"@d", "", "65 with quotes"},
        {'"' + times(31, "\\\\") + "\"@d", "=", "64 with backslashes"},
        {'"' + times(32, "\\\\") + "\"@d", "", "66 with backslashes"},
        {times(32, "\xc3\xb6") + "@d", "=", "64 octets in 32 characters"},
        {times(33, "\xc3\xb6") + "@d", "", "66 octets in 33 characters"},
        {times(16, "\xf0\x9f\x93\xa7") + "@d", "=", "64 octets in 16 characters"},
        {"a@" + label, "=", "a label of 63 (RFC 1035 section 2.3.4)"},
        {"a@" + label + 'd', "", "a label of 64"},
        {"a@" + label + ".d", "=", "a label of 63"},
        {"a@d." + label, "=", "a last label of 63"},
        {"a@d." + label + "d.e", "", "a label of 64 inside"},
        {"a@" + longest, "=", "a domain of 255 (section 4.5.3.1.2)"},
        {"a@" + longest + ".d", "", "a domain of 257"},
        {"a@" + longest.substr(1) + ".d", "", "a domain of 256"},
        {"a@" + times(127, "d.") + "d", "=", "128 labels in 255 octets"},
        {"a@" + times(128, "d.") + "d", "", "257 octets"},
        {std::string(1'000, 'a') + "@d", "", "far too long"},
        {"a@" + std::string(10'000, 'd'), "", "far too long"},
        {"a@[" + std::string(300, '1') + ']', "", "no literal is as long"},
    };
}

Rows domains() {
    return {
        {"a@EXAMPLE.Com", "a@example.com", "domains ignore case"},
        {"a@d-e.example", "=", "a hyphen inside"},
        {"a@d--e.example", "=", "hyphens inside"},
        {"a@1.example", "=", "a label of digits (RFC 1123 section 2.1)"},
        {"a@1a.example", "=", "a digit first"},
        {"a@a1.example", "=", "a digit last"},
        {"a@example.1", "=", "a last label of digits is a sub-domain"},
        {"a@1.2.3", "=", "three numbers are no address"},
        {"a@1.2.3.4.5", "=", "five numbers are no address"},
        {"a@1.2.3.4", "", "an address needs its brackets"},
        {"a@255.255.255.255", "", "an address needs its brackets"},
        {"a@localhost", "=", "a name like others"},
        {"a@x.museum", "=", "any top domain"},
        {"a@xn--bcher-kva.example", "=", "an A-label"},
        {"a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example", "A-labels ignore case"},
        {"a@-d", "", "a hyphen first"},
        {"a@d-", "", "a hyphen last"},
        {"a@-", "", "a hyphen alone"},
        {"a@-d.example", "", "a hyphen first in a label"},
        {"a@d-.example", "", "a hyphen last in a label"},
        {"a@d.-e", "", "a hyphen first in the last label"},
        {"a@.", "", "no label"},
        {"a@.d", "", "a dot first"},
        {"a@d.", "", "a dot last: the root is not written in SMTP"},
        {"a@d..e", "", "an empty label"},
        {"a@d_e", "", "no underscore (Let-dig / \"-\")"},
        {"a@_d.example", "", "no underscore"},
        {"a@d!e", "", "no atext but Let-dig"},
        {"a@d+e", "", "no atext but Let-dig"},
        {"a@d/e", "", "no atext but Let-dig"},
        {"a@d%e", "", "no atext but Let-dig"},
        {"a@d&e", "", "no atext but Let-dig"},
        {"a@*.example", "", "no wildcard"},
        {"a@d e", "", "a blank inside"},
        {"a@ d", "", "a blank first"},
        {"a@d ", "", "a blank last"},
        {"a@d. e", "", "blanks around dots are obsolete"},
        {"a@d\t", "", "a tab"},
        {"a@\"d\"", "", "no quotes in a domain"},
        {"a@(d)", "", "a comment"},
        {"a@<d>", "", "brackets"},
        {R"(a@d\e)", "", "a backslash"},
        {"a@d:25", "", "no port"},
        {"a@#123", "", "the # form of RFC 821 is gone"},
    };
}

Rows literals() {
    return {
        {"a@[192.0.2.1]", "=", "IPv4-address-literal (section 4.1.3)"},
        {"a@[0.0.0.0]", "=", "Snum from 0"},
        {"a@[255.255.255.255]", "=", "Snum to 255"},
        {"a@[192.000.002.001]", "a@[192.0.2.1]", "Snum = 1*3DIGIT, decimal"},
        {"a@[010.0.0.1]", "a@[10.0.0.1]", "Snum is never octal"},
        {"a@[0192.0.2.1]", "", "Snum has three digits"},
        {"a@[256.0.2.1]", "", "Snum over 255"},
        {"a@[192.0.2.256]", "", "Snum over 255"},
        {"a@[192.0.2.999]", "", "Snum over 255"},
        {"a@[192.0.2]", "", "three numbers"},
        {"a@[192.0.2.1.1]", "", "five numbers"},
        {"a@[192.0.2.]", "", "an empty number"},
        {"a@[.192.0.2.1]", "", "an empty number"},
        {"a@[192..2.1]", "", "an empty number"},
        {"a@[1]", "", "one number"},
        {"a@[0xc0.0.2.1]", "", "no hexadecimal"},
        {"a@[+1.0.2.1]", "", "no sign"},
        {"a@[192.0.2.1", "", "no end"},
        {"a@192.0.2.1]", "", "no beginning"},
        {"a@[]", "", "empty"},
        {"a@[", "", "a bracket alone"},
        {"a@]", "", "a bracket alone"},
        {"a@[[192.0.2.1]]", "", "brackets twice"},
        {"a@[192.0.2.1]x", "", "something behind"},
        {"a@[192.0.2.1].d", "", "something behind"},
        {"a@x[192.0.2.1]", "", "something before"},
        {"a@[ 192.0.2.1]", "", "no blank"},
        {"a@[192.0.2.1 ]", "", "no blank"},
        {"a@[192.0. 2.1]", "", "no blank"},
        {"a@[192.0.2.1/24]", "", "no prefix length"},
        {"a@[example.com]", "", "no name"},
        {R"(a@[192.0.2.\1])", "", "quoted pairs in literals are obsolete"},
        {"a@[x-tag:data]", "", "a tag that names nothing"},
        {"a@[IPv4:192.0.2.1]", "", "IPv4 has no tag"},
        {"a@[:]", "", "no tag"},
        {"a@[IPv6:]", "", "no address"},
        {"a@[IPv6]", "", "no address"},
    };
}

Rows ipv6_literals() {
    return {
        {"a@[IPv6:2001:db8:1:2:3:4:5:6]", "=", "IPv6-full"},
        {"a@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888]", "=", "IPv6-full"},
        {"a@[IPv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]", "hexadecimal ignores case"},
        {"a@[ipv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", "the tag ignores case (RFC 5234)"},
        {"a@[IPV6:2001:db8::1]", "a@[IPv6:2001:db8::1]", "the tag ignores case"},
        {"a@[IPv6:2001:0db8:0000::0001]", "a@[IPv6:2001:db8::1]", "IPv6-hex = 1*4HEXDIG"},
        {"a@[IPv6:::]", "=", "IPv6-comp without groups"},
        {"a@[IPv6:::1]", "=", "IPv6-comp without first groups"},
        {"a@[IPv6:1::]", "=", "IPv6-comp without last groups"},
        {"a@[IPv6:2001:db8::]", "=", "IPv6-comp without last groups"},
        {"a@[IPv6:1::2]", "=", "IPv6-comp"},
        {"a@[IPv6:1:2:3:4:5:6::]", "=", "six groups and ::"},
        {"a@[IPv6:::3:4:5:6:7:8]", "=", "six groups and ::"},
        {"a@[IPv6:1:2:3::6:7:8]", "=", "six groups and ::"},
        {"a@[IPv6:1:2:3:4:5:6:7::]",
         "a@[IPv6:1:2:3:4:5:6:7:0]",
         ":: for one group (RFC 4291 section 2.2; section 4.1.3 would have two)"},
        {"a@[IPv6:::2:3:4:5:6:7:8]", "a@[IPv6:0:2:3:4:5:6:7:8]", ":: for one group"},
        {"a@[IPv6:1:2:3:4:5:6:192.0.2.1]", "a@[IPv6:1:2:3:4:5:6:c000:201]", "IPv6v4-full"},
        {"a@[IPv6:64:ff9b::192.0.2.1]", "a@[IPv6:64:ff9b::c000:201]", "IPv6v4-comp"},
        {"a@[IPv6:::ffff:192.0.2.1]", "a@[192.0.2.1]", "an IPv4 address in IPv6 is that address"},
        {"a@[IPv6:::ffff:192.000.002.001]", "a@[192.0.2.1]", "Snum = 1*3DIGIT"},
        {"a@[2001:db8::1]", "", "the tag is needed"},
        {"a@[::1]", "", "the tag is needed"},
        {"a@[IPv6:192.0.2.1]", "", "IPv4 has no tag"},
        {"a@[IPv6:1:2:3:4:5:6:7]", "", "seven groups"},
        {"a@[IPv6:1:2:3:4:5:6:7:8:9]", "", "nine groups"},
        {"a@[IPv6:1:2:3:4:5:6:7:8::]", "", "eight groups and ::"},
        {"a@[IPv6:1:2:3:4::5:6:7:8]", "", "eight groups and ::"},
        {"a@[IPv6:1::2::3]", "", ":: twice"},
        {"a@[IPv6:1:::2]", "", "three colons"},
        {"a@[IPv6::::1]", "", "three colons"},
        {"a@[IPv6:1:2:3:4:5:6:7:8:]", "", "a colon last"},
        {"a@[IPv6::1:2:3:4:5:6:7:8]", "", "a colon first"},
        {"a@[IPv6:1:2]", "", "two groups without ::"},
        {"a@[IPv6:12345::]", "", "five digits"},
        {"a@[IPv6:g::1]", "", "no hexadecimal"},
        {"a@[IPv6:1:2:3:4:5:6:7:192.0.2.1]", "", "seven groups and IPv4"},
        {"a@[IPv6:1:2:3:4:5:192.0.2.1]", "", "five groups and IPv4"},
        {"a@[IPv6:::192.0.2]", "", "a broken IPv4"},
        {"a@[IPv6:::192.0.2.256]", "", "a broken IPv4"},
        {"a@[IPv6:192.0.2.1::]", "", "IPv4 stands last"},
        {"a@[IPv6:fe80::1%eth0]", "", "no zone"},
        {"a@[IPv6:2001:db8::1/64]", "", "no prefix length"},
        {"a@[IPv6: 2001:db8::1]", "", "no blank"},
        {"a@[IPv6-2001:db8::1]", "", "a tag that names nothing"},
        {"a@IPv6:2001:db8::1", "", "no brackets"},
    };
}

Rows white_space_and_comments() {
    return {
        {"(x)a@d", "", "comments are RFC 5322's"},
        {"a(x)@d", "", "a comment"},
        {"a@(x)d", "", "a comment"},
        {"a@d(x)", "", "a comment"},
        {"a@d (x)", "", "a comment"},
        {"(a@d)", "", "a comment alone"},
        {"a.(x)b@d", "", "a comment between atoms"},
        {"a@d.(x)e", "", "a comment between labels"},
        {"((x)y)a@d", "", "a comment in a comment"},
        {"(a@d", "", "a comment without end"},
        {"a@d)", "", "a comment without beginning"},
        {"a@[192.0.2.1](x)", "", "a comment behind a literal"},
        {"\r\n a@d", "", "a fold"},
        {"a\r\n @d", "", "a fold"},
        {"a@\r\n d", "", "a fold"},
        {"a@d\r\n ", "", "a fold"},
        {"a@d\r\n", "", "a line end"},
        {"a@d\n", "", "a line end"},
        {"a@d\r", "", "half a line end"},
        {"a\n@d", "", "half a line end"},
        {"a@\n\rd", "", "a line end turned around"},
        {"a@d\r\nRCPT TO:<b@d>", "", "a command behind a line end"},
        {" \r\n a@d", "", "blanks and a fold"},
        {"\va@d", "", "a vertical tab"},
        {"a@d\f", "", "a form feed"},
        {std::string("a\0@d", 4), "", "NUL"},
        {std::string("a@d\0", 4), "", "NUL at the end"},
        {std::string("\0a@d", 4), "", "NUL at the beginning"},
        {"\x01@d", "", "a control"},
        {"a\x1b@d", "", "escape"},
        {"a@\x01", "", "a control"},
        {"\x7f@d", "", "DEL"},
        {"a@d\x7f", "", "DEL"},
        {"a@[192.0.2.1\r\n]", "", "a fold in a literal"},
    };
}

Rows internationalized() {
    return {
        {"\xc3\xb6@d", "=", "UTF8-non-ascii is atext (RFC 6531 section 3.3)"},
        {"j\xc3\xb6rg.m\xc3\xbcller@d", "=", "Dot-string in UTF-8"},
        {"\xe6\x9d\x8e@d", "=", "three octets"},
        {"\xf0\x9f\x93\xa7@d", "=", "four octets"},
        {"\xd0\xb8\xd0\xb2\xd0\xb0\xd0\xbd@d", "=", "Cyrillic"},
        {"\xd8\xb9\xd9\x84\xd9\x8a@d", "=", "written from right to left"},
        {"\"\xc3\xb6\"@d", "\xc3\xb6@d", "quotes that are not needed go"},
        {"\"\xc3\xb6 x\"@d", "=", "qtextSMTP in UTF-8"},
        {"\xc2\xa0@d", "=", "a no-break space is no blank of the grammar"},
        {"o\xcc\x88@d", "=", "a local part is not normalized"},
        {"a@b\xc3\xbc"
         "cher.example",
         "a@xn--bcher-kva.example",
         "a U-label"},
        {"a@B\xc3\x9c"
         "CHER.example",
         "a@xn--bcher-kva.example",
         "a U-label in capitals"},
        {"a@fu\xc3\x9f.example", "a@xn--fu-hia.example", "IDNA 2008, non-transitional"},
        {"\xc3\xb6@\xc3\xb6.example", "\xc3\xb6@xn--nda.example", "both parts"},
        {"a@\xe4\xbe\x8b\xe5\xad\x90.example", "a@xn--fsqu00a.example", "a U-label"},
        {".\xc3\xb6@d", "", "a dot first"},
        {"\xc3\xb6..a@d", "", "an empty atom"},
        {"\x80@d", "", "a tail alone"},
        {"\xbf@d", "", "a tail alone"},
        {"\xc3@d", "", "cut short"},
        {"\xc3(@d", "", "a tail is missing"},
        {"\xe2\x82@d", "", "cut short"},
        {"\xf0\x9f\x93@d", "", "cut short"},
        {"\xc0\x80@d", "", "overlong NUL"},
        {"\xc0\xae@d", "", "overlong dot"},
        {"\xc1\x80@d", "", "overlong @"},
        {"\xe0\x80\xae@d", "", "overlong in three"},
        {"\xf0\x80\x80\xae@d", "", "overlong in four"},
        {"\xed\xa0\x80@d", "", "half of a surrogate pair"},
        {"\xed\xbf\xbf@d", "", "half of a surrogate pair"},
        {"\xf4\x90\x80\x80@d", "", "over U+10FFFF"},
        {"\xf5\x80\x80\x80@d", "", "over U+10FFFF"},
        {"\xfe@d", "", "no UTF-8"},
        {"\xff@d", "", "no UTF-8"},
        {"\xc2\x80@d", "", "a control of C1"},
        {"\xc2\x85@d", "", "next line, a control of C1"},
        {"\xc2\x9f@d", "", "the last control of C1"},
        {"\"\xc2\x85\"@d", "", "a control of C1 in quotes"},
        {"a@\xff", "", "no UTF-8 in a domain"},
        {"a@d\xc3", "", "cut short in a domain"},
        {"a@d\xc2\xa0", "", "a no-break space is in no U-label"},
        {"a@\xc3\xb6-.example", "", "a hyphen last in a U-label"},
        {"a@-\xc3\xb6.example", "", "a hyphen first in a U-label"},
        {"a@" + times(60, "\xc3\xb6") + ".example", "", "an A-label over 63"},
    };
}

Rows all_rows() {
    Rows all;
    for (const auto& rows :
         {structure(),
          local_part(),
          quoted_strings(),
          lengths(),
          domains(),
          literals(),
          ipv6_literals(),
          white_space_and_comments(),
          internationalized()}) {
        all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
}

}  // namespace

TEST_CASE("RFC 5321 section 4.1.2: local part, @, domain", "[mail][address][grammar]") {
    check(structure());
}

TEST_CASE("RFC 5321 section 4.1.2: Dot-string", "[mail][address][grammar]") {
    check(local_part());
}

TEST_CASE("RFC 5321 section 4.1.2: Quoted-string", "[mail][address][grammar]") {
    check(quoted_strings());
}

TEST_CASE("RFC 5321 section 4.5.3.1: lengths of addresses", "[mail][address][grammar]") {
    check(lengths());
}

TEST_CASE("RFC 5321 section 4.1.2: Domain", "[mail][address][grammar]") {
    check(domains());
}

TEST_CASE("RFC 5321 section 4.1.3: address literals", "[mail][address][grammar]") {
    check(literals());
    check(ipv6_literals());
}

TEST_CASE("SMTP has no comments and no folds in addresses", "[mail][address][grammar]") {
    check(white_space_and_comments());
}

TEST_CASE("RFC 6531 section 3.3: internationalized addresses", "[mail][address][grammar]") {
    check(internationalized());
}

TEST_CASE("The table has an address once, and at least 250 of them", "[mail][address][grammar]") {
    std::set<std::string> seen;
    for (const auto& row : all_rows()) {
        CAPTURE(row.text);
        CHECK(seen.insert(row.text).second);
    }

    CHECK(seen.size() >= 250);
}

TEST_CASE("A path holds what a mailbox may be, and nothing else", "[mail][path][grammar]") {
    for (const auto& row : all_rows()) {
        CAPTURE(row.text, row.why);
        const auto path = '<' + row.text + '>';
        const bool is_route = row.text.starts_with('@') && row.text.find(':') != std::string::npos;
        const bool is_short = path.size() <= 256;
        const bool is_path = row.text.empty() || is_route || (!row.written.empty() && is_short);

        CHECK(ReversePath::parse(path).has_value() == is_path);
        CHECK(ForwardPath::parse(path).has_value() == (is_path && !row.text.empty()));
        if (is_path && !row.text.empty()) {
            const auto written = ForwardPath::parse(path).value().text();
            CHECK(ReversePath::parse('<' + written + '>').value().text() == written);
        }
    }
}

}  // namespace mailflow

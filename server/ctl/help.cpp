// Help at every level, made from the schema where it can be.
#include "config/schema/help.hpp"

#include "server/ctl/commands.hpp"

#include <fmt/format.h>

namespace mailflow::ctl {

namespace {

struct Command {
    std::string_view noun;
    std::string_view verbs;
    std::string_view doc;
    std::string_view help;
};

constexpr std::string_view kGlobals =
    "Global flags, before or after the command:\n"
    "  --socket PATH         the daemon's admin socket (default: MAILFLOW_SOCKET, else "
    "/run/mailflow/admin.sock)\n"
    "  --output FORMAT       table, json or csv;  --json is short for --output json\n"
    "  --what-if             check and show the change without making it\n"
    "  --yes                 do not ask\n"
    "  --help, --version\n"
    "  --markdown            with OBJECT --help: the reference table of the object's fields\n";

const std::vector<Command>& commands() {
    static const std::vector<Command> all = {
        {"status",
         "",
         "node, version, durability, listeners, queue totals, back pressure; exit 1 when unhealthy",
         "smtpctl status [--json]\n\nExample:\n  smtpctl status\n"},
        {"queue",
         "list|retry",
         "delivery queues by next hop, and trying them now",
         "smtpctl queue list [--where 'FIELD OP VALUE']\n"
         "smtpctl queue show QUEUE\n"
         "smtpctl queue retry [QUEUE] [--message QUEUEID]   all queues when none is named\n\n"
         "Example:\n  smtpctl queue list --where 'recipients > 10'\n  smtpctl queue retry "
         "'dns|contoso.com|Internet'\n"},
        {"message",
         "list|show|remove|export",
         "queued messages: why they wait, and what to do about them",
         "smtpctl message list [--queue QUEUE] [--limit N] [--where 'FIELD OP VALUE']\n"
         "smtpctl message show QUEUEID\n"
         "smtpctl message remove QUEUEID [--without-ndr]\n"
         "smtpctl message export QUEUEID [--recipient ADDRESS] [--out FILE]   as it came, or as "
         "that "
         "recipient gets it\n\n"
         "Example:\n  smtpctl message list --where 'sender = alice@contoso.com'\n"},
        {"track",
         "",
         "what happened to a message, event by event",
         "smtpctl track [QUEUEID] [--message-id ID] [--from ADDRESS] [--to ADDRESS] [--since TIME] "
         "[--until TIME]\n"
         "              [--event RECEIVE|RESOLVE|SEND|DELIVER|DEFER|FAIL|DSN|REMOVE] [--limit "
         "N]\n\n"
         "TIME: 2026-11-23T08:40:16Z, 2026-11-23, or an age like 10m, 2h, 3d.\n\n"
         "Example:\n  smtpctl track --to bob@fabrikam.com --since 2h\n"},
        {"explain",
         "",
         "what would happen to a message, and why: a dry run of acceptance, rewriting and routing",
         "smtpctl explain --client-ip IP --from ADDRESS --to ADDRESS [--to ADDRESS …]\n"
         "                [--connector NAME | --local ADDRESS:PORT] [--auth MAILBOX] [--size "
         "SIZE]\n"
         "                [--header 'From: …'] [--header …]\n\n"
         "Sends and changes nothing. --local: where the client connects to (default: port 25); "
         "--auth: the UPN,\naddress or alias of the mailbox that has logged in. Exit 0: accepted "
         "for "
         "all recipients, 1: refused.\n\n"
         "Example:\n  smtpctl explain --client-ip 192.0.2.7 --from bob@fabrikam.com --to "
         "alice@contoso.com --size '4 MB'\n"},
        {"config",
         "export|diff|apply",
         "the whole configuration as one TOML text, and back",
         "smtpctl config export [--shared] [--with-secrets]\n"
         "smtpctl config diff FILE\n"
         "smtpctl config apply FILE [--what-if] [--yes]\n\n"
         "FILE: - reads standard input. What the file speaks of is made exactly as it says: "
         "objects "
         "it does not\nname go away; types it does not mention stay as they are, and so do "
         "secrets. "
         "diff and apply print\n+ created, ~ changed (with the fields), - removed; apply asks.\n"
         "--shared: without the receive connectors, which each node has its own of; "
         "--with-secrets: "
         "with passwords,\nsealed, of use where the same key file is.\n\n"
         "Example:\n  smtpctl config export --shared > mailflow.toml\n"
         "  smtpctl config apply mailflow.toml --what-if\n"},
        {"log",
         "tail",
         "the protocol log of receive connectors, as it is written",
         "smtpctl log tail [--connector NAME] [--lines N] [--follow]\n\n"
         "The last 50 lines of the connectors that say --protocol-log verbose: + connected, - "
         "disconnected,\n"
         "> sent, < received, * a note. --follow goes on until interrupted; --json gives objects, "
         "with --follow\none a line; --output csv is the format of the files in "
         "STATE_DIR/log/receive.\n\n"
         "Example:\n  smtpctl receive-connector set Printers --protocol-log verbose\n"
         "  smtpctl log tail --connector Printers --follow\n"},
        {"metrics",
         "",
         "what the daemon counts, in Prometheus' text format",
         "smtpctl metrics\n\nPrometheus itself reads GET /metrics on the admin socket.\n\n"
         "Example:\n  smtpctl metrics | grep mailflow_receive_refusals\n"},
        {"tls",
         "peers, policies, results, forget",
         "what is remembered about the TLS of other hosts",
         "smtpctl tls peers|policies|results [--where CONDITION]\n"
         "smtpctl tls forget NAME\n\n"
         "peers: hosts whose optional TLS failed, spoken to in clear until a time; policies: of "
         "MTA-STS, by domain;\nresults: what TLS came to in the last seven days, by day, policy "
         "and host (RFC 8460). forget: all of one\nhost or domain, so that the next message finds "
         "out anew.\n\n"
         "Example:\n  smtpctl tls policies --where 'mode = enforce'\n"
         "  smtpctl tls forget mail.contoso.com\n"},
    };
    return all;
}

constexpr std::string_view kAddressPolicy = "address-policy";

constexpr std::string_view kApplyHelp =
    "smtpctl address-policy apply [NAME] [--secondary-only] [--what-if]\n\n"
    "Gives all recipients (or those whose policy NAME is) the addresses of their policy. Former\n"
    "primary addresses stay as further ones, nothing is ever withdrawn and no login name changes.\n"
    "--what-if prints every change and makes none; --secondary-only leaves primary addresses "
    "alone.\n"
    "\nExample:\n  smtpctl --what-if address-policy apply\n";

// The verbs of recipients that go over many of them.
std::string many_help(const schema::ObjectType& type) {
    return fmt::format(
        "smtpctl {0} list [--where CONDITION] [--limit N] [--after NAME]\n"
        "smtpctl {0} set --where CONDITION --field value …   every {0} that fulfils it\n"
        "smtpctl {0} import FILE.csv|FILE.json [--all-or-nothing] [--what-if]\n"
        "smtpctl {0} export [--out FILE.csv|FILE.json] [--where CONDITION] [--all-kinds] "
        "[--with-secrets]\n\n"
        "CONDITION: 'upn != primary', 'department = Sales and not alias ~ test'; operators = != < "
        "> "
        "~ (contains).\n",
        type.name);
}

std::string verbs_of(const schema::ObjectType& type) {
    if (type.single) {
        return "show|set";
    }
    return std::string("list|show|create|set|remove") +
           (type.can_be_disabled ? "|enable|disable" : "") +
           (type.is_recipient ? "|import|export" : "") +
           (type.name == kAddressPolicy ? "|apply" : "");
}

std::string overview() {
    std::string text =
        "smtpctl: administers mailflowd.\n\nsmtpctl [GLOBAL FLAGS] OBJECT VERB [NAME] [--field "
        "value …]\n\nObjects:\n";
    for (const auto& type : schema::object_types()) {
        text += fmt::format("  {:<18} {:<45} {}\n", type.name, verbs_of(type), type.doc);
    }
    text += "\nCommands:\n";
    for (const auto& command : commands()) {
        text += fmt::format("  {:<18} {:<45} {}\n", command.noun, command.verbs, command.doc);
    }
    return text + "\n" + std::string(kGlobals) +
           "\nExample:\n  smtpctl send-connector create Internet --usage internet --address-space "
           "'*'\n"
           "\nsmtpctl OBJECT --help and smtpctl OBJECT VERB --help say more.\n";
}

std::string object_help(const schema::ObjectType& type, std::string_view verb) {
    std::string text = fmt::format("{}: {}\n\n", type.name, type.doc);
    if (verb == "apply" && type.name == kAddressPolicy) {
        return text + std::string(kApplyHelp);
    }
    if (type.is_recipient && (verb == "list" || verb == "import" || verb == "export")) {
        return text + many_help(type) +
               "\nExample:\n  smtpctl mailbox import staff.csv --what-if\n";
    }
    if (verb == "create" || verb == "set") {
        text += fmt::format(
            "smtpctl {} {}{} [--field value …]\n\n", type.name, verb, type.single ? "" : " NAME");
        text += schema::flags_help(type, verb);
    } else {
        text += fmt::format(
            "smtpctl {} {} {}\n\n",
            type.name,
            verbs_of(type),
            type.single ? "" : "[NAME] [--field value …]");
        if (type.is_recipient) text += many_help(type) + "\n";
        text += "Fields:\n" + schema::flags_help(type, type.single ? "set" : "create");
    }
    if (!type.example.empty()) {
        text += fmt::format("\nExample:\n  {}\n", type.example);
    }
    return text;
}

}  // namespace

std::string help_text(const Arguments& arguments) {
    const auto noun = arguments.word(0);
    if (noun.empty() || noun == "help") {
        return overview();
    }
    const auto* type = schema::find_type(noun);
    if (type != nullptr && arguments.has("markdown")) {
        return schema::reference_table(*type);
    }
    if (type != nullptr) {
        return object_help(*type, arguments.word(1));
    }
    for (const auto& command : commands()) {
        if (command.noun == noun) {
            return fmt::format(
                "{}: {}\n\n{}\n{}", command.noun, command.doc, command.help, kGlobals);
        }
    }
    throw UsageError("there is no \"" + std::string(noun) + "\". See smtpctl --help");
}

}  // namespace mailflow::ctl

#!/usr/bin/python3
"""Third-party peers: Postfix's smtp-sink and smtp-source, nsd as the name server, unbound as the resolver before it."""
import email
import os
import pwd
import subprocess
import unittest

from support import PATIENCE, Process, SystemTest, free_port, is_open, peer, peer_environment, submit, wait_for

LOCAL = "postmaster@contoso.com"
ZONE = """$ORIGIN fabrikam.com.
$TTL 60
@       IN SOA ns.fabrikam.com. hostmaster.fabrikam.com. 1 3600 600 86400 1
        IN NS  ns
        IN MX  20 mx2
        IN MX  10 mx1
ns      IN A   127.0.0.1
mx1     IN A   127.0.0.9
mx2     IN A   127.0.0.1
null    IN MX  0 .
direct  IN A   127.0.0.1
chain   IN CNAME fabrikam.com.
long    IN MX  10 mx2
long    IN MX  20 a-rather-long-name-of-a-host-that-fills-the-answer.y.fabrikam.com.
"""
# An answer of several hundred octets: more than fits into a datagram without EDNS.
ZONE += "".join(f"long IN MX {30 + n} a-rather-long-name-of-a-host-that-fills-the-answer-{n}.x{n}.fabrikam.com.\n"
                for n in range(30))


def unprivileged_user():
    """smtp-sink as root wants to become somebody else."""
    return ["-u", pwd.getpwnam("nobody").pw_name] if os.geteuid() == 0 else []


class Sink:
    """Postfix's smtp-sink; each message in a file of its own."""

    def __init__(self, test, *options, name="sink"):
        self.folder = test.folder / name
        self.folder.mkdir()
        self.folder.chmod(0o777)
        test.folder.chmod(0o711)
        self.port = free_port()
        self.process = Process(
            [peer("postfix", "usr/sbin/smtp-sink"), *unprivileged_user(), "-c", *options, "-d", f"{self.folder}/m.",
             f"127.0.0.1:{self.port}", 100], test.folder / f"{name}.log", env=peer_environment("postfix"), cwd=self.folder)
        test.stack.callback(self.process.stop)
        wait_for(lambda: is_open(self.port), "smtp-sink listens")

    def messages(self):
        return [email.message_from_bytes(path.read_bytes()) for path in sorted(self.folder.glob("m.*"))]


class SmtpSink(SystemTest):
    def connect(self, *options, **retry):
        sink = Sink(self, *options)
        mailflow = self.start_mailflow()
        mailflow.set(message_retry_interval="1s", queue_glitch_retry_interval="1s", **retry)
        mailflow.ctl("send-connector", "create", "Out", "--address-space", "*", "--smart-host", "127.0.0.1", "--port",
                     sink.port)
        return sink, mailflow, mailflow.relay_port()

    def test_it_takes_our_mail(self):
        sink, mailflow, relay = self.connect()
        content = b"Subject: odd\r\n\r\n.dot\r\n..\r\n" + b"x" * 998 + b"\r\nend\r\n"

        submit(relay, LOCAL, ["a@fabrikam.com", "b@fabrikam.com"], content)

        mailflow.wait_until_empty()
        message = sink.messages()[0]
        self.assertEqual(message["X-Client-Proto"], "ESMTP")
        self.assertEqual(message["X-Helo-Args"], "mail.contoso.com")
        self.assertTrue(message["X-Mail-Args"].startswith("<postmaster@contoso.com>"), message["X-Mail-Args"])
        self.assertEqual(message.get_all("X-Rcpt-Args"), ["<a@fabrikam.com>", "<b@fabrikam.com>"])
        self.assertEqual(message.get_payload(), content.split(b"\r\n\r\n", 1)[1].decode().replace("\r\n", "\n") + "\n")

    def test_it_speaks_no_esmtp(self):
        sink, mailflow, relay = self.connect("-e", "-p", "-8", "-N")

        submit(relay, LOCAL, "a@fabrikam.com")

        mailflow.wait_until_empty()
        self.assertEqual(sink.messages()[0]["X-Client-Proto"], "SMTP")

    def route(self, mailflow, domain, sink):
        mailflow.ctl("send-connector", "create", domain, "--address-space", domain, "--smart-host", "127.0.0.1", "--port",
                     sink.port)

    def test_hard_refusals_bounce(self):
        mailflow = self.start_mailflow()
        relay = mailflow.relay_port()
        for number, stage in enumerate(("MAIL", "RCPT", "DATA", ".")):
            status = f"5.7.{number + 1}"
            sink = Sink(self, "-f", stage, "-B", f"554 {status} no", name=f"hard{number}")
            self.route(mailflow, f"host{number}.test", sink)

            submit(relay, LOCAL, f"a@host{number}.test")

            self.assertIn(status, [r.field("Status") for r in mailflow.reports(count=number + 1)], stage)

    def test_soft_refusals_and_disconnects_are_tried_again_until_they_end(self):
        mailflow = self.start_mailflow()
        mailflow.set(message_retry_interval="1s", queue_glitch_retry_interval="1s", transient_failure_retry_interval="1s",
                     outbound_connection_failure_retry_interval="1s")
        relay = mailflow.relay_port()
        for number, (option, stage) in enumerate((
                ("-r", "CONNECT"), ("-r", "RCPT"), ("-r", "."), ("-q", "CONNECT"), ("-q", "DATA"), ("-q", "."),
                ("-Q", "MAIL"))):
            with self.subTest(option=option, stage=stage):
                domain = f"host{number}.test"
                self.route(mailflow, domain, Sink(self, option, stage, name=f"soft{number}"))
                queue_id = submit(relay, LOCAL, f"a@{domain}")
                mailflow.wait_for_event("DEFER", queue_id)

                mailflow.ctl("send-connector", "set", domain, "--port", Sink(self, name=f"good{number}").port)

                mailflow.wait_for_event("SEND", queue_id)
                mailflow.wait_until_empty()

    def test_it_refuses_in_the_middle_of_the_text(self):
        sink, mailflow, relay = self.connect("-A", "0", "-B", "550 5.3.0 enough", message_expiration_timeout="20s")

        submit(relay, LOCAL, "a@fabrikam.com", b"Subject: long\r\n\r\n" + b"0123456789\r\n" * 300_000)

        self.assertEqual(mailflow.reports()[0].field("Action"), "failed")

    def test_a_slow_reader_with_a_small_window_gets_all(self):
        sink, mailflow, relay = self.connect("-T", "2048", "-H", "1")
        content = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 60_000

        submit(relay, LOCAL, "a@fabrikam.com", content)

        mailflow.wait_until_empty()
        self.assertEqual(len(sink.messages()[0].get_payload()), 17 * 60_000 + 1)

    def test_a_thousand_messages_from_smtp_source_go_through(self):
        sink, mailflow, relay = self.connect()

        subprocess.run([peer("postfix", "usr/sbin/smtp-source"), "-s", "10", "-m", "1000", "-l", "3000", "-f", LOCAL, "-t",
                        "x@fabrikam.com", f"127.0.0.1:{relay}"], check=True, env=peer_environment("postfix"), timeout=PATIENCE * 4)

        mailflow.wait_until_empty()
        self.assertEqual(len(sink.messages()), 1000)

    def test_smtp_source_without_pipelining_and_with_many_recipients(self):
        sink, mailflow, relay = self.connect()

        subprocess.run([peer("postfix", "usr/sbin/smtp-source"), "-d", "-s", "3", "-m", "30", "-r", "50", "-N", "-f", LOCAL, "-t",
                        "x@fabrikam.com", f"127.0.0.1:{relay}"], check=True, env=peer_environment("postfix"), timeout=PATIENCE * 2)

        mailflow.wait_until_empty()
        messages = sink.messages()
        self.assertEqual(sum(len(m.get_all("X-Rcpt-Args")) for m in messages), 30 * 50)


class NameServers(SystemTest):
    """Real name servers answer our resolver."""

    def start_nsd(self):
        folder = self.folder / "nsd"
        folder.mkdir()
        (folder / "fabrikam.zone").write_text(ZONE)
        port = free_port()
        (folder / "nsd.conf").write_text(f"""
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: ""
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    server-count: 1
remote-control:
    control-enable: no
zone:
    name: fabrikam.com
    zonefile: fabrikam.zone
""")
        self.start_process([peer("nsd", "usr/sbin/nsd"), "-d", "-c", folder / "nsd.conf"], "nsd", env=peer_environment("nsd"))
        wait_for(lambda: is_open(port), "nsd answers")
        return port

    def start_unbound(self, authority):
        folder = self.folder / "unbound"
        folder.mkdir()
        port = free_port()
        (folder / "unbound.conf").write_text(f"""
server:
    interface: 127.0.0.1
    port: {port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
    num-threads: 1
    do-not-query-localhost: no
    module-config: "iterator"
    local-zone: "nxdomain.test." always_nxdomain
    access-control: 127.0.0.0/8 allow
remote-control:
    control-enable: no
stub-zone:
    name: "fabrikam.com"
    stub-addr: 127.0.0.1@{authority}
""")
        self.start_process([peer("unbound", "usr/sbin/unbound"), "-d", "-c", folder / "unbound.conf"], "unbound",
                           env=peer_environment("unbound"))
        wait_for(lambda: is_open(port), "unbound answers")
        return port

    def flows_through(self, dns_port):
        sink = Sink(self)
        mailflow = self.start_mailflow(dns=f"127.0.0.1:{dns_port}")
        mailflow.ctl("send-connector", "create", "Internet", "--address-space", "*", "--port", sink.port)
        relay = mailflow.relay_port()
        for domain in ("fabrikam.com", "direct.fabrikam.com", "chain.fabrikam.com", "long.fabrikam.com"):
            queue_id = submit(relay, LOCAL, f"a@{domain}")
            sent = mailflow.wait_for_event("SEND", queue_id)[0]
            host = "direct.fabrikam.com" if domain.startswith("direct") else "mx2.fabrikam.com"
            self.assertTrue(sent["remote"].startswith(host + " 127.0.0.1:"), sent)
        for domain, status in (("null.fabrikam.com", "5.1.10"), ("missing.fabrikam.com", "5.4.4")):
            queue_id = submit(relay, LOCAL, f"a@{domain}")
            self.assertEqual(mailflow.wait_for_event("FAIL", queue_id)[0]["status"], status)
        self.assertEqual(len(sink.messages()), 4)
        return mailflow, relay

    def test_mail_finds_its_way_by_nsd(self):
        mailflow, relay = self.flows_through(self.start_nsd())

        # Not its zone: nsd refuses, and the answer may be another one later.
        queue_id = submit(relay, LOCAL, "a@elsewhere.test")
        mailflow.wait_for_event("DEFER", queue_id)
        self.assertIn("REFUSED", mailflow.show(queue_id)["last_error"])

    def test_mail_finds_its_way_by_unbound_and_nsd(self):
        mailflow, relay = self.flows_through(self.start_unbound(self.start_nsd()))

        queue_id = submit(relay, LOCAL, "a@nxdomain.test")
        self.assertEqual(mailflow.wait_for_event("FAIL", queue_id)[0]["status"], "5.4.4")


if __name__ == "__main__":
    unittest.main()

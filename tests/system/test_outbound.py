#!/usr/bin/python3
"""Mail that leaves: MX, smart hosts, retries, reports, the Unreachable queue; the lab is the outside world."""
import unittest

from support import SystemTest, free_port, submit, wait_for, without_trace

ZONE = """
fabrikam.com.       MX 10 mx1.fabrikam.com.
mx1.fabrikam.com.   A 127.0.0.1
two.test.           MX 10 first.two.test.
two.test.           MX 20 second.two.test.
first.two.test.     A 127.0.0.2
second.two.test.    A 127.0.0.1
dead.test.          MX 10 nobody.dead.test.
dead.test.          MX 20 second.two.test.
nobody.dead.test.   A 127.0.0.9
down.test.          MX 10 nobody.dead.test.
implicit.test.      A 127.0.0.1
alias.test.         CNAME fabrikam.com.
nullmx.test.        MX 0 .
nomail.test.        TXT "no address"
servfail.test.      SERVFAIL
loop.test.          MX 10 mail.contoso.com.
mail.contoso.com.   A 127.0.0.1
private.test.       MX 10 private.private.test.
private.private.test. A 10.1.2.3
"""
LOCAL = "postmaster@contoso.com"


class Outbound(SystemTest):
    """One server, and an outside world whose second address answers 421 to everyone."""

    def setUp(self):
        super().setUp()
        port = free_port()
        self.lab = self.start_lab(ZONE, "--smtp", f"127.0.0.1:{port}", "--smtp", f"127.0.0.2:{port}=421-connect")
        self.mailflow = self.start_mailflow(dns=self.lab.dns)
        self.relay = self.mailflow.relay_port()

    def send(self, to, sender=LOCAL, **options):
        return submit(self.relay, sender, to, **options)


class Routes(Outbound):
    def setUp(self):
        super().setUp()
        self.mailflow.internet(self.lab)

    def test_a_message_goes_out_by_mx_and_is_tracked(self):
        queue_id = self.send("bob@fabrikam.com")

        message = self.lab.wait_for_messages()[0]
        self.assertEqual((message["from"], message["to"]), (LOCAL, ["bob@fabrikam.com"]))
        self.assertRegex(message["from_parameters"], r"SIZE=\d+")
        content = self.lab.content(message)
        self.assertEqual(content.count(b"Received:"), 1)
        self.assertIn(b"by mail.contoso.com with ESMTP id " + queue_id.encode(), content)
        self.assertEqual(without_trace(content), b"Subject: test\r\n\r\nhello\r\n")
        sent = self.mailflow.wait_for_event("SEND", queue_id)[0]
        self.assertEqual(sent["remote"], f"mx1.fabrikam.com 127.0.0.1:{self.lab.sink_port}")
        self.assertIn("OK", sent["detail"])
        self.mailflow.wait_until_empty()

    def test_implicit_mx_and_cname_are_followed(self):
        self.send("a@implicit.test")
        self.send("b@alias.test")

        self.lab.wait_for_messages(to="a@implicit.test")
        self.lab.wait_for_messages(to="b@alias.test")

    def test_the_second_mx_takes_it_when_the_first_is_busy_or_dead(self):
        for domain in ("two.test", "dead.test"):
            queue_id = self.send(f"a@{domain}")

            self.lab.wait_for_messages(to=f"a@{domain}")
            sent = self.mailflow.wait_for_event("SEND", queue_id)[0]
            self.assertTrue(sent["remote"].startswith("second.two.test "), sent)

    def test_recipients_of_one_message_are_judged_one_by_one(self):
        self.mailflow.set(message_retry_interval="1s")

        self.send(["good@fabrikam.com", "451-rcpt-1@fabrikam.com", "550-rcpt@fabrikam.com", LOCAL])

        self.lab.wait_for_messages(to="good@fabrikam.com")
        self.lab.wait_for_messages(to="451-rcpt-1@fabrikam.com")
        report = self.mailflow.reports()[0]
        self.assertEqual([r["Final-Recipient"] for r in report.recipients], ["rfc822; 550-rcpt@fabrikam.com"])
        self.mailflow.wait_until_empty()
        self.assertEqual(len(self.lab.messages("good@fabrikam.com")), 1)
        self.assertEqual(len(self.mailflow.delivered("postmaster")), 2)

    def test_connections_are_used_again(self):
        for number in range(10):
            self.send(f"r{number}@fabrikam.com")
            self.lab.wait_for_messages(number + 1)
        self.mailflow.wait_until_empty()
        self.mailflow.stop()

        sessions = wait_for(self.lab.sessions, "the sessions have ended")
        self.assertEqual([s["messages"] for s in sessions], [10])
        self.assertEqual(sessions[0]["ended"], "quit")
        self.assertEqual(sessions[0]["helo"], "mail.contoso.com")
        self.assertTrue(sessions[0]["pipelined"])

    def test_odd_octets_arrive_byte_for_byte(self):
        content = (b"Subject: odd\r\nX-Raw: gr\xfc\xdfe\r\n\r\n.\r\n..\r\n.leading dot\r\n...\r\n" + "größe ".encode() +
                   bytes(range(128, 256)) + b"\r\n" + b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n\r\n\r\nlast\r\n.\r\n")

        self.send("odd@fabrikam.com", content=content, parameters=" BODY=8BITMIME")

        message = self.lab.wait_for_messages()[0]
        self.assertIn("BODY=8BITMIME", message["from_parameters"])
        self.assertEqual(without_trace(self.lab.content(message)), content)

    def test_25_megabytes_arrive_byte_for_byte(self):
        line = b".0123456789 and a line of quite ordinary text that goes on to the margin.\r\n"
        content = b"Subject: big\r\n\r\n" + line * (25 * 1024 * 1024 // len(line))

        self.send("big@fabrikam.com", content=content)

        self.assertEqual(without_trace(self.lab.content(self.lab.wait_for_messages()[0])), content)
        self.mailflow.wait_until_empty()

    def test_a_message_without_header_or_body_passes(self):
        for content in (b"", b"\r\n", b"no header at all\r\n", b"Subject: only a header\r\n"):
            self.send("empty@fabrikam.com", content=content)

        messages = self.lab.wait_for_messages(4)
        arrived = sorted(without_trace(self.lab.content(m)).strip() for m in messages)
        self.assertEqual(arrived, [b"", b"", b"Subject: only a header", b"no header at all"])

    def test_private_addresses_of_an_mx_are_refused(self):
        self.send("a@private.test")

        self.assertRegex(self.mailflow.reports()[0].field("Status"), r"^5\.4\.\d$")

    def test_an_mx_that_is_this_server_is_a_loop(self):
        queue_id = self.send("a@loop.test")

        self.assertEqual(self.mailflow.wait_for_event("FAIL", queue_id)[0]["status"], "5.4.6")


class Connectors(Outbound):
    def test_a_smart_host_takes_all_domains_without_their_dns(self):
        self.mailflow.internet(self.lab, "--smart-host", "[127.0.0.1]", "--fqdn", "out.contoso.com")

        self.send("a@nxdomain.test")
        self.lab.wait_for_messages(to="a@nxdomain.test")
        self.mailflow.stop()

        self.assertEqual(wait_for(self.lab.sessions, "the session has ended")[0]["helo"], "out.contoso.com")

    def test_a_smart_host_by_name_and_a_second_one_when_the_first_is_dead(self):
        self.mailflow.internet(self.lab, "--smart-host", "nobody.dead.test", "--smart-host", "second.two.test")

        self.send("a@nxdomain.test")

        self.lab.wait_for_messages(to="a@nxdomain.test")

    def test_without_a_connector_mail_waits_and_leaves_as_soon_as_there_is_one(self):
        queue_id = self.send("bob@fabrikam.com")
        self.mailflow.wait_for_event("DEFER", queue_id)
        message = self.mailflow.show(queue_id)
        self.assertEqual(message["status"], "Unreachable")
        self.assertEqual(message["last_error"],
                         "A matching connector cannot be found to route the external recipient")
        self.assertIn("A matching connector cannot be found", self.mailflow.ctl("message", "show", queue_id).stdout)

        self.mailflow.internet(self.lab)

        self.lab.wait_for_messages(to="bob@fabrikam.com")
        self.mailflow.wait_until_empty()

    def test_the_most_specific_address_space_wins_and_a_disabled_connector_is_none(self):
        other = self.start_lab("", name="other")
        self.mailflow.internet(self.lab)
        self.mailflow.ctl("send-connector", "create", "Fabrikam", "--address-space", "fabrikam.com;50", "--smart-host",
                          "127.0.0.1", "--port", other.sink_port)

        queue_id = self.send("a@fabrikam.com")
        self.assertEqual(self.mailflow.wait_for_event("SEND", queue_id)[0]["connector"], "Fabrikam")
        self.mailflow.ctl("send-connector", "disable", "Fabrikam")
        queue_id = self.send("b@fabrikam.com")
        self.assertEqual(self.mailflow.wait_for_event("SEND", queue_id)[0]["connector"], "Internet")
        self.mailflow.ctl("send-connector", "set", "Internet", "--max-message-size", "64KB")
        queue_id = self.send("c@fabrikam.com", content=b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * 40000)
        self.assertEqual(self.mailflow.wait_for_event("FAIL", queue_id)[0]["status"], "5.3.4")

    def test_deferred_mail_follows_a_changed_connector(self):
        self.mailflow.internet(self.lab, "--smart-host", "127.0.0.9")
        queue_id = self.send("a@fabrikam.com")
        self.mailflow.wait_for_event("DEFER", queue_id)

        self.mailflow.ctl("send-connector", "set", "Internet", "--smart-host", "127.0.0.1")
        self.mailflow.ctl("queue", "retry")

        self.lab.wait_for_messages(to="a@fabrikam.com")


class Failures(Outbound):
    def setUp(self):
        super().setUp()
        self.mailflow.internet(self.lab)
        self.mailflow.set(message_retry_interval="1s", queue_glitch_retry_interval="1s")

    def failure(self, to, **options):
        queue_id = self.send(to, **options)
        self.mailflow.wait_for_event("FAIL", queue_id)
        about = f"rfc822; {to}"
        return wait_for(lambda: next((r for r in self.mailflow.reports() if r.field("Final-Recipient") == about), None),
                        f"the report about {to}")

    def test_451_and_then_success(self):
        queue_id = self.send("451-rcpt-2@fabrikam.com")

        self.lab.wait_for_messages(to="451-rcpt-2@fabrikam.com")
        self.mailflow.wait_for_event("SEND", queue_id)
        events = [e["event"] for e in self.mailflow.track(queue_id)]
        self.assertEqual(events, ["RECEIVE", "DEFER", "DEFER", "SEND"])

    def test_4xx_at_every_stage_is_tried_again(self):
        for stage in ("451-data-1", "451-dot-1", "drop-rcpt-1", "drop-data-1", "drop-dot-1"):
            self.send(f"{stage}@fabrikam.com")
        self.send("x@fabrikam.com", sender="451-mail-1@example.com")

        for stage in ("451-data-1", "451-dot-1", "drop-rcpt-1", "drop-data-1", "drop-dot-1", "x"):
            wait_for(lambda to=f"{stage}@fabrikam.com": [m for m in self.lab.messages(to) if m["acknowledged"]], stage)
        self.mailflow.wait_until_empty()

    def test_a_refused_recipient_is_reported_to_the_sender(self):
        report = self.failure("550-rcpt@fabrikam.com")

        self.assertEqual(report.message["Return-Path"], "<>")
        self.assertEqual(report.message["Subject"], "Undeliverable: test")
        self.assertEqual(report.message["Auto-Submitted"], "auto-replied")
        self.assertEqual(report.about_message["Reporting-MTA"], "dns; mail.contoso.com")
        self.assertEqual(report.field("Action"), "failed")
        self.assertEqual(report.field("Status"), "5.1.1")
        self.assertEqual(report.field("Remote-MTA"), "dns; mx1.fabrikam.com")
        self.assertEqual(report.field("Diagnostic-Code"), "smtp; 550 5.1.1 The lab was told 550-rcpt")
        self.assertIn("Subject: test", report.original.as_string())
        self.assertIn("hello", report.original.as_string())
        self.mailflow.wait_until_empty()

    def test_refusals_at_data_and_after_the_text_are_reported(self):
        for stage in ("554-data", "554-dot"):
            self.assertIn("554 ", self.failure(f"{stage}@fabrikam.com").field("Diagnostic-Code"))

    def test_what_the_dns_says_no_to_is_reported(self):
        for domain, status in (("nullmx.test", "5.1.10"), ("nxdomain.test", "5.4.4"), ("nomail.test", "5.4.4")):
            self.assertEqual(self.failure(f"a@{domain}").field("Status"), status, domain)

    def test_a_sick_dns_defers_with_words(self):
        self.mailflow.set(queue_glitch_retry_interval="1m")
        queue_id = self.send("a@servfail.test")

        self.mailflow.wait_for_event("DEFER", queue_id)
        message = self.mailflow.show(queue_id)
        self.assertIn("SERVFAIL", message["last_error"])
        self.assertTrue(message["next_attempt"])
        self.assertEqual(self.mailflow.json("message", "list")[0]["status"], "Retry")

    def test_a_deferred_message_shows_the_last_words_the_next_attempt_and_the_next_hop(self):
        self.mailflow.set(message_retry_interval="1h")
        queue_id = self.send("451-rcpt@fabrikam.com")
        self.mailflow.wait_for_event("DEFER", queue_id)

        recipient = self.mailflow.show(queue_id)["recipients"][0]
        text = self.mailflow.ctl("message", "show", queue_id).stdout

        self.assertEqual(recipient["last_error"], "451 4.1.1 The lab was told 451-rcpt")
        self.assertEqual(recipient["next_hop"], "dns|fabrikam.com|Internet")
        self.assertEqual(recipient["remote"], f"mx1.fabrikam.com 127.0.0.1:{self.lab.sink_port}")
        for words in ("451 4.1.1 The lab was told 451-rcpt", recipient["next_attempt"], "dns|fabrikam.com|Internet"):
            self.assertIn(words, text)
        row = self.mailflow.ctl("message", "list").stdout
        self.assertIn("451 4.1.1 The lab was told 451-rcpt", row)

    def test_an_unreachable_host_makes_the_queue_wait_and_retry_tries_it_now(self):
        self.mailflow.set(queue_glitch_retry_interval="1h")
        queue_id = self.send("a@down.test")
        self.mailflow.wait_for_event("DEFER", queue_id)
        queue = self.mailflow.json("queue", "list", "--where", "queue = dns|down.test|Internet")[0]
        self.assertEqual((queue["status"], queue["attempts"]), ("Retry", 1))
        self.assertIn("Connection refused", queue["last_error"])

        self.mailflow.ctl("queue", "retry", "dns|down.test|Internet")

        self.mailflow.wait_for_event("DEFER", queue_id, count=2)
        self.assertEqual(self.mailflow.show(queue_id)["recipients"][0]["attempts"], 2)

    def test_a_single_message_can_be_tried_now(self):
        self.mailflow.set(message_retry_interval="1h")
        queue_id = self.send("451-rcpt-1@fabrikam.com")
        self.mailflow.wait_for_event("DEFER", queue_id)

        self.mailflow.ctl("queue", "retry", "--message", queue_id)

        self.lab.wait_for_messages(to="451-rcpt-1@fabrikam.com")

    def test_the_sender_is_told_of_a_delay_once_and_of_expiry(self):
        self.mailflow.set(delay_notification_timeout="1s", message_expiration_timeout="8s")

        queue_id = self.send("451-rcpt@fabrikam.com")

        delayed, failed = self.mailflow.reports(count=2)
        self.assertEqual(delayed.field("Action"), "delayed")
        self.assertTrue(delayed.field("Will-Retry-Until"))
        self.assertIn("451", delayed.field("Diagnostic-Code"))
        self.assertEqual(failed.field("Action"), "failed")
        self.assertEqual(failed.field("Status"), "4.4.7")
        self.mailflow.wait_until_empty()
        events = [e["event"] for e in self.mailflow.track(queue_id)]
        self.assertEqual((events.count("FAIL"), events.count("DSN")), (1, 2), events)

    def test_delay_notices_can_be_switched_off(self):
        self.mailflow.set(delay_notification_timeout="1s", message_expiration_timeout="6s", delay_dsn_enabled="false")

        self.send("451-rcpt@fabrikam.com")

        self.assertEqual([r.field("Action") for r in self.mailflow.reports()], ["failed"])

    def test_the_null_sender_gets_no_report(self):
        self.mailflow.set(double_bounce="drop")
        queue_id = self.send("550-rcpt@fabrikam.com", sender="")

        self.mailflow.wait_for_event("FAIL", queue_id)
        self.mailflow.wait_until_empty()
        self.assertEqual([e["event"] for e in self.mailflow.track(queue_id)], ["RECEIVE", "FAIL"])
        self.assertFalse(self.mailflow.maildir("postmaster").is_dir() and any(self.mailflow.maildir("postmaster").iterdir()))

    def test_a_report_that_cannot_be_delivered_goes_to_the_postmaster_and_no_further(self):
        self.send("550-rcpt@fabrikam.com", sender="554-dot@fabrikam.com")

        self.mailflow.wait_for_event("FAIL", count=2)
        self.mailflow.wait_until_empty()
        self.assertEqual(len(self.mailflow.track("--event", "DSN")), 2)
        self.assertEqual(len(self.mailflow.delivered("postmaster")), 1)

    def test_a_report_that_cannot_be_delivered_is_dropped_when_told_so(self):
        self.mailflow.set(double_bounce="drop")
        self.send("550-rcpt@fabrikam.com", sender="554-dot@fabrikam.com")

        self.mailflow.wait_for_event("FAIL", count=2)
        self.mailflow.wait_until_empty()
        self.assertEqual(len(self.mailflow.track("--event", "DSN")), 1)

    def test_a_removed_message_is_reported_unless_told_otherwise(self):
        self.mailflow.set(message_retry_interval="1h")
        quiet = self.send("451-rcpt@fabrikam.com")
        told = self.send("451-rcpt@fabrikam.com")
        for queue_id in (quiet, told):
            self.mailflow.wait_for_event("DEFER", queue_id)

        self.mailflow.ctl("message", "remove", quiet, "--without-ndr")
        self.mailflow.ctl("message", "remove", told)

        self.mailflow.wait_until_empty()
        self.assertEqual(len(self.mailflow.reports()), 1)
        self.assertEqual(len(self.mailflow.delivered("postmaster")), 1)
        for queue_id in (quiet, told):
            self.mailflow.wait_for_event("REMOVE", queue_id)
        again = self.mailflow.ctl("message", "show", quiet, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("track", again.stderr)

    def test_an_exported_message_is_the_whole_message(self):
        self.mailflow.set(message_retry_interval="1h")
        content = b"Subject: keep\r\n\r\n.dot\r\n" + bytes(range(128, 256)) + b"\r\n" * 60000
        queue_id = self.send("451-rcpt@fabrikam.com", content=content)
        self.mailflow.wait_for_event("DEFER", queue_id)

        self.mailflow.ctl("message", "export", queue_id, "--out", self.folder / "message.eml")

        exported = (self.folder / "message.eml").read_bytes()
        self.assertTrue(exported.startswith(b"Received: "))
        self.assertEqual(without_trace(exported), content)

    def test_history_is_found_by_message_id_sender_and_recipient(self):
        content = b"Message-ID: <abc.1@example.com>\r\nSubject: findable\r\n\r\nx\r\n"
        queue_id = self.send("bob@fabrikam.com", sender="alice@example.com", content=content)
        self.send("carol@fabrikam.com", sender="dave@example.com")
        self.mailflow.wait_for_event("SEND", count=2)

        for words in (["--message-id", "<abc.1@example.com>"], ["--message-id", "abc.1@example.com"],
                      ["--from", "alice@example.com"], ["--to", "bob@fabrikam.com"], [queue_id]):
            events = self.mailflow.track(*words)
            self.assertEqual([e["event"] for e in events], ["RECEIVE", "SEND"], words)
            self.assertEqual({e["queue_id"] for e in events}, {queue_id})
        self.assertEqual(self.mailflow.track("--to", "bob@fabrikam.com", "--until", "2020-01-01"), [])


class WeakHosts(SystemTest):
    """Remote hosts that offer or take little."""

    def world(self, items):
        lab = self.start_lab("fabrikam.com. MX 10 mx.fabrikam.com.\nmx.fabrikam.com. A 127.0.0.1\n", "--smtp",
                             f"127.0.0.1:{free_port()}={items}")
        mailflow = self.start_mailflow(dns=lab.dns)
        mailflow.internet(lab)
        mailflow.set(message_retry_interval="1s")
        return lab, mailflow, mailflow.relay_port()

    def test_without_extensions_commands_go_one_by_one(self):
        lab, mailflow, relay = self.world("no-pipelining,no-size,no-8bitmime,no-enhancedstatuscodes")

        submit(relay, LOCAL, ["a@fabrikam.com", "550-rcpt@fabrikam.com"])

        message = lab.wait_for_messages()[0]
        self.assertEqual(message["from_parameters"], "")
        self.assertIn("550 ", mailflow.reports()[0].field("Diagnostic-Code"))
        mailflow.stop()
        self.assertFalse(wait_for(lab.sessions, "the session has ended")[0]["pipelined"])

    def test_a_message_over_the_announced_size_is_reported(self):
        lab, mailflow, relay = self.world("size-100000")

        submit(relay, LOCAL, "a@fabrikam.com", b"Subject: big\r\n\r\n" + b"0123456789\r\n" * 20000)

        self.assertEqual(mailflow.reports()[0].field("Status"), "5.3.4")
        self.assertEqual(lab.messages(), [])

    def test_a_limit_of_recipients_makes_more_messages_and_no_failure(self):
        lab, mailflow, relay = self.world("recipients-3")

        submit(relay, LOCAL, [f"r{n}@fabrikam.com" for n in range(8)])

        got = wait_for(lambda: (lambda all_of: all_of if len(all_of) == 8 else None)(
            [r for m in lab.messages() for r in m["to"]]), "all recipients")
        self.assertEqual(sorted(got), [f"r{n}@fabrikam.com" for n in range(8)])
        mailflow.wait_until_empty()
        self.assertFalse(mailflow.maildir("postmaster").is_dir())

    def test_a_host_that_ends_connections_after_two_messages_gets_all_of_them(self):
        lab, mailflow, relay = self.world("messages-2")

        for number in range(7):
            submit(relay, LOCAL, f"r{number}@fabrikam.com")

        lab.wait_for_messages(7)
        mailflow.wait_until_empty()
        self.assertEqual(len(lab.messages()), 7)

    def test_a_slow_host_is_waited_for(self):
        lab, mailflow, relay = self.world("slow-300")

        submit(relay, LOCAL, "a@fabrikam.com")

        lab.wait_for_messages()
        mailflow.wait_until_empty()
        self.assertEqual(len(lab.messages()), 1)

    def test_what_waits_is_delivered_after_a_restart(self):
        lab, mailflow, relay = self.world("no-size")
        mailflow.set(message_retry_interval="1h")
        queue_id = submit(relay, LOCAL, "451-rcpt-1@fabrikam.com")
        mailflow.wait_for_event("DEFER", queue_id)

        self.assertEqual(mailflow.stop(), 0)
        mailflow.start()

        self.assertEqual(mailflow.show(queue_id)["last_error"], "451 4.1.1 The lab was told 451-rcpt-1")
        mailflow.ctl("queue", "retry")
        lab.wait_for_messages()
        mailflow.wait_until_empty()


if __name__ == "__main__":
    unittest.main()

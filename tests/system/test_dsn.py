#!/usr/bin/python3
"""Delivery reports of each kind, from the real server, read by Python's email package and by flufl.bounce as what they
claim to be."""
import email
import email.policy
import unittest

from flufl.bounce import all_failures

from support import Client, Report, SystemTest, submit, wait_for

ZONE = """
fabrikam.com.       MX 10 mx1.fabrikam.com.
mx1.fabrikam.com.   A 127.0.0.1
"""
SENDER = "postmaster@contoso.com"
SECTION = "Diagnostic information for administrators:"


class Dsn(SystemTest):
    def setUp(self):
        super().setUp()
        self.lab = self.start_lab(ZONE)
        self.mailflow = self.start_mailflow(dns=self.lab.dns)
        self.mailflow.internet(self.lab)
        self.relay = self.mailflow.relay_port()

    def send(self, to, parameters="", mail="", sender=SENDER, content=b"Subject: Figures\r\nFrom: a@b\r\n\r\nhello\r\n"):
        """One recipient with RCPT parameters; the QueueId."""
        with Client(self.relay) as client:
            client.command("EHLO client.example.com", "250")
            client.command(f"MAIL FROM:<{sender}>{mail}", "250")
            client.command(f"RCPT TO:<{to}>{parameters}".encode() + b"\r\n", "250")
            client.command("DATA", "354")
            answer = client.text(content)
            client.command("QUIT", "221")
        self.assertTrue(answer.startswith("250 "), answer)
        return answer.split("QueueId=")[1][:13]

    def read(self, report, subject, action, status, recipient):
        """What every report is."""
        message = report.message
        self.assertEqual(message.defects, [])
        self.assertEqual(message["Subject"], subject)
        self.assertEqual(message["Auto-Submitted"], "auto-replied")
        self.assertEqual(message["Return-Path"], "<>")
        self.assertEqual(message.get_param("report-type"), "delivery-status")
        self.assertEqual(report.text.get_content_type(), "text/plain")
        self.assertEqual(report.text.get_content_charset(), "utf-8")
        text = report.text.get_payload(decode=True).decode()
        self.assertLess(text.index(recipient), text.index(SECTION))
        self.assertLessEqual(max(map(len, text.split(SECTION)[0].splitlines())), 78)
        self.assertEqual(report.field("Final-Recipient"), f"rfc822; {recipient}")
        self.assertEqual(report.field("Action"), action)
        self.assertEqual(report.field("Status"), status)
        return text

    def test_a_failed_report(self):
        self.send("550-rcpt@fabrikam.com", " ORCPT=rfc822;bob+2Bx@old.example", " ENVID=QQ+2B1 RET=FULL")

        report = self.mailflow.reports()[0]
        status = report.field("Status")
        text = self.read(report, "Undeliverable: Figures", "failed", status, "550-rcpt@fabrikam.com")
        self.assertTrue(status.startswith("5."))
        self.assertIn("Remote Server returned '550", text)
        self.assertIn("Original message headers:", text)
        self.assertEqual(report.about_message["Original-Envelope-Id"], "QQ+1")
        self.assertEqual(report.field("Original-Recipient"), "rfc822; bob+x@old.example")
        self.assertEqual(report.original.get_content_type(), "message/rfc822")
        self.assertEqual(report.original.get_payload(0).get_payload().strip(), "hello")
        temporary, permanent = all_failures(report.message)
        # flufl.bounce names whom the sender named, when ORCPT says so.
        self.assertEqual((temporary, permanent), (set(), {b"bob+x@old.example"}))

    def test_a_delayed_report(self):
        self.mailflow.set(delay_notification_timeout="1s", message_retry_interval="1s")

        self.send("451-rcpt@fabrikam.com", " NOTIFY=DELAY")

        # Once a minute the queue looks for what is late.
        report = self.late_report()
        text = self.read(report, "Delivery delayed: Figures", "delayed", report.field("Status"), "451-rcpt@fabrikam.com")
        self.assertIn("There is nothing you need to do", " ".join(text.split()))
        self.assertTrue(report.field("Will-Retry-Until"))
        temporary, permanent = all_failures(report.message)
        self.assertEqual((temporary, permanent), ({b"451-rcpt@fabrikam.com"}, set()))

    def late_report(self):
        wait_for(lambda: any(e["event"] == "DSN" for e in self.mailflow.track()), "a report of delay", seconds=90)
        return self.mailflow.reports()[0]

    def test_a_delivered_report(self):
        self.mailflow.ctl("mailbox", "create", "bob")

        self.send("bob@contoso.com", " NOTIFY=SUCCESS,FAILURE")

        report = self.mailflow.reports()[0]
        self.read(report, "Delivered: Figures", "delivered", "2.1.5", "bob@contoso.com")
        self.assertEqual(report.original.get_content_type(), "text/rfc822-headers")
        self.assertEqual(all_failures(report.message), (set(), set()))

    def test_a_relayed_report(self):
        self.send("bob@fabrikam.com", " NOTIFY=SUCCESS")

        # A peer that reports itself takes the duty over; the lab's does not.
        report = self.mailflow.reports()[0]
        self.read(report, "Relayed: Figures", "relayed", report.field("Status"), "bob@fabrikam.com")
        self.assertEqual(all_failures(report.message), (set(), set()))

    def test_an_expanded_report(self):
        self.mailflow.ctl("mailbox", "create", "bob")
        self.mailflow.ctl("group", "create", "team", "--member", "bob", "--require-authenticated-sender", "false")

        self.send("team@contoso.com", " NOTIFY=SUCCESS,FAILURE")

        self.mailflow.delivered("bob")
        report = self.mailflow.reports()[0]
        self.read(report, "Expanded: Figures", "expanded", "2.1.5", "team@contoso.com")
        self.assertEqual(all_failures(report.message), (set(), set()))
        self.mailflow.wait_until_empty()
        self.assertEqual(len(self.mailflow.reports()), 1)

    def test_an_internationalized_report(self):
        self.send("größe@nowhere.test", mail=" SMTPUTF8 BODY=8BITMIME",
                  content="Subject: größe\r\nFrom: a@b\r\n\r\nhello\r\n".encode())

        files = self.mailflow.delivered("postmaster")
        message = email.message_from_bytes(files[0].read_bytes(), policy=email.policy.SMTPUTF8)
        self.assertEqual(message["Subject"], "Undeliverable: größe")
        text, status, original = message.get_payload()
        self.assertEqual(text.get_content_charset(), "utf-8")
        self.assertEqual(status.get_content_type(), "message/global-delivery-status")
        self.assertIn(original.get_content_type(), ("message/global", "message/global-headers"))
        raw = files[0].read_bytes().decode()
        self.assertIn("Final-Recipient: utf-8; größe@nowhere.test", raw)
        self.assertIn("Action: failed", raw)
        # flufl.bounce 4.0 knows no RFC 6533, and takes addresses in ASCII only: it sees no report here.
        self.assertEqual(all_failures(message), (set(), set()))

    def test_nobody_is_told_for_never_and_the_postmaster_for_no_sender(self):
        never = self.send("550-rcpt@fabrikam.com", " NOTIFY=NEVER")
        self.mailflow.wait_for_event("FAIL", never)
        nobody = self.send("550-rcpt@fabrikam.com", sender="", content=b"Subject: a report\r\n\r\n")

        report = self.mailflow.reports()[0]
        text = self.read(report, "Undeliverable: a report", "failed", report.field("Status"), "550-rcpt@fabrikam.com")
        self.assertIn("You get this as postmaster", text)
        self.mailflow.wait_until_empty()
        self.assertEqual(len(self.mailflow.reports()), 1)
        self.assertEqual([e["event"] for e in self.mailflow.track(never) if e["event"] == "DSN"], [])
        self.assertEqual(len(self.mailflow.wait_for_event("DSN", nobody)), 1)

    def test_settings_reach_the_reports(self):
        self.mailflow.set(dsn_max_message_attach_size="0", dsn_reporting_authority="reports.contoso.com",
                          external_postmaster_address="helpdesk@contoso.com", dsn_rate_limit="1")

        self.send("550-rcpt@fabrikam.com")
        self.mailflow.reports()
        second = self.send("550-rcpt@fabrikam.com")

        withheld = self.mailflow.wait_for_event("DSN", second)[0]
        self.assertIn("withheld", withheld["detail"])
        report = self.mailflow.reports()[0]
        self.assertEqual(report.original.get_content_type(), "text/rfc822-headers")
        self.assertEqual(report.about_message["Reporting-MTA"], "dns; reports.contoso.com")
        self.assertEqual(report.message["From"], "Mail Delivery System <helpdesk@contoso.com>")


if __name__ == "__main__":
    unittest.main()

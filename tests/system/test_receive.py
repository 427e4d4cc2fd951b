#!/usr/bin/python3
"""Real clients send to the real daemon: swaks, smtplib, Postfix's smtp-source, raw sockets."""
import email
import smtplib
import subprocess
import unittest

from support import PATIENCE, Client, SystemTest, peer, peer_environment, without_trace


class Clients(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.port = self.mailflow.port()

    def test_swaks_delivers_to_the_postmaster(self):
        result = subprocess.run(
            ["swaks", "--server", f"127.0.0.1:{self.port}", "--from", "alice@example.com", "--to", "postmaster@contoso.com",
             "--header", "Subject: from swaks", "--pipeline"], text=True, capture_output=True, timeout=PATIENCE)

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"250 2\.6\.0 <[^>]+> \[QueueId=[0-9A-Z]{13}\] Queued mail for delivery")
        message = email.message_from_bytes(self.mailflow.delivered("postmaster")[0].read_bytes())
        self.assertEqual(message["Subject"], "from swaks")
        self.assertEqual(message["Return-Path"], "<alice@example.com>")
        self.assertIn("by mail.contoso.com", message["Received"])

    def test_a_mailbox_made_by_smtpctl_takes_mail_at_once(self):
        self.mailflow.ctl("mailbox", "create", "bob", "--first-name", "Bob")

        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.sendmail("alice@example.com", ["bob@contoso.com"], "Subject: hello\r\n\r\nfirst\r\n")

        self.assertIn(b"first", self.mailflow.delivered("bob")[0].read_bytes())

    def test_unknown_recipients_and_relaying_are_refused_at_rcpt(self):
        self.mailflow.ctl("receive-connector", "set", "Default Frontend mail.contoso.com", "--tarpit-interval", "0")
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.ehlo("client.example.com")
            client.mail("alice@example.com")
            self.assertEqual(client.rcpt("nobody@contoso.com"), (550, b"5.1.1 User unknown"))
            self.assertEqual(client.rcpt("x@fabrikam.com"), (550, b"5.7.1 Unable to relay"))
            self.assertEqual(client.rcpt("postmaster@contoso.com")[0], 250)

    def test_25_megabytes_arrive_byte_for_byte(self):
        line = b"0123456789 and a line of quite ordinary text that goes on to the margin.\r\n"
        content = b"Subject: big\r\n\r\n" + line * (25 * 1024 * 1024 // len(line))
        self.send_raw(content)

        self.assertEqual(without_trace(self.mailflow.delivered("postmaster")[0].read_bytes()), content)

    def test_dots_eight_bit_text_and_long_lines_arrive_byte_for_byte(self):
        content = (b"Subject: odd\r\n\r\n.\r\n..\r\n.leading dot\r\n...\r\n" + "größe ".encode() + bytes(range(128, 256)) +
                   b"\r\n" + b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n\r\n\r\nlast\r\n")
        self.send_raw(content)

        self.assertEqual(without_trace(self.mailflow.delivered("postmaster")[0].read_bytes()), content)

    def test_octets_one_by_one_make_the_same_message(self):
        content = b"Subject: slow\r\n\r\n.dot\r\nend\r\n"
        self.send_raw(content, step=1)

        self.assertEqual(without_trace(self.mailflow.delivered("postmaster")[0].read_bytes()), content)

    def test_smtp_source_sends_a_thousand_messages(self):
        source = peer("postfix", "usr/sbin/smtp-source")
        subprocess.run([source, "-s", "20", "-m", "1000", "-l", "4096", "-f", "a@example.com", "-t", "postmaster@contoso.com",
                        f"127.0.0.1:{self.port}"], check=True, env=peer_environment("postfix"), timeout=PATIENCE * 2)

        self.assertEqual(len(self.mailflow.delivered("postmaster", 1000)), 1000)

    def test_bare_line_feeds_never_end_a_message(self):
        with Client(self.port) as client:
            client.begin("a@example.com", ["postmaster@contoso.com"])
            client.send(b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@example.com>\r\n")
            self.assertRegex(client.text(b""), r"^550 5\.6\.11")
            client.command("NOOP", "250")

    def test_a_client_that_vanishes_in_the_middle_of_data_leaves_nothing(self):
        with Client(self.port) as client:
            client.begin("a@example.com", ["postmaster@contoso.com"])
            client.send(b"Subject: lost\r\n\r\nhalf a mess")
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.sendmail("a@example.com", ["postmaster@contoso.com"], "Subject: whole\r\n\r\nx\r\n")

        files = self.mailflow.delivered("postmaster")
        self.assertEqual(len(files), 1)
        self.assertIn(b"Subject: whole", files[0].read_bytes())

    def send_raw(self, content, step=1 << 16):
        with Client(self.port) as client:
            client.begin("a@example.com", ["postmaster@contoso.com"], " BODY=8BITMIME")
            self.assertRegex(client.text(content, step), r"^250 2\.6\.0")
            client.command("QUIT", "221 2.0.0")


if __name__ == "__main__":
    unittest.main()

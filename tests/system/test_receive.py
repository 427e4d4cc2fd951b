#!/usr/bin/python3
"""Real clients send to the real daemon: swaks, smtplib, Postfix's smtp-source, raw sockets."""
import email
import smtplib
import socket
import subprocess
import unittest

from support import PATIENCE, SystemTest, peer, peer_environment, wait_for


def body_of(path):
    """The octets of a delivered message behind our own trace fields, CRLF lines."""
    data = path.read_bytes().replace(b"\n", b"\r\n")
    while data.split(b":", 1)[0] in (b"Return-Path", b"Delivered-To", b"Received"):
        lines = data.split(b"\r\n")
        count = 1
        while lines[count][:1] in (b" ", b"\t"):
            count += 1
        data = b"\r\n".join(lines[count:])
    return data


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

        self.assertEqual(body_of(self.mailflow.delivered("postmaster")[0]), content)

    def test_dots_eight_bit_text_and_long_lines_arrive_byte_for_byte(self):
        content = (b"Subject: odd\r\n\r\n.\r\n..\r\n.leading dot\r\n...\r\n" + "größe ".encode() + bytes(range(128, 256)) +
                   b"\r\n" + b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n\r\n\r\nlast\r\n")
        self.send_raw(content)

        self.assertEqual(body_of(self.mailflow.delivered("postmaster")[0]), content)

    def test_octets_one_by_one_make_the_same_message(self):
        content = b"Subject: slow\r\n\r\n.dot\r\nend\r\n"
        self.send_raw(content, step=1)

        self.assertEqual(body_of(self.mailflow.delivered("postmaster")[0]), content)

    def test_smtp_source_sends_a_thousand_messages(self):
        source = peer("postfix", "usr/sbin/smtp-source")
        subprocess.run([source, "-s", "20", "-m", "1000", "-l", "4096", "-f", "a@example.com", "-t", "postmaster@contoso.com",
                        f"127.0.0.1:{self.port}"], check=True, env=peer_environment("postfix"), timeout=PATIENCE * 2)

        self.assertEqual(len(self.mailflow.delivered("postmaster", 1000)), 1000)

    def test_bare_line_feeds_never_end_a_message(self):
        with self.connect() as client:
            self.dialogue(client, b"EHLO c\r\n", b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<postmaster@contoso.com>\r\n",
                          b"DATA\r\n")
            client.sendall(b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@example.com>\r\n.\r\n")
            self.assertTrue(self.reply(client).startswith(b"550 5.6.11"))
            client.sendall(b"NOOP\r\n")
            self.assertTrue(self.reply(client).startswith(b"250"))

    def test_a_client_that_vanishes_in_the_middle_of_data_leaves_nothing(self):
        with self.connect() as client:
            self.dialogue(client, b"EHLO c\r\n", b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<postmaster@contoso.com>\r\n",
                          b"DATA\r\n")
            client.sendall(b"Subject: lost\r\n\r\nhalf a mess")
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.sendmail("a@example.com", ["postmaster@contoso.com"], "Subject: whole\r\n\r\nx\r\n")

        files = self.mailflow.delivered("postmaster")
        self.assertEqual(len(files), 1)
        self.assertIn(b"Subject: whole", files[0].read_bytes())

    # ---- raw dialogues

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.assertTrue(self.reply(client).startswith(b"220 "))
        return client

    def reply(self, client):
        data = b""
        while not data.endswith(b"\r\n") or data.split(b"\r\n")[-2][3:4] == b"-":
            piece = client.recv(4096)
            if not piece:
                break
            data += piece
        return data

    def dialogue(self, client, *commands):
        for command in commands:
            client.sendall(command)
            answer = self.reply(client)
            self.assertIn(answer[:1], b"23", (command, answer))

    def send_raw(self, content, step=1 << 16):
        with self.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.dialogue(client, b"EHLO client.example.com\r\n", b"MAIL FROM:<a@example.com> BODY=8BITMIME\r\n",
                          b"RCPT TO:<postmaster@contoso.com>\r\n", b"DATA\r\n")
            stuffed = content.replace(b"\r\n.", b"\r\n..")
            data = (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"
            for start in range(0, len(data), step):
                client.sendall(data[start:start + step])
            answer = self.reply(client)
            self.assertTrue(answer.startswith(b"250 2.6.0"), answer)
            client.sendall(b"QUIT\r\n")
            self.assertTrue(self.reply(client).startswith(b"221 2.0.0"))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
"""Mailboxes that live on other servers: Dovecot by LMTP (a Unix socket, TCP), Postfix's smtp-sink by SMTP."""
import email
import grp
import os
import pwd
import socket
import unittest

from support import PEERS, SystemTest, free_port, is_open, peer, peer_environment, submit, wait_for, without_trace

DOVECOT_SETTINGS = """\
protocols = lmtp
base_dir = {folder}/run
state_dir = {folder}/run
libexec_dir = {root}/usr/lib/dovecot
mail_plugin_dir = {root}/usr/lib/dovecot/modules
import_environment = LD_LIBRARY_PATH
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = {uid}
first_valid_gid = {gid}
log_path = /dev/stderr
ssl = no
listen = 127.0.0.1
hostname = store.example.net
mail_location = maildir:~/Maildir
mail_plugins = quota
plugin {{
  quota = maildir:User
  quota_rule = *:storage=1M
  quota_grace = 0
  quota_exceeded_message = This mailbox is full of old mail
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {folder}/users
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  executable = {lmtp}
  user = {user}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {folder}/lmtp {{
    mode = 0600
  }}
}}
"""

CONTENT = b"Subject: =?utf-8?q?caf=C3=A9?=\r\nFrom: Eve <eve@fabrikam.com>\r\n\r\n.a dot\r\n\r\n  blanks \r\n" + b"x" * 900 + b"\r\n"


class Dovecot:
    """Its LMTP server alone, as the user who runs the tests."""

    def __init__(self, test, users):
        test.folder.chmod(0o755)
        self.folder = test.folder / "dovecot"
        (self.folder / "run").mkdir(parents=True)
        self.port = free_port()
        self.socket = self.folder / "lmtp"
        # It writes no mail as root.
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        uid, gid = owner.pw_uid, owner.pw_gid
        os.chown(self.folder, uid, gid)
        (self.folder / "users").write_text("".join(
            f"{name}::{uid}:{gid}::{self.folder}/{name}::{extra}\n" for name, extra in users.items()))
        settings = self.folder / "dovecot.conf"
        settings.write_text(DOVECOT_SETTINGS.format(
            folder=self.folder, root=PEERS / "dovecot-core", port=self.port, uid=uid, gid=gid, user=name_of_user(),
            group=grp.getgrgid(os.getegid()).gr_name, lmtp=peer("dovecot-lmtpd", "usr/lib/dovecot/lmtp")))
        # As dovecot starts itself, but for the place of doveconf.
        self.process = test.start_process(
            [peer("dovecot-core", "usr/bin/doveconf"), "-f", "service=master", "-c", settings, "-m", "master", "-e",
             peer("dovecot-core", "usr/sbin/dovecot"), "-F", "-c", settings],
            "dovecot", env=peer_environment("dovecot-core"))
        wait_for(self.answers, "Dovecot's LMTP answers")

    def answers(self):
        if not self.socket.exists() or not is_open(self.port):
            return False
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            try:
                client.connect(str(self.socket))
                return client.recv(1000).startswith(b"220 ")
            except OSError:
                return False

    def messages(self, name, count=1):
        folder = self.folder / name / "Maildir" / "new"
        wait_for(lambda: folder.is_dir() and len(list(folder.iterdir())) >= count, f"{count} messages of {name} at Dovecot")
        return [path.read_bytes() for path in folder.iterdir()]


def name_of_user():
    return pwd.getpwuid(os.geteuid()).pw_name


class MailboxServers(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()

    def send(self, *recipients, sender="eve@fabrikam.com", content=CONTENT):
        return submit(self.mailflow.port(), sender, recipients, content)

    def check_delivered(self, raw, to):
        """What we handed over, with what Dovecot writes in front of it."""
        self.assertEqual(without_trace(raw), CONTENT)
        message = email.message_from_bytes(raw)
        self.assertEqual(message.get_all("Return-Path"), ["<eve@fabrikam.com>"])
        self.assertEqual(message.get_all("Delivered-To"), [to])
        self.assertEqual(sum("mail.contoso.com" in field.split("by ", 1)[1] for field in message.get_all("Received")), 1)

    def test_lmtp_over_a_unix_socket_and_over_tcp(self):
        dovecot = Dovecot(self, {"alice": "", "bob": ""})
        self.mailflow.ctl("mailbox", "create", "alice", "--delivery-target", f"lmtp:unix:{dovecot.socket}")
        self.mailflow.ctl("mailbox", "create", "bob", "--delivery-target", f"lmtp:127.0.0.1:{dovecot.port}")

        queue_id = self.send("alice@contoso.com", "bob@contoso.com")

        for name in ("alice", "bob"):
            raw, = dovecot.messages(name)
            self.check_delivered(raw, f"{name}@contoso.com")
        self.mailflow.wait_until_empty()
        events = self.mailflow.wait_for_event("DELIVER", queue_id, count=2)
        self.assertEqual({event["next_hop"] for event in events},
                         {f"lmtp|unix:{dovecot.socket}|", f"lmtp|[127.0.0.1]:{dovecot.port}|"})
        self.assertEqual([event for event in self.mailflow.track(queue_id) if event["event"] == "SEND"], [])

    def test_each_recipient_of_a_transaction_has_an_outcome_of_its_own(self):
        """RFC 2033 4.2: nobody is refused at RCPT, full after the dot, and alice has the message."""
        dovecot = Dovecot(self, {"alice": "", "full": "userdb_quota_rule=*:bytes=100"})
        self.mailflow.ctl("mailbox", "create", "sender")
        for name in ("alice", "full", "nobody"):
            self.mailflow.ctl("mailbox", "create", name, "--delivery-target", f"lmtp:unix:{dovecot.socket}")

        queue_id = self.send("alice@contoso.com", "full@contoso.com", "nobody@contoso.com", sender="sender@contoso.com")

        # To several at once Dovecot names none of them in Delivered-To.
        raw, = dovecot.messages("alice")
        self.assertEqual(without_trace(raw), CONTENT)
        self.assertEqual(email.message_from_bytes(raw).get_all("Return-Path"), ["<sender@contoso.com>"])
        report, = self.mailflow.reports("sender")
        outcomes = {block["Final-Recipient"]: " ".join(block["Diagnostic-Code"].split()) for block in report.recipients}
        self.assertEqual(set(outcomes), {"rfc822; full@contoso.com", "rfc822; nobody@contoso.com"})
        self.assertIn("This mailbox is full of old mail", outcomes["rfc822; full@contoso.com"])
        self.assertIn("User doesn't exist: nobody@contoso.com", outcomes["rfc822; nobody@contoso.com"])
        self.assertEqual({block["Action"] for block in report.recipients}, {"failed"})
        self.mailflow.wait_until_empty()
        self.assertEqual(len(dovecot.messages("alice")), 1)
        self.assertEqual(len(self.mailflow.reports("sender")), 1)
        self.assertEqual(len(self.mailflow.wait_for_event("FAIL", queue_id, count=2)), 2)

    def test_a_mailbox_on_an_smtp_host(self):
        port = free_port()
        inbox = self.folder / "sink"
        inbox.mkdir()
        self.start_process(
            [peer("postfix", "usr/sbin/smtp-sink"), *(["-u", name_of_user()] if os.geteuid() == 0 else []), "-d",
             str(inbox / "message."), f"127.0.0.1:{port}", "10"], "sink", env=peer_environment("postfix"))
        wait_for(lambda: is_open(port), "smtp-sink listens")
        self.mailflow.ctl("mailbox", "create", "carol", "--delivery-target", f"smtp:127.0.0.1:{port}")

        queue_id = self.send("carol@contoso.com")

        event = self.mailflow.wait_for_event("DELIVER", queue_id)[0]
        self.assertEqual(event["next_hop"], f"smtp-host|[127.0.0.1]:{port}|")
        raw = wait_for(lambda: next((text for text in (path.read_bytes() for path in inbox.iterdir()) if b"blanks" in text), None),
                       "the sink's file")
        self.assertIn(b"X-Rcpt-Args: <carol@contoso.com>", raw)
        self.assertIn(b"X-Mail-Args: <eve@fabrikam.com>", raw)
        self.assertTrue(raw.replace(b"\r\n", b"\n").rstrip().endswith(CONTENT.replace(b"\r\n", b"\n").rstrip()))


if __name__ == "__main__":
    unittest.main()

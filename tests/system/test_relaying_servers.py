#!/usr/bin/python3
"""Whole mail servers relay to the daemon over TLS: Postfix with SMTPUTF8, Exim with CHUNKING."""
import os
import pwd
import smtplib
import unittest

from support import PATIENCE, Process, SystemTest, free_port, is_open, peer, peer_environment, wait_for, without_trace, PEERS

POSTFIX_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""

POSTFIX_SETTINGS = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
import_environment = MAIL_CONFIG LANG=C LD_LIBRARY_PATH
maillog_file = /dev/stdout
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example.net
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtputf8_enable = yes
relayhost = [127.0.0.1]:{to}
smtpd_recipient_restrictions = permit_mynetworks, reject
smtp_tls_security_level = encrypt
"""

EXIM_SETTINGS = """\
exim_path = {root}/usr/sbin/exim4
spool_directory = {folder}/spool
pid_file_path = {folder}/spool/exim.pid
primary_hostname = relay.example.net
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
log_file_path = {folder}/log-%s
host_lookup =
rfc1413_hosts =
keep_environment = LD_LIBRARY_PATH
deliver_drop_privilege = true
tls_advertise_hosts =
acl_smtp_rcpt = anybody
begin acl
anybody:
  accept
begin routers
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = onward
begin transports
onward:
  driver = smtp
  port = {to}
  hosts_require_tls = *
  hosts_try_fastopen =
begin retry
* * F,2h,15m
"""


@unittest.skipUnless(os.geteuid() == 0, "these servers are started by root")
class RelayingServers(SystemTest):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.mailflow = self.start_mailflow()
        self.mailflow.set_connector("Default Frontend mail.contoso.com", protocol_log="verbose")
        self.to = self.mailflow.port()
        self.port = free_port()

    def start_postfix(self):
        folder = self.folder / "postfix"
        owner = pwd.getpwnam("postfix")
        for name in ("data", *(f"spool/{queue}" for queue in (
                "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace", "maildrop",
                "public", "pid"))):
            (folder / name).mkdir(parents=True)
            if name != "spool/pid":
                os.chown(folder / name, owner.pw_uid, owner.pw_gid)
        (folder / "etc").mkdir()
        # Its own sanity checks want a path without odd ownership; the unpacked tree is root's.
        values = {"folder": folder, "root": PEERS / "postfix", "port": self.port, "to": self.to}
        (folder / "etc" / "main.cf").write_text(POSTFIX_SETTINGS.format(**values))
        (folder / "etc" / "master.cf").write_text(POSTFIX_SERVICES.format(**values))
        environment = dict(peer_environment("postfix"), MAIL_CONFIG=str(folder / "etc"))
        self.start_process([peer("postfix", "usr/lib/postfix/sbin/master"), "-c", folder / "etc", "-d"], "postfix", env=environment)
        wait_for(lambda: is_open(self.port), "Postfix listens")

    def start_exim(self):
        folder = self.folder / "exim"
        owner = pwd.getpwnam("Debian-exim")
        for name in ("spool/db", "spool/input", "spool/msglog"):
            (folder / name).mkdir(parents=True)
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, owner.pw_uid, owner.pw_gid)
        config = self.folder / "exim.conf"
        config.write_text(EXIM_SETTINGS.format(folder=folder, root=PEERS / "exim4-daemon-light", port=self.port, to=self.to))
        self.start_process([peer("exim4-daemon-light", "usr/sbin/exim4"), "-C", config, "-bdf"], "exim",
                           env=peer_environment("exim4-daemon-light"))
        wait_for(lambda: is_open(self.port), "Exim listens")

    def log(self):
        return "".join(path.read_text() for path in sorted((self.mailflow.state / "log" / "receive").glob("*.log")))

    def test_postfix_relays_over_tls_with_smtputf8(self):
        self.start_postfix()
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.sendmail("grüße@fabrikam.example", ["postmaster@contoso.com"], "Subject: Grüße\r\n\r\nhällo\r\n".encode(),
                            mail_options=["SMTPUTF8", "BODY=8BITMIME"])

        content = self.mailflow.delivered("postmaster")[0].read_bytes()
        self.assertIn("with UTF8SMTPS", content.decode())
        self.assertIn("Return-Path: <grüße@fabrikam.example>", content.decode())
        self.assertIn("hällo", content.decode())
        self.assertIn("SMTPUTF8", wait_for(lambda: self.log() if "MAIL FROM" in self.log() else None, "the protocol log"))

    def test_exim_relays_over_tls_in_chunks(self):
        self.start_exim()
        content = b"Subject: chunks\r\n\r\n.dot\r\n" + b"0123456789 abcdef\r\n" * 20_000
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.sendmail("a@fabrikam.example", ["postmaster@contoso.com"], content)

        arrived = self.mailflow.delivered("postmaster")[0].read_bytes()
        self.assertIn(b"with ESMTPS", arrived[:2000])
        self.assertTrue(without_trace(arrived).endswith(content[content.index(b"\r\n\r\n"):]), arrived[:2000])
        self.assertIn("BDAT ", wait_for(lambda: self.log() if "BDAT" in self.log() else None, "the protocol log"))


if __name__ == "__main__":
    unittest.main()

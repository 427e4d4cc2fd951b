#!/usr/bin/python3
"""Mail programs people use log in and send: swaks, smtplib, msmtp, curl, nodemailer, openssl s_client."""
import email
import smtplib
import ssl
import subprocess
import unittest

from support import PATIENCE, Client, SystemTest, free_port

PASSWORD = "correct horse, battery"
MESSAGE = "From: alice@contoso.com\r\nTo: postmaster@contoso.com\r\nSubject: from a client\r\n\r\nhello\r\n"


def trusting():
    """TLS as a client that was told not to look at the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def run(*command, said=None, **options):
    return subprocess.run([str(word) for word in command], text=True, capture_output=True, timeout=PATIENCE, input=said, **options)


class MailClients(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.mailflow.ctl("mailbox", "create", "alice", "--password", "-", said=PASSWORD + "\n")
        self.submission = self.mailflow.port("Client Frontend mail")
        self.submissions = self.mailflow.port("Client Frontend TLS")

    def received(self, mailbox="postmaster"):
        """The one message that arrived."""
        return email.message_from_bytes(self.mailflow.delivered(mailbox)[0].read_bytes())


class Swaks(MailClients):
    def swaks(self, port, *words):
        return run("swaks", "--server", f"127.0.0.1:{port}", "--from", "alice@contoso.com", "--to", "postmaster@contoso.com", *words)

    def test_it_logs_in_by_plain_and_login_behind_starttls_and_on_connect(self):
        count = 0
        for mechanism in ("PLAIN", "LOGIN"):
            for port, tls in ((self.submission, "--tls"), (self.submissions, "--tls-on-connect")):
                with self.subTest(mechanism=mechanism, tls=tls):
                    result = self.swaks(port, tls, "--auth", mechanism, "--auth-user", "alice@contoso.com", "--auth-password", PASSWORD)

                    count += 1
                    self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                    self.assertIn("235 2.7.0 Authentication successful", result.stdout)
                    newest = self.mailflow.delivered("postmaster", count)[-1].read_bytes()
                    self.assertIn(b"with ESMTPSA", newest)

    def test_no_login_is_offered_in_clear_and_none_is_needed_to_be_told_so(self):
        result = self.swaks(self.submission, "--auth", "PLAIN", "--auth-user", "alice", "--auth-password", PASSWORD)

        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn("AUTH PLAIN", result.stdout)
        with Client(self.submission) as client:
            client.command("EHLO client.example.com", "250")
            self.assertRegex(client.command("AUTH PLAIN AGFsaWNlAHg="), r"^53[08] 5\.7\.")

    def test_a_wrong_password_and_an_unknown_user_are_told_the_same(self):
        self.mailflow.set_connector(f"Client Frontend TLS mail.contoso.com", auth_tarpit_interval="0")
        answers = set()
        for user, password in (("alice@contoso.com", "wrong"), ("nobody@contoso.com", "wrong")):
            result = self.swaks(self.submissions, "--tls-on-connect", "--auth", "PLAIN", "--auth-user", user, "--auth-password", password)
            self.assertNotEqual(result.returncode, 0)
            answers.update(line.strip() for line in result.stdout.splitlines() if " 535 " in line)
        self.assertEqual(len(answers), 1, answers)

    def test_the_proxy_protocol_names_the_client(self):
        port = free_port()
        self.mailflow.ctl("receive-connector", "create", "Behind a balancer", "--binding", f"127.0.0.1:{port}",
                          "--permission-group", "anonymous", "--proxy-protocol-from", "127.0.0.0/8")
        for number, version in enumerate(("1", "2"), start=1):
            with self.subTest(version=version):
                source = ["--proxy-version", version, "--proxy-family", "TCP4" if version == "1" else "AF_INET", "--proxy-source",
                          "192.0.2.7", "--proxy-source-port", "4711", "--proxy-dest", "127.0.0.1", "--proxy-dest-port", port]
                if version == "2":
                    source += ["--proxy-protocol", "STREAM", "--proxy-command", "PROXY"]
                result = self.swaks(port, *source)

                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                newest = self.mailflow.delivered("postmaster", number)[-1].read_bytes()
                self.assertIn(b"[192.0.2.7]", newest)

    def test_xclient_names_the_client(self):
        port = free_port()
        self.mailflow.ctl("receive-connector", "create", "Behind a filter", "--binding", f"127.0.0.1:{port}",
                          "--permission-group", "anonymous", "--xclient-from", "127.0.0.0/8")
        result = self.swaks(port, "--xclient-addr", "192.0.2.9", "--xclient-name", "outside.example.net", "--xclient-helo", "outside.example.net")

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("[192.0.2.9]", self.received()["Received"])


class Smtplib(MailClients):
    def test_it_logs_in_behind_starttls(self):
        with smtplib.SMTP("127.0.0.1", self.submission, timeout=PATIENCE) as client:
            client.starttls(context=trusting())
            client.login("alice@contoso.com", PASSWORD)
            client.sendmail("alice@contoso.com", ["postmaster@contoso.com"], MESSAGE)

        self.assertIn("with ESMTPSA", self.received()["Received"])

    def test_it_logs_in_on_a_tls_port_under_every_name_of_the_mailbox(self):
        for name in ("alice@contoso.com", "alice", "CONTOSO\\alice"):
            with self.subTest(name=name), smtplib.SMTP_SSL("127.0.0.1", self.submissions, timeout=PATIENCE, context=trusting()) as client:
                self.assertEqual(client.login(name, PASSWORD)[0], 235)

    def test_an_account_sends_only_as_itself(self):
        self.mailflow.ctl("mailbox", "create", "bob")
        with smtplib.SMTP_SSL("127.0.0.1", self.submissions, timeout=PATIENCE, context=trusting()) as client:
            client.login("alice", PASSWORD)
            self.assertEqual(client.docmd("MAIL", "FROM:<bob@contoso.com>")[0], 550)
            with self.assertRaises(smtplib.SMTPDataError) as refused:
                client.sendmail("alice@contoso.com", ["postmaster@contoso.com"], MESSAGE.replace("alice@", "bob@"))
            self.assertEqual(refused.exception.smtp_code, 550)

            self.mailflow.ctl("mailbox", "set", "bob", "--add-send-as", "alice")
            client.sendmail("bob@contoso.com", ["postmaster@contoso.com"], MESSAGE.replace("alice@", "bob@"))
        self.assertEqual(self.received()["From"], "bob@contoso.com")

    def test_submission_completes_a_poor_message(self):
        with smtplib.SMTP_SSL("127.0.0.1", self.submissions, timeout=PATIENCE, context=trusting()) as client:
            client.login("alice", PASSWORD)
            client.sendmail("alice@contoso.com", ["postmaster@contoso.com"],
                            "From: Alice <alice>\r\nTo: postmaster\r\nBcc: secret@contoso.com\r\nSubject: bare\r\n\r\nx\r\n")

        message = self.received()
        self.assertEqual(message["From"], "Alice <alice@contoso.com>")
        self.assertEqual(message["To"], "postmaster@contoso.com")
        self.assertIsNone(message["Bcc"])
        self.assertTrue(message["Date"])
        self.assertTrue(message["Message-ID"])

    def test_port_25_leaves_the_same_message_as_it_is(self):
        content = "From: Alice <alice>\r\nTo: postmaster\r\nBcc: secret@contoso.com\r\nSubject: bare\r\n\r\nx\r\n"
        with smtplib.SMTP("127.0.0.1", self.mailflow.port(), timeout=PATIENCE) as client:
            client.sendmail("alice@example.com", ["postmaster@contoso.com"], content)

        self.assertTrue(self.mailflow.delivered("postmaster")[0].read_bytes().replace(b"\r\n", b"\n")
                        .endswith(content.replace("\r\n", "\n").encode()))


class OtherClients(MailClients):
    def test_msmtp_logs_in_by_each_mechanism(self):
        for number, mechanism in enumerate(("plain", "login", "scram-sha-256"), start=1):
            with self.subTest(mechanism=mechanism):
                config = self.folder / f"msmtp.{mechanism}"
                config.write_text(f"account default\nhost 127.0.0.1\nport {self.submission}\nfrom alice@contoso.com\ntls on\n"
                                  f"tls_starttls on\ntls_certcheck off\nauth {mechanism}\nuser alice@contoso.com\n"
                                  f"password \"{PASSWORD}\"\n")
                config.chmod(0o600)
                result = run("msmtp", "-C", config, "postmaster@contoso.com", said=MESSAGE.replace("\r\n", "\n"))

                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.mailflow.delivered("postmaster", number)

    def test_curl_sends_behind_starttls_and_on_connect(self):
        body = self.folder / "message"
        body.write_text(MESSAGE)
        for number, url in enumerate((f"smtp://127.0.0.1:{self.submission}", f"smtps://127.0.0.1:{self.submissions}"), start=1):
            with self.subTest(url=url):
                result = run("curl", "--silent", "--show-error", "--url", url, "--ssl-reqd", "--insecure", "--mail-from",
                             "alice@contoso.com", "--mail-rcpt", "postmaster@contoso.com", "--user", f"alice@contoso.com:{PASSWORD}",
                             "--upload-file", body)

                self.assertEqual(result.returncode, 0, result.stderr)
                self.mailflow.delivered("postmaster", number)

    def test_nodemailer_sends(self):
        script = self.folder / "send.js"
        script.write_text("""
const transport = require('/usr/share/nodejs/nodemailer').createTransport({
    host: '127.0.0.1', port: Number(process.argv[2]), secure: process.argv[3] === 'tls', requireTLS: true,
    auth: {user: 'alice@contoso.com', pass: process.argv[4]}, tls: {rejectUnauthorized: false}});
transport.sendMail({from: 'alice@contoso.com', to: 'postmaster@contoso.com', subject: 'Grüße', text: 'hello',
                    dsn: {id: 'x1', return: 'headers', notify: ['failure'], recipient: 'postmaster@contoso.com'}},
                   (error, info) => { console.log(error || info.response); process.exit(error ? 1 : 0); });
""")
        for number, (port, tls) in enumerate(((self.submission, "starttls"), (self.submissions, "tls")), start=1):
            with self.subTest(tls=tls):
                result = run("node", script, port, tls, PASSWORD)

                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.assertIn("250 2.6.0", result.stdout)
                self.mailflow.delivered("postmaster", number)

    def s_client(self, *words, said="QUIT\r\n"):
        return run("openssl", "s_client", "-connect", f"127.0.0.1:{self.submission}", "-starttls", "smtp", "-crlf", *words, said=said)

    def test_s_client_sees_a_modern_handshake(self):
        result = self.s_client()

        self.assertIn("New, TLSv1.3", result.stdout)
        self.assertIn("id-ecPublicKey", run("openssl", "x509", "-noout", "-text", said=result.stdout).stdout)
        self.assertIn("DNS:mail.contoso.com", run("openssl", "x509", "-noout", "-text", said=result.stdout).stdout)

    def test_s_client_may_speak_tls_1_2_and_nothing_older(self):
        self.assertIn("New, TLSv1.2", self.s_client("-tls1_2").stdout)
        self.assertNotIn("Cipher is ECDHE", self.s_client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0").stdout)

    def test_attack_8_renegotiation_is_refused(self):
        result = self.s_client("-tls1_2", said="R\nNOOP\nQUIT\n")

        self.assertNotIn("250 2.0.0", result.stdout)

    def test_attack_9_another_protocol_by_alpn_is_refused(self):
        self.assertNotIn("New, TLSv1.3", self.s_client("-alpn", "http/1.1").stdout)
        self.assertIn("ALPN protocol: smtp", self.s_client("-alpn", "smtp").stdout)

    def test_attack_4_commands_behind_starttls_end_the_session(self):
        with Client(self.submission) as client:
            client.command("EHLO client.example.com", "250")
            self.assertTrue(client.command(b"STARTTLS\r\nNOOP\r\n").startswith("554 5.5.0"))
            self.assertEqual(client.reply(), b"")


if __name__ == "__main__":
    unittest.main()

"""An independent client drives the gateway: pyactivesync, which speaks 16.1 over HTTPS."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.functional.running import PASSWORD, PATIENCE, started, until

POLICY = {
    "provisioning": {"policy": '"strict"', "allow_non_provisionable": "false"},
    'provisioning.policies."strict"': {"DevicePasswordEnabled": "true", "MinDevicePasswordLength": "6"},
    "maildir": {"create_special": "true"},
}
CLIENT = (sys.executable, "-m", "pyactivesync.cli")


class PyActiveSyncTests(SynchronousTestCase):
    def setUp(self) -> None:
        if find_spec("pyactivesync") is None:
            raise SkipTest("pyactivesync is not installed")
        self.gateway = started(self, settings=POLICY)
        self.server = f"localhost:{self.gateway.address('https')[1]}"
        self.client = self.make_client()

    def make_client(self, password: str = PASSWORD, device: str = "pyactivesync1") -> Any:
        from pyactivesync.client import Client

        certificate: Any = str(self.gateway.folder / "certificate.pem")
        client = Client(self.server, "ann", password, device_id=device, verify_ssl=certificate, timeout=PATIENCE)
        # Or else a bundle named in the environment would go over the certificate.
        client._transport.session.trust_env = False
        self.addCleanup(client.close)
        return client

    def inbox(self) -> str:
        return next(folder.id for folder in self.client.list_folders() if folder.name == "Inbox")

    def synced(self, folder: str) -> str:
        """Synchronise a folder from the beginning; the newest key."""
        key = self.client.sync_folder(folder).sync_key
        return str(self.client.sync_folder(folder, key).sync_key)

    def test_options(self) -> None:
        """OPTIONS offers 16.1 and the commands."""
        answer = self.client._transport.session.options(self.client._transport.base_url, timeout=PATIENCE)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.headers["MS-ASProtocolVersions"].split(",")[-1], "16.1")
        self.assertIn("Ping", answer.headers["MS-ASProtocolCommands"].split(","))

    def test_noPolicy(self) -> None:
        """Where no policy is in force it provisions before anything else all the same, and synchronises."""
        self.gateway = started(self, settings={"maildir": {"create_special": "true"}})
        self.server = f"localhost:{self.gateway.address('https')[1]}"
        self.client = self.make_client()
        self.gateway.send_mail("ann", "to a client without a policy")
        inbox = self.inbox()
        found = self.client.sync_folder(inbox, self.client.sync_folder(inbox).sync_key)
        self.assertEqual([item.fields["Email.Subject"] for item in found.added], ["to a client without a policy"])

    def test_provision(self) -> None:
        """It provisions in two phases and then may synchronise; without the key it is told to (Status 142)."""
        from pyactivesync.exceptions import StatusError

        self.client._provisioned, self.client._transport.policy_key = True, "0"
        with self.assertRaises(StatusError) as refused:
            self.client.list_folders()
        self.assertEqual(refused.exception.code, "142")
        self.assertGreater(int(self.client.provision()), 0)
        folders = {folder.name: folder.type for folder in self.client.list_folders()}
        self.assertEqual(folders["Inbox"], 2)
        self.assertEqual((folders["Sent Items"], folders["Deleted Items"], folders["Drafts"]), (5, 4, 3))

    def test_wrongPassword(self) -> None:
        """A wrong password is HTTP 401."""
        from requests import HTTPError

        with self.assertRaises(HTTPError) as refused:
            self.make_client("wrong").list_folders()
        self.assertEqual(refused.exception.response.status_code, 401)

    def test_story(self) -> None:
        """A parked Ping is told of a mail, Sync brings it; marks and a deletion go to the Maildir."""
        from pyactivesync.models import EmailChange

        inbox = self.inbox()
        key = self.synced(inbox)
        with ThreadPoolExecutor(1) as pool:
            ping = pool.submit(self.client.ping, inbox, heartbeat=60, timeout=PATIENCE)
            until(lambda: self.gateway.parked() == 1, "the Ping to park")
            self.gateway.send_mail("ann", "Grüße")
            self.assertEqual((ping.result().status, ping.result().changed_folder_ids), ("2", [inbox]))
        self.assertEqual(self.client.get_item_estimate(inbox, key), 1)
        found = self.client.sync_folder(inbox, key)
        self.assertEqual([item.fields["Email.Subject"] for item in found.added], ["Grüße"])
        item = found.added[0].server_id
        done = self.client.apply_email_changes(inbox, found.sync_key, [EmailChange(item, read=True, flagged=True)])
        self.assertEqual(done.statuses, {item: "1"})
        self.assertEqual(self.letters(""), ["FS"])
        self.assertEqual(self.client.ping(inbox, heartbeat=1).status, "1")
        done = self.client.apply_email_changes(inbox, done.sync_key, [EmailChange(item, delete=True)])
        self.assertEqual(done.statuses, {item: "1"})
        self.assertEqual((self.letters(""), self.letters(".Trash")), ([], ["FS"]))
        self.assertNotIn("Traceback", self.gateway.log)

    def letters(self, folder: str) -> list[str]:
        """The letters of the mails in a folder of the Maildir."""
        place = self.gateway.inbox("ann") / folder
        return [path.name.rpartition(":2,")[2] for sub in ("new", "cur") for path in (place / sub).iterdir()]

    def test_window(self) -> None:
        """Many mails come window by window, each once, newest first."""
        for number in range(30):
            self.gateway.send_mail("ann", f"number {number}")
        inbox = self.inbox()
        key, more, found = self.client.sync_folder(inbox).sync_key, True, []
        while more:
            result = self.client.sync_folder(inbox, key, window_size=7)
            key, more = result.sync_key, result.more_available
            found += [item.fields["Email.Subject"] for item in result.added]
        self.assertEqual(sorted(found), sorted(f"number {number}" for number in range(30)))

    def test_expiry(self) -> None:
        """A Ping without a change ends with Status 1."""
        inbox = self.inbox()
        self.synced(inbox)
        result = self.client.ping(inbox, heartbeat=1)
        self.assertEqual((result.status, result.changed_folder_ids), ("1", []))

    def test_commandLine(self) -> None:
        """Its command line lists the folders, with the DeviceId that it has by itself, which has a hyphen, and with ours."""
        for more in ((), ("--device-id", "pyactivesynccli")):
            done = self.run_client("list-folders", *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("Inbox", [folder["name"] for folder in json.loads(done.stdout)])

    def run_client(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CLIENT, command, "--server", self.server, "--username", "ann", "--json", *more],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={
                "PYACTIVESYNC_PASSWORD": PASSWORD,
                "REQUESTS_CA_BUNDLE": str(self.gateway.folder / "certificate.pem"),
            },
        )

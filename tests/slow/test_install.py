"""What pip makes of the source: a wheel with what is needed and nothing else, and a command of twistd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gateway import __version__
from tests.functional.running import ROOT

SECONDS = 900
LEFT_OUT = (".git", ".venv", "build", "dist", "*.egg-info", "_trial_temp*", "tests.*", ".*_cache", ".hypothesis")


class InstallTests(SynchronousTestCase):
    """In an environment of its own, from a folder whose path has a space."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw install ")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.source = self.folder / "the source"
        ignored = shutil.ignore_patterns(*LEFT_OUT, "__pycache__", "dropin.cache")
        shutil.copytree(ROOT, self.source, ignore=ignored)
        self.run_quietly(sys.executable, "-m", "venv", self.folder / "venv")

    def bin(self, name: str) -> str:
        return str(self.folder / "venv" / "bin" / name)

    def run_quietly(self, *command: str | Path) -> str:
        """Run a command somewhere else than in the source."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=self.folder,
            env=environment,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        return done.stdout

    def pip(self, *arguments: str | Path) -> None:
        self.run_quietly(self.bin("python"), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)

    def reachable(self) -> None:
        """Packages have to come from somewhere."""
        try:
            self.pip("download", "--no-deps", "--dest", self.folder / "probe", "attrs")
        except self.failureException as error:
            raise SkipTest("no package index can be reached") from error

    def test_install(self) -> None:
        """After C{pip install .} and after C{pip install -e .} twistd lists pushgw and the command is there; removing
        it leaves Twisted whole."""
        self.reachable()
        self.pip("install", self.source)
        self.works("site-packages")
        self.pip("uninstall", "--yes", "pushgw")
        self.assertNotIn("pushgw", self.run_quietly(self.bin("twistd"), "--help"))
        self.pip("install", "--editable", self.source)
        self.works("the source")

    def works(self, place: str) -> None:
        """Commands and plugin are those of that place, and the database is made."""
        self.assertIn("pushgw  ", self.run_quietly(self.bin("twistd"), "--help"))
        self.assertIn(__version__, self.run_quietly(self.bin("pushgw"), "--version"))
        self.assertIn(__version__, self.run_quietly(self.bin("twistd"), "pushgw", "--version"))
        code = "import gateway, twisted; print(gateway.__file__); assert twisted.__version__"
        self.assertIn(place, self.run_quietly(self.bin("python"), "-c", code))
        data = self.folder / f"data of {place}"
        self.run_quietly(self.bin("pushgw"), "init", data)
        config = data / "pushgw.toml"
        self.assertIn("No devices yet", self.run_quietly(self.bin("pushgw"), "devices", "--config", config))
        self.assertTrue((data / "pushgw.sqlite").exists())

    def test_wheel(self) -> None:
        """The wheel holds the gateway, its plugin, its types and its migrations; no tests, and nothing that is
        Twisted's."""
        self.reachable()
        self.pip("wheel", "--no-deps", "--wheel-dir", self.folder / "dist", self.source)
        (wheel,) = (self.folder / "dist").glob("pushgw-*.whl")
        with ZipFile(wheel) as archive:
            names = archive.namelist()
        self.assertEqual({name.split("/")[0].partition("-")[0] for name in names}, {"gateway", "twisted", "pushgw"})
        self.assertEqual([name for name in names if name.startswith("twisted")], ["twisted/plugins/pushgw_plugin.py"])
        wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gateway").rglob("*.py")}
        wanted |= {"gateway/py.typed"}
        self.assertEqual(wanted - set(names), set())
        self.assertTrue(any(name.startswith("gateway/store/migrations/versions/") for name in names))

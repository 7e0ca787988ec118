"""Whose signatures on certificates of people are believed."""

from __future__ import annotations

import ssl
from pathlib import Path

from attrs import define, field
from cryptography import x509

from gateway.eas.certificates import Trust


@define(eq=False)
class TrustFile:
    """The certificates of a file in PEM form, or of the system; a changed file is read again when it is asked for.

    @param path: the file, or C{None} for that of the system; may be replaced.
    """

    path: Path | None
    _read: tuple[Path, int, int] | None = field(init=False, default=None)
    _trust: Trust = field(init=False, factory=lambda: Trust({}))

    def __call__(self) -> Trust:
        """Whom to believe.

        @raise OSError: there is no such file, or it cannot be read.
        @raise ValueError: a certificate in it cannot be read, or there is none.
        """
        path = self.path or _system()
        status = path.stat()
        signature = (path, status.st_mtime_ns, status.st_size)
        if signature != self._read:
            self._trust = Trust.of(x509.load_pem_x509_certificates(path.read_bytes()))
            self._read = signature
        return self._trust


def _system() -> Path:
    paths = ssl.get_default_verify_paths()
    found = paths.cafile or "/etc/ssl/certs/ca-certificates.crt"
    return Path(found)
